#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_abandon
short_description: Let go of deleted objects that nobody finalizes any more
version_added: 0.1.0
description:
  - Removes the finalizers of objects that are being deleted, so that they go although their controller, or the cloud
    behind it, is dead.
  - What they stand for outside the cluster stays as it is. Use it only where that goes as well, such as in an emulator
    that is removed.
  - Objects that nobody has deleted are never touched.
options:
  kinds:
    description: Kinds to look at. A kind that is not served has no objects.
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
  label_selector:
    description: Only objects with these labels, for example V(app=orders). By default all of the kinds.
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
- name: Let go of an emulator's topics that can't be deleted any more
  localcloud.stack.crossplane_abandon:
    kinds:
      - {api_version: sns.aws.upbound.io/v1beta1, kind: Topic}
    label_selector: app.kubernetes.io/part-of=orders
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
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_abandon import abandon
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_api import (
    KUBERNETES_ARGUMENTS,
    KUBERNETES_IMPORT_ERROR,
    KubernetesApi,
)
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.unexpected import run as run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kinds": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "api_version": {"type": "str", "required": True},
                    "kind": {"type": "str", "required": True},
                },
            },
            "label_selector": {"type": "str", "default": ""},
            **KUBERNETES_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    if KUBERNETES_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=KUBERNETES_IMPORT_ERROR)
    api = KubernetesApi(module.params["kubeconfig"], module.params["context"])
    kinds = [(kind["api_version"], kind["kind"]) for kind in module.params["kinds"]]
    try:
        api.connect()
        abandoned = abandon(api, kinds, module.params["label_selector"], module.check_mode)
    except KubernetesError as error:
        module.fail_json(msg=error.message, **error.details)
    except ApiError as error:
        module.fail_json(msg=f"The cluster does not let go of deleted objects: {error.message}.")
    module.exit_json(changed=bool(abandoned), abandoned=abandoned)


if __name__ == "__main__":
    run_module(main)
