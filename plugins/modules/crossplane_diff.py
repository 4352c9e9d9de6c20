#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_diff
short_description: Tell how declared Crossplane resources differ from the cluster and from AWS
version_added: 0.1.0
description:
  - Asks for one list of each kind, of the objects of O(owner), however many resources there are. All objects of a kind are read only
    where something declared is not among these.
  - Compares declared fields only. What the API server, Crossplane or AWS fill in by themselves is not a difference.
  - Fields that were applied by O(field_manager) once and are no longer declared are differences.
  - An object that is as declared is compared with what AWS has, by O(look_into_aws), else with C(status.atProvider).
  - What is derived from O(declared) gets the tags C(localcloud.dev/owner) and C(localcloud.dev/cluster), where its kind has tags.
  - It changes nothing but for O(ask_again). RV(to_apply) is meant for M(kubernetes.core.k8s) with C(apply), RV(to_reconcile) for its C(state=patched).
options:
  resources:
    description: The declared objects. Either these or O(declared).
    type: list
    elements: dict
  declared:
    description:
      - Lists of AWS resources as the role P(localcloud.stack.aws_resources#role) takes them, by kind, such as C(topics), from which
        the objects are derived. What is wrong with them fails the module, all of it together, before the cluster is asked.
      - Needs pydantic.
    type: dict
  target:
    description:
      - Where O(declared) is made. What is left out is as the role P(localcloud.stack.aws_resources#role) has it for an emulator.
    type: dict
    suboptions:
      region:
        description: AWS region.
        type: str
      account:
        description: AWS account, 12 digits.
        type: str
      provider_config:
        description: Name of the configuration that Crossplane's provider takes.
        type: str
      provider_config_kind:
        description: Its kind, where O(target.scope=namespaced).
        type: str
      tags:
        description: Tags of every resource that can have any; a map of text.
        type: raw
      scope:
        description: V(cluster) or V(namespaced) kinds.
        type: str
      namespace:
        description: Namespace of namespaced resources.
        type: str
      prefix:
        description: What the names of Kubernetes objects begin with.
        type: str
  owner:
    description:
      - Value of the label C(localcloud.dev/owner) of our objects. Objects with another one are RV(foreign).
      - Required without O(check_only).
    type: str
  check_only:
    description: Only find what is wrong with O(declared), and with as much of O(target) as is given. Neither cluster nor AWS is asked.
    type: bool
    default: false
  kinds:
    description:
      - Kinds that are looked through for RV(orphaned).
      - If left out, all that O(declared) can be made of in either scope, with those of its C(extra_manifests); none for O(resources).
    type: list
    elements: dict
    suboptions:
      api_version:
        description: API version with group.
        type: str
        required: true
      kind:
        description: Kind.
        type: str
        required: true
  field_manager:
    description: By which name the objects are applied.
    type: str
    default: localcloud
  adopt:
    description:
      - Take over what AWS has already under a declared name, instead of returning it as RV(existing).
      - The annotation C(localcloud.dev/adopt=true) does so for one object.
    type: bool
    default: false
  look_into_aws:
    description:
      - Ask AWS itself what it has. Else what Crossplane saw last counts, and what it does not know of is not found.
    type: bool
    default: false
  settle_timeout:
    description:
      - Compare again and again, at most so many seconds, until nothing differs and all is Synced and Ready.
      - It ends sooner where the outcome is known, because an error stays that waiting does not cure, or because nothing has changed for
        a while and the provider is not at work. RV(outcome) says which.
      - V(0) compares once.
    type: int
    default: 0
  ask_again:
    description:
      - With O(settle_timeout), have Crossplane reconcile, by an annotation, what has stayed the same for some seconds without the
        provider at work on it, as its own repetitions come later and later. RV(asked_again) names what was annotated.
      - It does nothing in check mode.
    type: bool
    default: false
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.aws
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: It compares, and asks for nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: O(ask_again) annotates only what differs.
notes:
  - Values of Secrets are never returned as differences, values of AWS's secrets and SecureStrings never asked for.
seealso:
  - module: localcloud.stack.crossplane_wait
  - module: kubernetes.core.k8s
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Compare
  localcloud.stack.crossplane_diff:
    owner: orders
    resources: "{{ manifests }}"
    kinds:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic}
    look_into_aws: true
    endpoint_url: http://localhost:4566
    region: eu-central-1
  register: differences

- name: Compare what plain lists declare
  localcloud.stack.crossplane_diff:
    owner: orders
    declared:
      topics: [{name: orders}]
      queues: [{name: billing}]
      subscriptions: [{topic: orders, queue: billing}]
    target: {region: eu-central-1, provider_config: default}

- name: Check plain lists before there is a cluster
  localcloud.stack.crossplane_diff:
    declared:
      topics: [{name: orders}]
    check_only: true

- name: Apply what differs, as one list
  kubernetes.core.k8s:
    resource_definition: "{{ differences.to_apply }}"
    apply: true
    server_side_apply: {field_manager: localcloud}
  when: differences.to_apply | length > 0

- name: Have Crossplane reconcile what was changed outside it
  kubernetes.core.k8s:
    resource_definition: "{{ differences.to_reconcile }}"
    state: patched
  when: differences.to_reconcile | length > 0
"""

RETURN = r"""
references:
  description: All that is declared.
  returned: success
  type: list
  elements: dict
  contains: &reference
    api_version:
      description: API version with group.
      type: str
    kind:
      description: Kind.
      type: str
    name:
      description: Name.
      type: str
    namespace:
      description: Namespace, only where it has one.
      type: str
  sample: [{api_version: sns.aws.upbound.io/v1beta1, kind: Topic, name: orders}]
missing:
  description: Declared, but not in the cluster.
  returned: success
  type: list
  elements: dict
  contains: *reference
modified:
  description: The cluster's object is not as declared.
  returned: success
  type: list
  elements: dict
  contains: &fields
    <<: *reference
    fields:
      description: The fields that differ.
      type: list
      elements: dict
      contains:
        path:
          description: The field, with dots and indices.
          type: str
          sample: spec.forProvider.delaySeconds
        where:
          description: V(spec) for the cluster's object, V(aws) for AWS, V(provider) for C(status.atProvider).
          type: str
        before:
          description: What is there.
          type: raw
        after:
          description: What is declared.
          type: raw
        immutable:
          description: Whether AWS can't change the field of the resource that is there. Known for common kinds.
          type: bool
drifted:
  description: The cluster's object is as declared, but AWS has something else.
  returned: success
  type: list
  elements: dict
  contains: *fields
gone:
  description: Crossplane made it, but AWS does not have it any more.
  returned: success
  type: list
  elements: dict
  contains: *reference
create_incomplete:
  description:
    - The provider lost how its creation ended, and goes no further by itself. Only of kinds that AWS knows by a given name, where beginning
      again makes no second one.
    - Or the answer to a creation was lost, and AWS refuses a second one, as it has the first under a name that AWS chose.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    in_aws:
      description: Whether AWS has it. Always false where AWS was not asked.
      type: bool
    external_name:
      description: Its name in AWS, where AWS gave it one that the provider does not know.
      type: str
terminating:
  description: Declared, but the cluster's object is being deleted.
  returned: success
  type: list
  elements: dict
  contains: *reference
deleted:
  description: Declared, but AWS keeps it as deleted for a while, as it does with secrets, so that it can't be made.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    external_name:
      description: Its name in AWS.
      type: str
    date:
      description: When it goes for good.
      type: str
existing:
  description:
    - AWS has something under its name that is owned by others, and that is not to be taken over.
    - A resource in AWS is ours if its tags C(localcloud.dev/owner) and C(localcloud.dev/cluster) are O(owner) and the UID of this
      cluster's namespace C(kube-system), next to Crossplane's own tags. One without tags belongs to the resource that it is a part of.
  returned: success
  type: list
  elements: dict
  contains: &holder
    <<: *reference
    external_name:
      description: Its name in AWS.
      type: str
    owner:
      description: The owner that its tags name.
      type: str
    cluster:
      description: The cluster that its tags name.
      type: str
    held_by:
      description: Who has it, as a sentence.
      type: str
      sample: it has owner shop of cluster 6f1c2a9e-7b0d-4a55-9c11-0a7c4e0c9d1b (Crossplane made it for table.dynamodb.aws.upbound.io/orders)
adopted:
  description: Owned by others in AWS, and taken over, as O(adopt) or an annotation asks for it. Also part of another list.
  returned: success
  type: list
  elements: dict
  contains: *holder
foreign:
  description: The cluster has such an object, but of another owner.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    owner:
      description: Its owner, if it has any.
      type: str
orphaned:
  description: Ours, but no longer declared.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    protected:
      description: Whether its label C(localcloud.dev/deletion-protection) is V(true).
      type: bool
held_by_others:
  description: A sentence for each of RV(orphaned) whose resource AWS's tags give to others, so that it must not be deleted with its data.
  returned: success
  type: list
  elements: str
unready:
  description: In the cluster, but not Synced and Ready.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    ready:
      description: Always false.
      type: bool
    condition:
      description: The condition that is not met.
      type: str
    reason:
      description: Its reason.
      type: str
    message:
      description: Its message.
      type: str
    last_event:
      description: The object's last event.
      type: str
    cause:
      description: The likely cause, if it is a known one.
      type: str
    next_step:
      description: What to do about it.
      type: str
    permanent:
      description: Whether the cause is one that waiting does not cure.
      type: bool
    under_way:
      description: Whether the provider is at work on it.
      type: bool
under_way:
  description: Those that differ and that the provider is at work on.
  returned: success
  type: list
  elements: dict
  contains: *reference
to_clear:
  description: Fields that are no longer declared and that M(localcloud.stack.aws_clear) must take away in AWS, as the provider can't.
  returned: success
  type: list
  elements: dict
to_replace:
  description:
    - Objects that are deleted and declared again. What AWS has stays, until the new one takes its place. They are among RV(to_apply), but
      for those of a composite resource, which Crossplane declares again. Each has its C(uid) besides.
    - Those whose values of Kubernetes Secrets were rotated, and which AWS can't change; and subscriptions that AWS no longer has, but may
      still answer for.
  returned: success
  type: list
  elements: dict
  contains: *reference
to_unset:
  description: Patches, for after the apply, that take away what is no longer declared and the provider has written, too.
  returned: success
  type: list
  elements: dict
to_pause:
  description: Patches that have Crossplane leave the objects of RV(to_clear) alone meanwhile.
  returned: success
  type: list
  elements: dict
to_resume:
  description: Patches that end this.
  returned: success
  type: list
  elements: dict
not_clearable:
  description: Such fields where AWS was not asked, so that they can't be taken away.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    field:
      description: The field of C(spec.forProvider).
      type: str
outcome:
  description: How the wait of O(settle_timeout) ended; empty without it.
  returned: success
  type: dict
  contains:
    settled:
      description: Whether nothing differs any more and all is Synced and Ready.
      type: bool
    seconds:
      description: How long it took.
      type: float
    message:
      description: If not settled, which field of which resource differs, both values, the likely cause, and what to do.
      type: str
same:
  description: How many are as declared.
  returned: success
  type: int
to_apply:
  description: The declared objects of RV(missing), RV(modified) and RV(terminating).
  returned: success
  type: list
  elements: dict
to_reconcile:
  description: Patches for RV(gone), RV(drifted) and RV(create_incomplete) that make Crossplane reconcile at once.
  returned: success
  type: list
  elements: dict
asked_again:
  description: Objects that Crossplane was asked to look at again, by O(ask_again). The result is C(changed) where there are any.
  returned: success
  type: list
  elements: dict
not_served:
  description: Declared kinds that the cluster does not serve (yet).
  returned: success
  type: list
  elements: str
unlisted_services:
  description: Services that are declared, but that a ProviderConfig with an endpoint does not send there.
  returned: success
  type: list
  elements: dict
  contains:
    provider_config:
      description: Name of the ProviderConfig.
      type: str
    services:
      description: The services.
      type: list
      elements: str
unobserved:
  description: Declared kinds that were not compared with AWS, as there is no reader for them or AWS has named them itself.
  returned: success
  type: list
  elements: str
looked_into_aws:
  description: Whether AWS was asked.
  returned: success
  type: bool
converged:
  description: Whether all is there as declared, Synced and Ready, and nothing else is found, so that there is nothing to do.
  returned: success
  type: bool
report:
  description: A line for each difference.
  returned: success
  type: list
  elements: str
  sample: ['Queue/orders: in AWS visibilityTimeoutSeconds: 45 -> 30']
"""

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import (
    AWS_MUTUALLY_EXCLUSIVE,
    AWS_REQUIRED_TOGETHER,
    PUBLIC_KEYS,
    Clients,
    Connection,
    aws_argument_spec,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import Identity, Observe, marked
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive, kinds
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.identity import cluster_uid, kinds_with_tags
from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import undated
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import (
    Settings,
    ask_again,
    converged,
    diff,
    looked_for,
    reference,
    report,
)
from ansible_collections.localcloud.stack.plugins.module_utils.drift.settle import explain, settle
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

TARGET: dict[str, t.Any] = {
    "region": {"type": "str"},
    "account": {"type": "str"},
    "provider_config": {"type": "str"},
    "provider_config_kind": {"type": "str"},
    "tags": {"type": "raw"},
    "scope": {"type": "str"},
    "namespace": {"type": "str"},
    "prefix": {"type": "str"},
}


SPEC = Spec(
    argument_spec={
        "resources": {"type": "list", "elements": "dict"},
        "declared": {"type": "dict"},
        "target": {"type": "dict", "options": TARGET},
        "owner": {"type": "str"},
        "check_only": {"type": "bool", "default": False},
        "kinds": {
            "type": "list",
            "elements": "dict",
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
            },
        },
        "field_manager": {"type": "str", "default": "localcloud"},
        "adopt": {"type": "bool", "default": False},
        "settle_timeout": {"type": "int", "default": 0},
        "ask_again": {"type": "bool", "default": False},
        "look_into_aws": {"type": "bool", "default": False},
        **KUBERNETES_ARGUMENTS,
        **aws_argument_spec(),
    },
    required_together=AWS_REQUIRED_TOGETHER,
    mutually_exclusive=[*AWS_MUTUALLY_EXCLUSIVE, ["resources", "declared"]],
    required_one_of=[["resources", "declared"]],
    required_if=[("check_only", False, ["owner"]), ("check_only", True, ["declared"])],
    required_by={"target": ["declared"]},
    public=PUBLIC_KEYS,
)


def declared_objects(params: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The objects that are given, or derived from lists. Raises ModuleError if something is wrong with these."""
    if params["declared"] is None:
        return list(undated(params["resources"]))
    if missing := missing_packages("pydantic"):
        raise ModuleError(missing)
    declared = params["declared"]
    given = {name: one for name, one in (params["target"] or {}).items() if one is not None}
    objects, found = derive(declared, Target(**given, owner=params["owner"] or ""))
    if found:
        raise ModuleError(
            f"The declared AWS resources can't be made: {'; '.join(found)}. Correct them, then run again.",
            problems=found,
        )
    return objects


def observer(params: t.Mapping[str, t.Any]) -> Observe | None:
    """What looks into AWS, if that is asked for. Raises AwsError."""
    if not params["look_into_aws"]:
        return None
    # Imported where it looks, as boto3 is.
    from ansible_collections.localcloud.stack.plugins.module_utils.drift.observe import observe

    clients = Clients(Connection.from_params(params))
    return lambda resources: observe(clients, resources)


def tagged(api: Api, objects: list[dict[str, t.Any]], us: Identity) -> list[dict[str, t.Any]]:
    """Derived objects with the tags by which AWS's resources are ours. Raises ApiError."""
    taggable = kinds_with_tags(api, objects)
    return marked(objects, us, lambda one: (one["apiVersion"], one["kind"]) in taggable)


def kinds_of(params: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """The kinds that are looked through for what is no longer declared."""
    given = params["kinds"]
    if given is None:
        given = [] if params["declared"] is None else kinds(params["declared"].get("extra_manifests"))
    return [(one["api_version"], one["kind"]) for one in given]


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    resources = declared_objects(params)
    if params["check_only"]:
        return {"changed": False}
    if params["look_into_aws"] and (missing := missing_packages("boto3")):
        raise ModuleError(missing)
    observe = observer(params)
    settings = Settings(params["owner"], params["field_manager"], params["adopt"])
    likely = "it does not answer, or its user may not list these kinds"
    outcome: dict[str, t.Any] = {}
    asked: list[dict[str, t.Any]] = []
    with cluster_of(params, "The cluster can't be compared with what is declared", likely) as api:
        if params["declared"] is not None or observe:
            settings = settings._replace(cluster=cluster_uid(api))
        if params["declared"] is not None:
            resources = tagged(api, resources, settings.us)
        if params["settle_timeout"]:
            asks = params["ask_again"] and not check_mode
            ended = settle(
                # It asks again by itself, and knows until when.
                lambda: diff(api.api, resources, [], settings, observe),
                params["settle_timeout"],
                time.monotonic,
                threading.Event().wait,
                (AwsError, ApiError),
                lambda found, due: asked.extend(ask_again(api, found, due)) if asks else None,
                looked_for,
            )
            found = ended.found
            message = "" if ended.settled else explain(ended)
            outcome = {"settled": ended.settled, "seconds": round(ended.seconds, 2), "message": message}
        else:
            found = diff(api, resources, kinds_of(params), settings, observe)
    return {
        **found,
        "outcome": outcome,
        "asked_again": asked,
        "changed": bool(asked),
        "references": [reference(one) for one in resources],
        "looked_into_aws": params["look_into_aws"],
        "report": report(found),
        "converged": converged(found),
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
