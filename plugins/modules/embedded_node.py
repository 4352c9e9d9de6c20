#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: embedded_node
short_description: Run a single-node Kubernetes in namespaces of its own
version_added: 0.1.0
description:
  - Runs upstream's Kubernetes (kubeadm, containerd, kube-proxy, kube-router for NetworkPolicies) under supervisord, in network, mount, PID, UTS
    and IPC namespaces of its own, so that several run side by side and removal leaves nothing behind.
  - A node that was stopped or killed is started again with its data; one whose making was interrupted is made again.
author:
  - localcloud.stack contributors (@localcloud)
options:
  state:
    description: Whether the node is to run, or to be removed with all its data.
    type: str
    choices: [present, absent]
    default: present
  folder:
    description: Folder of the node's state.
    type: path
    required: true
  checkout:
    description: The folder from whose path names and addresses are derived.
    type: path
    required: true
  parts:
    description: The parts as M(localcloud.stack.toolchain) returns them. All images among them are imported.
    type: dict
    default: {}
  versions:
    description: The pinned versions as M(localcloud.stack.toolchain) returns them.
    type: dict
    default: {}
  access:
    description:
      - From where the node's address is reached. The emulator and DynamoDB Admin have no authentication; nft rules block all others.
      - With V(user) root and the user of this run, also one that became root by sudo.
      - With V(host) every user of this machine. With V(network) also what this machine forwards.
    type: str
    choices: [user, host, network]
    default: user
  cache:
    description:
      - The cache of built parts. The images of a node are kept there, imported and unpacked, for the next node with the same ones.
      - By default C($XDG_CACHE_HOME/localcloud) or C(~/.cache/localcloud).
    type: path
  base:
    description:
      - What Crossplane and its providers in the node depend on. A new node begins with them installed, as M(localcloud.stack.embedded_node_base)
        kept them in O(cache) of an earlier node with the same inputs.
      - Without it, and without such a node, there is only Kubernetes in it.
    type: dict
    suboptions:
      parts:
        description: Names of those of O(parts) that Crossplane and its providers consist of. The node's own ones count anyway.
        type: list
        elements: str
        required: true
      settings:
        description: Whatever else what is installed follows from.
        type: dict
        default: {}
  kubeconfig:
    description: Where to write the administrator's kubeconfig. Removed with O(state=absent).
    type: path
    required: true
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Says whether the node would be made or removed.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Run the node
  localcloud.stack.embedded_node:
    folder: "{{ playbook_dir }}/.localcloud/node"
    checkout: "{{ playbook_dir }}"
    parts: "{{ toolchain.parts }}"
    versions: "{{ toolchain.versions }}"
    kubeconfig: "{{ playbook_dir }}/.localcloud/kubeconfig"

- name: Run the node, and begin with the Crossplane that an earlier one had
  localcloud.stack.embedded_node:
    folder: "{{ playbook_dir }}/.localcloud/node"
    checkout: "{{ playbook_dir }}"
    parts: "{{ toolchain.parts }}"
    versions: "{{ toolchain.versions }}"
    base:
      parts: [crossplane, crossplane-image, provider-aws-image, provider-aws-package]
      settings: {scopes: [cluster]}
    kubeconfig: "{{ playbook_dir }}/.localcloud/kubeconfig"
"""

RETURN = r"""
gateway:
  description: The address by which pods of the node reach this machine.
  returned: when O(state=present), not in check mode
  type: str
  sample: 10.213.176.37
address:
  description: The node's address, reachable as O(access) says.
  returned: when the node runs
  type: str
  sample: 10.213.176.38
registry:
  description: The node's own OCI registry.
  returned: when the node runs
  type: str
  sample: 10.213.176.38:5000
context:
  description: The context in the kubeconfig.
  returned: when the node runs
  type: str
  sample: localcloud-f2af6c09
base_missing:
  description: Whether there was no base for this node, so that M(localcloud.stack.embedded_node_base) can keep what it has.
  returned: when the node runs
  type: bool
  sample: false
"""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError, PatientApi
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import PATIENCE, KubernetesApi
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import (
    BaseInputs,
    Node,
    PartPath,
)
from ansible_collections.localcloud.stack.plugins.module_utils.node.stale import mark_unready
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml
    from filelock import FileLock

SPEC = Spec(
    argument_spec={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "folder": {"type": "path", "required": True},
        "checkout": {"type": "path", "required": True},
        "parts": {"type": "dict", "default": {}},
        "versions": {"type": "dict", "default": {}},
        "access": {"type": "str", "choices": ["user", "host", "network"], "default": "user"},
        "cache": {"type": "path"},
        "base": {
            "type": "dict",
            "options": {
                "parts": {"type": "list", "elements": "str", "required": True},
                "settings": {"type": "dict", "default": {}},
            },
        },
        "kubeconfig": {"type": "path", "required": True},
    },
    required_if=[("state", "present", ("parts", "versions"))],
)
# For so long a run that comes after one that was interrupted looks at the pods, too.
RECENTLY = timedelta(minutes=5)


def present(node: Node, arguments: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the node run and write its kubeconfig."""
    parts = {name: PartPath(**part) for name, part in arguments["parts"].items()}
    tags = {name: arguments["versions"][name] for name in ("kubernetes", "coredns", "etcd")}
    if check_mode:
        node.refuse_versions(tags)
        if not parts or node.process is None or not node.known.initialized:
            return {"changed": True}
    base = arguments["base"] and BaseInputs(tuple(arguments["base"]["parts"]), arguments["base"]["settings"])
    changed = not (node.is_up(parts) and node.is_guarded()) if check_mode else node.up(parts, tags, base)
    path = Path(arguments["kubeconfig"])
    content = yaml.safe_dump(node.kubeconfig())
    if not path.exists() or path.read_text() != content:
        changed = True
        if not check_mode:
            path.touch(mode=0o600)
            path.write_text(content)
    if not check_mode and node.started > datetime.now(UTC) - RECENTLY:
        mark_unready(api_of(arguments["kubeconfig"]), node.started)
    identity = node.identity
    return {
        "changed": changed,
        "address": identity.node_address,
        "gateway": identity.host_address,
        "registry": identity.registry,
        "context": identity.name,
        "base_missing": bool(node.known.unkept),
    }


def api_of(kubeconfig: str) -> PatientApi:
    """The node's API server. Raises KubernetesError."""
    api = KubernetesApi(kubeconfig)
    api.connect()
    return PatientApi(api, PATIENCE)


def absent(node: Node, arguments: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Remove the node and its kubeconfig."""
    kubeconfig = Path(arguments["kubeconfig"])
    changed = node.folder.exists() or kubeconfig.exists()
    if not check_mode:
        node.down()
        kubeconfig.unlink(missing_ok=True)
    return {"changed": changed}


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("cryptography", "filelock", "kubernetes", "psutil", "supervisor", "yaml"):
        raise ModuleError(problem)
    state = {"present": present, "absent": absent}[params["state"]]
    try:
        folder = Path(params["folder"])
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A playbook that was stopped by Ctrl-C leaves its module at work; wait until that has ended.
        with FileLock(folder.with_suffix(".lock")):
            cache = Cache(Path(params["cache"] or default_root()))
            node = Node(folder, Path(params["checkout"]), cache, params["access"])
            result = state(node, params, check_mode)
        return {**result, "warnings": node.notes}
    except OSError as error:
        raise ModuleError(str(error)) from error
    except (ApiError, KubernetesError) as error:
        raise ModuleError(
            f"The node runs, but its pods can't be looked at: {error.message}. Run `make up` again."
        ) from error


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
