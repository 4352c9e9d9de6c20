#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: embedded_node_base
short_description: Keep the Crossplane of an embedded node for later nodes
version_added: 0.2.0
description:
  - Keeps what a node that M(localcloud.stack.embedded_node) made has of Crossplane, its providers and their kinds, in the cache of built parts. The
    next node with the same O(localcloud.stack.embedded_node#module:base) begins with it.
  - No AWS resource, no provider configuration and no secret is kept. Keys, certificates and UIDs are each node's own.
  - A node that began with a base itself, or whose base is kept already, is left alone.
author:
  - localcloud.stack contributors (@localcloud)
options:
  folder:
    description: Folder of the node's state.
    type: path
    required: true
  checkout:
    description: The folder from whose path names and addresses of the node are derived.
    type: path
    required: true
  namespace:
    description: Crossplane's namespace.
    type: str
    default: crossplane-system
  cache:
    description:
      - The cache of built parts.
      - By default C($XDG_CACHE_HOME/localcloud) or C(~/.cache/localcloud).
    type: path
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Nothing is kept.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Never reports a change, as nothing that runs is changed.
"""

EXAMPLES = r"""
- name: Keep what the next nodes begin with
  localcloud.stack.embedded_node_base:
    folder: "{{ playbook_dir }}/.localcloud/node"
    checkout: "{{ playbook_dir }}"
    kubeconfig: "{{ playbook_dir }}/.localcloud/kubeconfig"
"""

RETURN = r"""
kept:
  description: Whether a base was kept by this call.
  returned: success
  type: bool
  sample: true
"""

import contextlib
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, KubernetesApi
from ansible_collections.localcloud.stack.plugins.module_utils.node.base import BaseError
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import Node
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    from filelock import FileLock


SPEC = Spec(
    argument_spec={
        **KUBERNETES_ARGUMENTS,
        "folder": {"type": "path", "required": True},
        "checkout": {"type": "path", "required": True},
        "namespace": {"type": "str", "default": "crossplane-system"},
        "cache": {"type": "path"},
    },
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("filelock", "psutil", "supervisor", "yaml"):
        raise ModuleError(problem)
    if check_mode:
        return {"kept": False}
    folder = Path(params["folder"])
    api = KubernetesApi(params["kubeconfig"], params["context"])
    kept = False
    try:
        with FileLock(folder.with_suffix(".lock")):
            node = Node(folder, Path(params["checkout"]), Cache(Path(params["cache"] or default_root())))
            if node.known.unkept:
                api.connect()
                kept = node.keep_base(lambda path: api.get(path, {}), params["namespace"])
    except (BaseError, ApiError, KubernetesError, OSError) as error:
        # All runs without it, the next node too.
        return {"kept": False, "warnings": [f"What the next node could begin with is not kept: {error}"]}
    return {"kept": kept}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
