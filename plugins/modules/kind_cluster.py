#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Make, start or remove a kind cluster of a checkout's own
version_added: 0.2.0
description:
  - Makes a cluster of one node in Docker or Podman with kind, starts it again where its node was stopped, and removes it.
  - A cluster of this name that another owner made is refused, and not touched. Whose it is, the node's container says by a mount.
  - What an interrupted run has left is removed and made again.
options:
  state:
    description: V(present) makes sure that the cluster runs; V(absent) that it does not exist.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The cluster's name, which stands for the checkout. Its context is C(kind-<name>).
    type: str
    required: true
  folder:
    description: Where is remembered what was made.
    type: path
    required: true
  kubeconfig:
    description: The kubeconfig to write.
    type: path
    required: true
  address:
    description: The address of this machine at which the API server and O(ports) answer. Others than of the loopback interface are seen by others.
    type: str
    default: 127.0.0.1
  ports:
    description: Node ports that O(address) serves. They are chosen when the cluster is made.
    type: list
    elements: int
    default: []
  image:
    description: The node's image. By default the one that kind names by its digest.
    type: str
    default: ""
  image_archive:
    description: An archive of O(image), as C(docker save) writes it. It is loaded where Docker lacks the image, which then goes with the cluster.
    type: path
  config:
    description: Further keys of kind's configuration (U(https://kind.sigs.k8s.io/docs/user/configuration/)), such as C(networking).
    type: dict
    default: {}
  container_engine:
    description:
      - What its node is a container of. With V("") Docker. A cluster that is there stays in what it was made in.
      - Podman is the experimental provider of kind.
    type: str
    choices: ["", docker, podman]
    default: ""
    version_added: 0.2.0
  commands:
    description: Paths of the commands C(docker) or C(podman), and C(kind), where they are not those of E(PATH).
    type: dict
    default: {}
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Asks Docker or Podman what is there. A cluster that is not there yet has no RV(server).
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: localcloud.stack.cluster_choice
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Make a cluster
  localcloud.stack.kind_cluster:
    name: localcloud-f2af6c09
    folder: "{{ playbook_dir }}/.localcloud/kind"
    kubeconfig: "{{ playbook_dir }}/.localcloud/kubeconfig"
    ports: [30566, 30801]
"""

RETURN = r"""
done:
  description: What was done, in order.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [made]
server:
  description: Where the API server answers; empty where there is no cluster yet.
  returned: when O(state=present)
  type: str
  sample: https://127.0.0.1:40123
server_version:
  description: What it says of its version; empty where there is no cluster yet.
  returned: when O(state=present)
  type: str
  sample: v1.37.2
ports:
  description: Node ports that O(address) serves.
  returned: when O(state=present)
  type: list
  elements: int
  sample: [30566, 30801]
gateway:
  description: This machine's own address in the node's network.
  returned: when O(state=present)
  type: str
  sample: 172.18.0.1
node:
  description: Its node, by its C(name) and its C(address) in the nodes' network.
  returned: when O(state=present)
  type: dict
  sample: {name: localcloud-f2af6c09-control-plane, address: 172.18.0.2}
volume:
  description: A folder of the node for an emulator's data, which outlives restarts of the node.
  returned: when O(state=present)
  type: str
  sample: /var/lib/localcloud/emulator
"""

from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, ENGINES
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind import (
    VOLUME,
    Cluster,
    KindError,
    Wanted,
    configuration_problem,
    first,
    remembered_engine,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KubernetesApi
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import kinds_files

SPEC = Spec(
    argument_spec={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "folder": {"type": "path", "required": True},
        "kubeconfig": {"type": "path", "required": True},
        "address": {"type": "str", "default": "127.0.0.1"},
        "ports": {"type": "list", "elements": "int", "default": []},
        "image": {"type": "str", "default": ""},
        "image_archive": {"type": "path"},
        "config": {"type": "dict", "default": {}},
        "container_engine": {"type": "str", "choices": ["", *ENGINES], "default": ""},
        "commands": {"type": "dict", "default": {}},
    },
)
# kind pulls an image of 1 GB and starts Kubernetes; what hangs for so long has failed.
COMMAND_SECONDS = 900.0


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("yaml", "kubernetes") or configuration_problem(params["config"]):
        raise ModuleError(problem)
    wanted = Wanted(
        name=params["name"],
        folder=Path(params["folder"]),
        kubeconfig=Path(params["kubeconfig"]),
        address=params["address"],
        ports=params["ports"],
        image=params["image"],
        image_archive=Path(params["image_archive"]) if params["image_archive"] else None,
        extra=params["config"],
    )
    engine = ENGINES[remembered_engine(wanted.folder) or params["container_engine"] or DOCKER.name]

    def run_with(command: list[str]) -> tuple[int, str, str]:
        return run_command(command, environ_update=engine.variables, timeout=COMMAND_SECONDS)

    commands = {name: path for name, path in params["commands"].items() if path}
    cluster = Cluster(wanted, run_with, engine, commands)
    try:
        return _absent(cluster, check_mode) if params["state"] == "absent" else _present(cluster, check_mode)
    except OSError as error:
        raise ModuleError(str(error)) from error


def _present(cluster: Cluster, check_mode: bool) -> dict[str, Any]:
    asked = _Server(cluster.wanted)
    done = cluster.present(asked.problem, check_mode)
    if not (check_mode and done) and (problem := asked.problem()):
        raise KindError(
            f"The kind cluster {cluster.wanted.name} runs, but its API server does not answer: {problem} See `{cluster.engine.name} logs` of its node; "
            "`make down` removes it, and `make up` makes it again."
        )
    nodes = cluster.state().nodes
    return {
        "changed": bool(done),
        "done": done,
        "server": asked.address,
        "server_version": asked.version,
        "ports": cluster.ports(nodes) or cluster.wanted.ports,
        "gateway": cluster.gateway(),
        "node": first(nodes),
        "volume": VOLUME,
        "warnings": cluster.notes,
    }


def _absent(cluster: Cluster, check_mode: bool) -> dict[str, Any]:
    asked = _Server(cluster.wanted)
    asked.problem()
    changed = cluster.absent(check_mode)
    if changed and asked.address and not check_mode:
        for path in kinds_files(asked.address):
            path.unlink(missing_ok=True)
    return {"changed": changed}


class _Server:
    """The API server of a kubeconfig: its C(address) and C(version), once it was asked."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.address = ""
        self.version = ""

    def problem(self) -> str | None:
        """Why it does not answer; None where it does."""
        if not self.wanted.kubeconfig.exists():
            return "There is no kubeconfig."
        api = KubernetesApi(str(self.wanted.kubeconfig), f"kind-{self.wanted.name}")
        try:
            api.connect()
            self.address = api.server()
            self.version = str(api.get("/version", {}).get("gitVersion", ""))
        except (ApiError, KubernetesError) as error:
            return error.message
        return None


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
