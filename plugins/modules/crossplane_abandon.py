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
  - Objects that nobody has deleted are never touched.
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
          - It is for what a controller makes for itself, such as Crossplane's revisions and locks, once nobody else uses the controller.
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

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import run as run_module
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.finalizers import abandon, abandon_these
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_IMPORT_ERROR,
    KubernetesApi,
)


def main() -> None:
    module = AnsibleModule(
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
        supports_check_mode=True,
    )
    if KUBERNETES_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=KUBERNETES_IMPORT_ERROR)
    api = KubernetesApi(module.params["kubeconfig"], module.params["context"])
    owner = module.params["owner"] or ""
    kinds = [(kind["api_version"], kind["kind"]) for kind in module.params["kinds"]]
    try:
        api.connect()
        abandoned = abandon(api, kinds, owner, module.params["label_selector"], module.check_mode)
        abandoned += abandon_these(api, module.params["resources"], owner, module.check_mode)
    except KubernetesError as error:
        module.fail_json(msg=error.message, **error.details)
    except ApiError as error:
        module.fail_json(msg=f"The finalizers of deleted objects can't be removed: {error.message}.")
    module.exit_json(changed=bool(abandoned), abandoned=abandoned)


if __name__ == "__main__":
    run_module(main)
