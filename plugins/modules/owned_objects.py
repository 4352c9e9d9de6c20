#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: owned_objects
short_description: Remove Kubernetes objects that carry the owner's label, and no others
version_added: 0.2.0
description:
  - Removes those of the given objects whose label V(localcloud.dev/owner) names one of the owners, and waits until they are deleted.
  - The label is read just before the object is deleted, and the object is deleted by its UID, so that another one that got its
    name meanwhile stays.
  - A namespace is removed only if its label names one of the owners and nothing is left in it but what the cluster put there.
  - What others own stays, and is listed in RV(kept).
options:
  resources:
    description: The objects. What is not there, and a kind that is not served, is not an error.
    type: list
    elements: dict
    default: []
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
  namespaces:
    description: Namespaces that are removed once they are empty.
    type: list
    elements: str
    default: []
  owners:
    description:
      - Values of the label V(localcloud.dev/owner). With none, or with empty ones, nothing is removed.
      - In check mode, what carries one of these labels in one of O(namespaces) counts as deleted, as other tasks remove it.
    type: list
    elements: str
    required: true
  releases:
    description: Helm releases in O(namespaces). In check mode what they consist of counts as deleted, as other tasks remove it.
    type: list
    elements: str
    default: []
  foreground:
    description: Whether an object stays until all that it is the controller of is deleted.
    type: bool
    default: false
  timeout:
    description: Seconds until all is deleted.
    type: int
    default: 180
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Remove the emulator's Service, and the namespace if nothing else is in it
  localcloud.stack.owned_objects:
    owners: [localcloud-1a2b3c]
    resources:
      - {api_version: v1, kind: Service, name: localstack, namespace: orders}
    namespaces: [orders]
"""

RETURN = r"""
removed:
  description: What was removed.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind.
      type: str
      sample: Service
    name:
      description: Name.
      type: str
      sample: localstack
    namespace:
      description: Namespace, if the object has one.
      type: str
      sample: orders
kept:
  description: What stays, as others own it or, of namespaces, have something in it.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind.
      type: str
      sample: Namespace
    name:
      description: Name.
      type: str
      sample: orders
    namespace:
      description: Namespace, if the object has one.
      type: str
    owner:
      description: Value of the label V(localcloud.dev/owner).
      type: str
    reason:
      description: Why it stays.
      type: str
      sample: 'not empty: ConfigMap/settings (orders)'
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.owned_objects import Scope, remove

SPEC = Spec(
    argument_spec={
        "resources": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str"},
            },
        },
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "owners": {"type": "list", "elements": "str", "required": True},
        "releases": {"type": "list", "elements": "str", "default": []},
        "foreground": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 180},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    scope = Scope(frozenset(params["owners"]), frozenset(params["releases"]))
    likely = "it does not answer, or its user may not delete these kinds"
    with cluster_of(params, "Objects can't be removed from the cluster", likely) as api:
        done = remove(
            api,
            params["resources"],
            params["namespaces"],
            scope,
            params["timeout"],
            check_mode,
            params["foreground"],
        )
    before = "".join(f"{label(one)}\n" for one in done.removed)
    return {
        "changed": bool(done.removed),
        "removed": done.removed,
        "kept": done.kept,
        "diff": {"before": before, "after": ""},
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
