#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_remove
short_description: Delete Crossplane resources that are ours in the cluster and in AWS
version_added: 0.2.0
description:
  - Deletes managed resources, and with them what they stand for in AWS. It does not wait until they are deleted.
  - Each object's label C(localcloud.dev/owner) and the tags C(localcloud.dev/owner) and C(localcloud.dev/cluster) of its resource in
    AWS are read just before. Where one names others, nothing at all is deleted, and the failure names each of them.
  - A resource without these tags, made by an older version of this collection, is ours as long as no tag names others. One without
    any tags belongs to the resource that it is a part of. What AWS keeps (C(spec.deletionPolicy=Orphan)) is not looked at.
  - An object is deleted by its UID, so that another one that got its name meanwhile stays.
options:
  resources:
    description: The objects. What is not there, and a kind that is not served, is not an error.
    type: list
    elements: dict
    required: true
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
        description: Namespace.
        type: str
      protected:
        description: Not used; it is read from the object. It is there so that RV(localcloud.stack.crossplane_diff#module:orphaned) can be given.
        type: bool
  owner:
    description: Value of the label, and of the tag, of what is ours.
    type: str
    required: true
  deletion_protection:
    description: Whether objects with the label C(localcloud.dev/deletion-protection=true) are refused.
    type: bool
    default: true
  look_into_aws:
    description: Ask AWS itself for the tags. Else those count that Crossplane saw last, up to its poll interval ago.
    type: bool
    default: false
  aws_must_answer:
    description:
      - Whether the module fails where AWS does not answer. Else it warns, and those tags count that Crossplane saw last.
      - A dead emulator can't delete anything either.
    type: bool
    default: true
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.aws
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: localcloud.stack.crossplane_diff
  - module: localcloud.stack.crossplane_wait
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Remove what is no longer declared
  localcloud.stack.crossplane_remove:
    owner: orders
    resources: "{{ differences.orphaned }}"
    look_into_aws: true
    endpoint_url: http://localhost:4566
    region: eu-central-1
"""

RETURN = r"""
removed:
  description: What was deleted, without what was being deleted before.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind.
      type: str
      sample: Table
    name:
      description: Name.
      type: str
      sample: orders
    namespace:
      description: Namespace, if the object has one.
      type: str
problems:
  description: Why nothing is removed, a sentence for each object that is not ours.
  returned: failure
  type: list
  elements: str
"""

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
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import Identity
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.identity import cluster_uid
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.deletion import remove
from ansible_collections.localcloud.stack.plugins.module_utils.drift.observe import observe
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

SPEC = Spec(
    argument_spec={
        "resources": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str"},
                "protected": {"type": "bool"},
            },
        },
        "owner": {"type": "str", "required": True},
        "deletion_protection": {"type": "bool", "default": True},
        "look_into_aws": {"type": "bool", "default": False},
        "aws_must_answer": {"type": "bool", "default": True},
        **KUBERNETES_ARGUMENTS,
        **aws_argument_spec(),
    },
    required_together=AWS_REQUIRED_TOGETHER,
    mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
    public=PUBLIC_KEYS,
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    if params["look_into_aws"] and (missing := missing_packages("boto3")):
        raise ModuleError(missing)
    likely = "it does not answer, or its user may not delete these kinds"
    warnings = []
    with cluster_of(params, "Resources can't be removed from the cluster", likely) as api:
        us = Identity(params["owner"], cluster_uid(api))

        def removed_of(looking: bool) -> list[dict[str, object]]:
            clients = Clients(Connection.from_params(params)) if looking else None
            ask = (lambda resources: observe(clients, resources)) if clients else None
            return remove(api, params["resources"], us, ask, params["deletion_protection"], check_mode)

        try:
            removed = removed_of(params["look_into_aws"])
        except AwsError as error:
            if params["aws_must_answer"]:
                raise ModuleError(
                    f"Nothing was removed, as AWS's tags can't be read: {error} With look_into_aws=false the tags count that Crossplane saw last."
                ) from error
            warnings.append(f"AWS's tags can't be read, so those count that Crossplane saw last: {error}")
            removed = removed_of(False)
    return {
        "changed": bool(removed),
        "removed": removed,
        "diff": {"before": "".join(f"{label(one)}\n" for one in removed), "after": ""},
        "warnings": warnings,
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
