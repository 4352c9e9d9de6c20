#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_abandon
short_description: Remove finalizers from deleted objects of ours whose controller is dead
version_added: 0.1.0
description:
  - Removes the finalizers of objects that are being deleted, so that they go although their controller, or the cloud
    behind it, is dead.
  - Of O(kinds) only objects whose label C(localcloud.dev/owner) is O(owner) are changed; it is read again just before.
  - What they stand for outside the cluster stays as it is. Use it only where that goes as well, such as in an emulator
    that is removed.
  - Objects without a deletion timestamp are never touched.
options:
  kinds:
    description: Kinds to look at. A kind that is not served has no objects.
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
  owner:
    description: Value of the label C(localcloud.dev/owner) of our objects. Needed for O(kinds); an empty one has no objects.
    type: str
  resources:
    description:
      - Single objects. Each is read just before, and counts only if it has the label of O(owner), or exactly the given UID.
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
      uid:
        description:
          - UID of an object without the label.
          - It is for what a controller makes for itself, such as Crossplane's revisions and locks, once no other owner uses the controller.
        type: str
  label_selector:
    description: Only those of them that have these labels too, for example V(app=orders).
    type: str
    default: ""
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: localcloud.stack.crossplane_wait
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Remove the finalizers of a dead emulator's topics
  localcloud.stack.crossplane_abandon:
    kinds:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic}
    owner: orders
"""

RETURN = r"""
abandoned:
  description: The objects whose finalizers were removed.
  returned: always
  type: list
  elements: str
  sample: [Topic orders]
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.finalizers import abandon, abandon_these
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import (
    KUBERNETES_ARGUMENTS,
    KubernetesApi,
    require_client,
)

SPEC = Spec(
    argument_spec={
        "kinds": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
            },
        },
        "resources": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "api_version": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str"},
                "uid": {"type": "str"},
            },
        },
        "owner": {"type": "str"},
        "label_selector": {"type": "str", "default": ""},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    require_client()
    api = KubernetesApi(params["kubeconfig"], params["context"])
    owner = params["owner"] or ""
    kinds = [(kind["api_version"], kind["kind"]) for kind in params["kinds"]]
    try:
        api.connect()
        abandoned = abandon(api, kinds, owner, params["label_selector"], check_mode)
        abandoned += abandon_these(api, params["resources"], owner, check_mode)
    except ApiError as error:
        raise ModuleError(f"The finalizers of deleted objects can't be removed: {error.message}.") from error
    return {"changed": bool(abandoned), "abandoned": abandoned}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
