#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_removal_info
short_description: Tell what of an owner's Crossplane can be removed, and what stays for whom
version_added: 0.2.0
description:
  - Reads every object that depends on a Crossplane and its packages, and finds out which of the owner's objects other owners need.
  - An object is the owner's if its label V(localcloud.dev/owner) has the value of O(owner).
  - Kinds are found by discovery, whatever provider brought them. What can't be asked counts as used.
options:
  owner:
    description: Value of the label V(localcloud.dev/owner).
    type: str
    required: true
  secrets:
    description: Secrets that were made for the configuration of providers, in addition to those that the owner's configurations refer to.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace.
        type: str
        required: true
      name:
        description: Name.
        type: str
        required: true
  removed_before:
    description:
      - Values of the label V(localcloud.dev/owner) of resources that other tasks remove before.
      - In check mode these, and what the owner has, count as deleted.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
seealso:
  - module: localcloud.stack.owned_objects
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Find out what can be removed
  localcloud.stack.crossplane_removal_info:
    owner: localcloud-1a2b3c
  register: crossplane_removal

- name: Remove the configurations that no other owner uses
  localcloud.stack.owned_objects:
    owners: [localcloud-1a2b3c]
    resources: "{{ crossplane_removal.configs }}"
"""

RETURN = r"""
composites:
  description: The owner's composite resources and claims.
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
      description: Namespace, if the object has one.
      type: str
  sample: []
apis:
  description: The owner's CompositeResourceDefinitions, Compositions and Functions that no other owner needs.
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: []
configs:
  description: The owner's configurations of providers, with their Secrets, that no other owner needs.
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: [{api_version: aws.upbound.io/v1beta1, kind: ProviderConfig, name: default}]
providers:
  description: The owner's Providers that no other owner needs, with what belongs to them.
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: [{api_version: pkg.crossplane.io/v1, kind: Provider, name: provider-aws}]
definitions:
  description: CustomResourceDefinitions with the owner's label that no other owner needs. Most go with their package.
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: []
core:
  description: Whether there is a Crossplane of the owner that no other owner uses.
  returned: success
  type: bool
  sample: true
brought:
  description: What Crossplane's core brought without any label, if RV(core).
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: [{api_version: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, name: providers.pkg.crossplane.io}]
remnants:
  description:
    - What Crossplane made for itself and for the owner's packages, and no other owner needs, with its UID.
    - It goes by itself, unless Crossplane is dead.
  returned: success
  type: list
  elements: dict
  contains:
    <<: *reference
    uid:
      description: UID.
      type: str
  sample: []
kept:
  description: What of the owner's stays, and each Crossplane that stays, with how it is removed later.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind; V(Crossplane) for the core.
      type: str
    name:
      description: Name.
      type: str
    namespace:
      description: Namespace, if the object has one.
      type: str
    owner:
      description: Of a Crossplane, the value of its label V(localcloud.dev/owner); empty without.
      type: str
    reason:
      description: Why it stays.
      type: str
  sample: [{kind: Provider, name: provider-aws, reason: 'used by Topic/orders [owner team-b]'}]
usages:
  description: Usages of configurations whose resources are deleted. As long as they are there, they count as users.
  returned: success
  type: list
  elements: dict
  contains: *reference
  sample: []
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.uninstallation import Settings, plan, survey
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

LATER = (
    "to remove it when it is no longer used: ansible localhost -m ansible.builtin.include_role "
    "-a 'name=localcloud.stack.crossplane tasks_from=absent' -e crossplane_owner={owner}{cluster}"
)


def later(row: dict[str, t.Any], params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What stays; of a Crossplane with an owner's label the reason says how it is removed once it has no user."""
    if row["kind"] != "Crossplane" or not row["owner"]:
        return row
    given = {name: params[name] for name in ("kubeconfig", "context") if params[name]}
    cluster = "".join(f" -e crossplane_{name}={value}" for name, value in given.items())
    return {**row, "reason": f"{row['reason']}; {LATER.format(owner=row['owner'], cluster=cluster)}"}


SPEC = Spec(
    argument_spec={
        "owner": {"type": "str", "required": True},
        "secrets": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "no_log": False,
            "options": {
                "namespace": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
            },
        },
        "removed_before": {"type": "list", "elements": "str", "default": []},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    secrets = [(one["namespace"], one["name"]) for one in params["secrets"]]
    settings = Settings(params["owner"], frozenset(params["removed_before"]), check_mode)
    with cluster_of(params, "The cluster can't be asked who uses Crossplane", "it does not answer") as api:
        found = plan(survey(api, secrets, params["owner"]), settings)
    return {
        "composites": found.composites,
        **found.stages,
        "core": found.removes_core,
        "brought": found.brought,
        "remnants": found.remnants,
        "kept": [later(one, params) for one in found.kept],
        "usages": found.usages,
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
