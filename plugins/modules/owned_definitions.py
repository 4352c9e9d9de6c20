#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: owned_definitions
short_description: Create CustomResourceDefinitions from files, with the owner's label
version_added: 0.2.0
description:
  - Creates the CustomResourceDefinitions of folders, each with the label V(localcloud.dev/owner).
  - A definition that exists, whatever its owner, stays as it is.
options:
  folders:
    description: Folders with a definition in each file (C(*.yaml)), as controller-gen writes it.
    type: list
    elements: path
    required: true
  owner:
    description: Value of the label.
    type: str
    required: true
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
seealso:
  - module: localcloud.stack.owned_objects
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Create the provider's definitions ahead of its package
  localcloud.stack.owned_definitions:
    folders: [/opt/provider-aws/crds/cluster]
    owner: localcloud-1a2b3c
"""

RETURN = r"""
created:
  description: Names of the definitions that were created.
  returned: success
  type: list
  elements: str
  sample: [topics.sns.aws.upbound.io]
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.owned_definitions import create, read

SPEC = Spec(
    argument_spec={
        "folders": {"type": "list", "elements": "path", "required": True},
        "owner": {"type": "str", "required": True},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    try:
        definitions = read(params["folders"], params["owner"])
    except (OSError, ValueError) as error:
        raise ModuleError(f"The definitions can't be read: {error}. Correct the folders, then run again.") from error
    likely = "it does not answer, or its user may not create CustomResourceDefinitions"
    with cluster_of(params, "CustomResourceDefinitions can't be created", likely) as api:
        created = create(api, definitions, check_mode)
    after = "".join(f"{name}\n" for name in created)
    return {"changed": bool(created), "created": created, "diff": {"before": "", "after": after}}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
