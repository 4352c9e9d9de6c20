#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_wait
short_description: Wait until Crossplane resources are ready or deleted
version_added: 0.1.0
description:
  - Watches any number of Kubernetes objects at once until each has the wanted conditions for its current generation.
  - With the default O(conditions) it serves Crossplane's managed and composite resources, with others also providers,
    Deployments or CRDs.
  - A kind that is not served yet, an API server that is away and a watch that ends are waited out, up to O(timeout).
  - On failure the message has a line per unready resource with its condition, reason, message and last event, and
    likely causes.
options:
  resources:
    description: The objects to wait for. Exactly one of this and O(label_selector) must be given.
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
      name:
        description: Name.
        type: str
        required: true
      namespace:
        description: Namespace, if the kind has any. Without it V(default).
        type: str
      uid:
        description: UID, where another object of the same name is not the one that is meant.
        type: str
      conditions:
        description: Conditions of this object, instead of the module's O(conditions).
        type: list
        elements: str
  label_selector:
    description:
      - Waits for all objects of O(kinds) with these labels, for example V(app=orders).
      - One of the kinds may have no such object, but at least one object must exist for O(state=ready).
    type: str
  kinds:
    description: Kinds to look at. Required with O(label_selector).
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
      namespace:
        description: Namespace. Without it all are looked at.
        type: str
      conditions:
        description: Conditions of this kind, instead of the module's O(conditions).
        type: list
        elements: str
  conditions:
    description:
      - Conditions that must be V(True), and observed for the object's current generation where the condition says
        which it observed.
      - V(Installed) and V(Healthy) serve Provider, V(Available) serves Deployment, V(Established) serves
        CustomResourceDefinition.
    type: list
    elements: str
    default: [Synced, Ready]
  state:
    description:
      - V(ready) waits until each object exists, is not being deleted and has its conditions.
      - V(absent) waits until none of the objects exists. A kind that is not served has none.
    type: str
    choices: [ready, absent]
    default: ready
  timeout:
    description: Seconds to wait.
    type: int
    default: 300
  fail_fast:
    description:
      - Fail as soon as a resource says something that waiting does not cure, such as refused credentials, a name that
        is taken, or an immutable field that was changed; with O(state=absent) that AWS protects it against deletion.
      - Without it only O(timeout) fails, and that nothing else is left than creations of which the provider does not know the end.
    type: bool
    default: false
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Takes one look without waiting and never fails. RV(unready) lists what is not ready.
notes:
  - Of the objects only names, annotations of Crossplane, conditions and ARNs are read, never any data.
seealso:
  - module: kubernetes.core.k8s
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Wait for a topic and a queue
  localcloud.stack.crossplane_wait:
    resources:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic, name: orders}
      - {api_version: sqs.aws.upbound.io/v1beta1, kind: Queue, name: orders}
    timeout: 120

- name: Wait for a provider, its pod and one of its CRDs at once
  localcloud.stack.crossplane_wait:
    resources:
      - api_version: pkg.crossplane.io/v1
        kind: Provider
        name: provider-aws
        conditions: [Installed, Healthy]
      - api_version: apps/v1
        kind: Deployment
        name: provider-aws
        namespace: crossplane-system
        conditions: [Available]
      - api_version: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        name: topics.sns.aws.upbound.io
        conditions: [Established]

- name: Wait until everything of an application is deleted
  localcloud.stack.crossplane_wait:
    label_selector: app.kubernetes.io/part-of=orders
    kinds:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic}
      - {api_version: sqs.aws.upbound.io/v1beta1, kind: Queue}
    state: absent

- name: See what is not ready right now
  localcloud.stack.crossplane_wait:
    label_selector: app.kubernetes.io/part-of=orders
    kinds:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic}
  check_mode: true
  register: now
"""

RETURN = r"""
resources:
  description: Each object that was waited for.
  returned: always
  type: list
  elements: dict
  contains: &row
    api_version:
      description: API version with group.
      type: str
      sample: sns.aws.upbound.io/v1beta1
    kind:
      description: Kind.
      type: str
      sample: Topic
    name:
      description: Name.
      type: str
      sample: orders
    namespace:
      description: Namespace, empty for what has none.
      type: str
    ready:
      description: Whether it is as wanted, that is ready, or deleted for O(state=absent).
      type: bool
      sample: true
    seconds:
      description: Seconds from the start of the wait until it was as wanted, empty if it is not.
      type: float
      sample: 4.21
    created_at:
      description: When it was created, by the cluster's clock. Empty for what is not there.
      type: str
      sample: "2026-01-01T11:59:58Z"
    created_to_ready_seconds:
      description: Seconds from its creation until its conditions were met, by the cluster's clock. Empty if they are
        not.
      type: int
      sample: 5
    external_name:
      description: Its name in AWS, if known.
      type: str
      sample: orders
    arn:
      description: Its ARN, if known.
      type: str
      sample: arn:aws:sns:eu-central-1:000000000000:orders
    condition:
      description: What is missing, such as C(Synced=False), C(Ready=missing), C(Ready=stale), C(deleting), C(not
        found), C(not served).
      type: str
    reason:
      description: That condition's reason.
      type: str
    message:
      description: That condition's message, whole.
      type: str
    last_event:
      description: The object's last event.
      type: str
    cause:
      description: Likely cause, if a known one fits.
      type: str
    next_step:
      description: What to do about it.
      type: str
unready:
  description: Those of RV(resources) that are not as wanted.
  returned: always
  type: list
  elements: dict
  contains: *row
ready:
  description: Whether all are as wanted.
  returned: always
  type: bool
  sample: true
waited_seconds:
  description: How long the wait took.
  returned: always
  type: float
  sample: 26.4
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.wait import Options, Waiter, wants_of
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import (
    KUBERNETES_ARGUMENTS,
    KubernetesApi,
    require_client,
)

KIND = {
    "api_version": {"type": "str", "required": True},
    "kind": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "conditions": {"type": "list", "elements": "str"},
}
SPEC = Spec(
    argument_spec={
        "resources": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str", "required": True}, "uid": {"type": "str"}, **KIND},
        },
        "label_selector": {"type": "str"},
        "kinds": {"type": "list", "elements": "dict", "options": KIND},
        "conditions": {"type": "list", "elements": "str", "default": ["Synced", "Ready"]},
        "state": {"type": "str", "choices": ["ready", "absent"], "default": "ready"},
        "timeout": {"type": "int", "default": 300},
        "fail_fast": {"type": "bool", "default": False},
        **KUBERNETES_ARGUMENTS,
    },
    required_one_of=[["resources", "label_selector"]],
    mutually_exclusive=[["resources", "label_selector"], ["resources", "kinds"]],
    required_together=[["label_selector", "kinds"]],
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    require_client()
    options = Options(**{name: params[name] for name in Options._fields})
    api = KubernetesApi(params["kubeconfig"], params["context"])
    waiter = Waiter(api, wants_of(params), options)
    return waiter.look() if check_mode else waiter.wait()


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
