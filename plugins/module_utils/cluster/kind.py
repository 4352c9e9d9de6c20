# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kind cluster of a checkout's own: made, started again, removed. One of the same name that another owner made is never touched.

Whose a node is, it says itself: a checkout's nodes have a mount at a path with the checkout's name, which only this checkout asks kind for.
"""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from ..node.host import OLD_CGROUPS
from .docker_network import ipv4_gateway
from .engine import DOCKER, Engine
from .kind_failure import NodeSaid, explained

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]
# Exit code, output, errors.
Run = Callable[[list[str]], tuple[int, str, str]]

LABEL = "io.x-k8s.kind.cluster"
NETWORK = "kind"
OWNER_MOUNT = "/etc/localcloud"
API_PORT = "6443/tcp"
# A folder of the node for an emulator's data: below /var, which kind keeps in a volume of the container's, as long as that is there.
VOLUME = "/var/lib/localcloud/emulator"
# Commands in a node: the end of what the kubelet says, and of what each pod of the control plane has said last.
KUBELET_LOG = ("journalctl", "--unit", "kubelet", "--no-pager", "--lines", "200", "--output", "cat")
PODS_LOG = ("sh", "-c", "tail --quiet --lines 3 /var/log/pods/kube-system_*/*/*.log")
# In a cluster's folder.
MEMORY = "made.json"
# How long a node that was started may take until its API server answers.
START_SECONDS = 180
# From 1.35 on a kubelet does not start on cgroup v1 without it.
ON_OLD_CGROUPS = "kind: KubeletConfiguration\nfailCgroupV1: false\n"
# What of kind's configuration is said by the cluster itself.
RESERVED = ("kind", "apiVersion", "name", "nodes")


class KindError(ModuleError):
    """The cluster can't be made or used; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """C(name): the cluster's, and the checkout's. C(folder): what is remembered of it. C(ports): node ports that C(address) serves.
    C(image): the nodes' image, empty for kind's own. C(image_archive): where it is loaded from, if Docker lacks it; it is removed with the cluster.
    C(extra): further keys of kind's configuration."""

    name: str
    folder: Path
    kubeconfig: Path
    address: str = "127.0.0.1"
    ports: Sequence[int] = ()
    image: str = ""
    image_archive: Path | None = None
    extra: Mapping[str, t.Any] | None = None

    @property
    def memory(self) -> Path:
        """A file that says which containers were made whole, and whether kind's network was made for them."""
        return self.folder / MEMORY


@dataclass(frozen=True)
class Node:
    """A container that is a node of a kind cluster."""

    name: str
    identifier: str
    running: bool
    mounts: tuple[str, ...]
    # Port of the container -> the address and port of this machine that lead there.
    ports: Mapping[str, tuple[str, int]]
    # In kind's network; empty where it does not run.
    address: str = ""

    def is_of(self, name: str) -> bool:
        return f"{OWNER_MOUNT}/{name}" in self.mounts


def first(nodes: Sequence[Node]) -> Json:
    """Name and address of the first of these nodes; both empty where there is none yet."""
    return {"name": nodes[0].name, "address": nodes[0].address} if nodes else {"name": "", "address": ""}


class State(t.NamedTuple):
    """What of the cluster is there: C(nodes), and of ours C(whole), whether all were made and none since."""

    nodes: list[Node]
    ours: bool
    whole: bool


def remembered(folder: Path) -> Json:
    """What is remembered of the cluster in whose folder this is; nothing where none was made."""
    try:
        return dict(json.loads((folder / MEMORY).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def remembered_engine(folder: Path) -> str:
    """What the cluster in whose folder this is was made in; empty where none was. One that was made before this was remembered is in Docker."""
    memory = remembered(folder)
    return str(memory.get("engine", DOCKER.name)) if memory else ""


def configuration(wanted: Wanted, old_cgroups: bool = False) -> Json:
    """kind's configuration of the cluster (kind.x-k8s.io/v1alpha4). C(old_cgroups): whether Docker's machine has cgroup v1."""
    extra = dict(wanted.extra or {})
    if old_cgroups:
        extra["kubeadmConfigPatches"] = [ON_OLD_CGROUPS, *(extra.get("kubeadmConfigPatches") or [])]
    node: Json = {
        "role": "control-plane",
        "extraMounts": [
            {"hostPath": str(wanted.folder), "containerPath": f"{OWNER_MOUNT}/{wanted.name}", "readOnly": True}
        ],
        "extraPortMappings": [
            {"containerPort": port, "hostPort": port, "listenAddress": wanted.address, "protocol": "TCP"}
            for port in sorted(wanted.ports)
        ],
    }
    if wanted.image:
        node["image"] = wanted.image
    networking = {"apiServerAddress": wanted.address, **(extra.pop("networking", None) or {})}
    return {
        **extra,
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": wanted.name,
        "networking": networking,
        "nodes": [node],
    }


def configuration_problem(extra: Mapping[str, t.Any]) -> str | None:
    """Why this can't be a part of kind's configuration."""
    said = [name for name in RESERVED if name in extra]
    if not said:
        return None
    return (
        f"cluster_kind_config has {' and '.join(said)}, which the stack says itself. Give it without, then run again; for several nodes make a cluster "
        "of yours with kind and allow its context."
    )


def nodes_of(inspected: str) -> list[Node]:
    """Nodes by what C(docker inspect) prints (JSON)."""
    found = []
    for one in json.loads(inspected or "[]"):
        ports = {}
        networks = (one.get("NetworkSettings") or {}).get("Networks") or {}
        for name, places in ((one.get("HostConfig") or {}).get("PortBindings") or {}).items():
            if places and places[0].get("HostPort"):
                ports[name] = (places[0].get("HostIp") or "127.0.0.1", int(places[0]["HostPort"]))
        found.append(
            Node(
                name=str(one["Name"]).removeprefix("/"),
                identifier=str(one["Id"]),
                running=bool((one.get("State") or {}).get("Running")),
                mounts=tuple(str(mount.get("Destination")) for mount in one.get("Mounts") or []),
                ports=ports,
                address=str((networks.get(NETWORK) or {}).get("IPAddress") or ""),
            )
        )
    return sorted(found, key=lambda node: node.name)


def evaluated(name: str, nodes: Sequence[Node], memory: Mapping[str, t.Any]) -> State:
    """Whose these nodes are, and whether kind has made them to the end, by what is remembered of it."""
    ours = bool(nodes) and all(node.is_of(name) for node in nodes)
    whole = ours and memory.get("nodes") == {node.name: node.identifier for node in nodes}
    return State(list(nodes), ours, whole)


def foreign(name: str) -> str:
    return (
        f"A kind cluster '{name}' is there that this checkout did not make, so it is not touched. Remove it (kind delete cluster --name {name}) if it is "
        "yours and not needed, or use it as it is: allow its context with cluster_allowed_contexts. Then run again."
    )


def taken_ports(address: str, ports: Sequence[int]) -> list[int]:
    """Those of these TCP ports that this machine's address does not give."""
    taken = []
    for port in ports:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                taken.append(port)
    return taken


def ports_problem(address: str, taken: Sequence[int]) -> str:
    named = ", ".join(map(str, taken))
    return (
        f"The cluster is to serve {'port' if len(taken) == 1 else 'ports'} {named} of {address}, which this machine does not give; likely "
        "another program or another checkout's cluster listens there. End it, or take another address of this machine (on Linux: make up "
        "ARGS='-e cluster_kind_address=127.0.0.2'), or leave the port out of cluster_kind_ports, and a free one is forwarded instead. Nothing was touched."
    )


class Cluster:
    """The cluster that is wanted, in C(engine). C(commands): paths of its command and of C(kind); C(run) runs one, with the engine's variables."""

    def __init__(
        self, wanted: Wanted, run: Run, engine: Engine = DOCKER, commands: Mapping[str, str] | None = None
    ) -> None:
        self.wanted = wanted
        self.run = run
        self.engine = engine
        self.engine_command = (commands or {}).get(engine.name, engine.name)
        self.kind = (commands or {}).get("kind", "kind")
        # Sentences about what a user should know and nothing failed of.
        self.notes: list[str] = []

    def state(self) -> State:
        """What there is of it. Raises KindError where Docker does not answer."""
        names = self._do(
            self.engine_command, "ps", "--all", "--filter", f"label={LABEL}={self.wanted.name}", "--format", "{{.ID}}"
        ).split()
        nodes = nodes_of(self._do(self.engine_command, "inspect", *names)) if names else []
        return evaluated(self.wanted.name, nodes, self._memory())

    def present(self, answers: Callable[[], str | None], check_mode: bool) -> list[str]:
        """Make the cluster, or start it; what was done. C(answers) tells why its API server does not answer yet.

        Raises KindError: it is another owner's, a port is taken, or kind fails.
        """
        state = self.state()
        if state.nodes and not state.ours:
            raise KindError(foreign(self.wanted.name))
        stopped = [node.name for node in state.nodes if not node.running]
        if state.whole and not stopped:
            if not check_mode and not self.wanted.kubeconfig.exists():
                self._write_kubeconfig()
            return []
        if state.whole:
            return self._start(stopped, answers, check_mode)
        if not state.nodes and (taken := taken_ports(self.wanted.address, self.wanted.ports)):
            raise KindError(ports_problem(self.wanted.address, taken))
        if not check_mode:
            self._remove(state.nodes)
            self._create()
        return ["removed what an interrupted run has left", "made"] if state.nodes else ["made"]

    def absent(self, check_mode: bool) -> bool:
        """Remove the cluster if it is ours, with kind's network if that was made for it and is not used otherwise; whether anything was removed."""
        memory = self._memory()
        if not memory:
            return False
        state = self.state()
        ours = state.nodes if state.ours else []
        if check_mode:
            return True
        self._remove(ours)
        if memory.get("network"):
            self._remove_network()
        if memory.get("image"):
            # Docker refuses it where another cluster's nodes have it.
            self.run([self.engine_command, "image", "rm", memory["image"]])
        self.wanted.memory.unlink(missing_ok=True)
        for path in (
            self.wanted.folder / "cluster.yml",
            *([self.wanted.kubeconfig] if ours or not state.nodes else []),
        ):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.wanted.folder.rmdir()
        return True

    def gateway(self) -> str:
        """This machine's own address in the nodes' network; empty where that is not there."""
        status, out, _err = self.run([self.engine_command, "network", "inspect", NETWORK])
        return ipv4_gateway(out) if status == 0 else ""

    def ports(self, nodes: Sequence[Node]) -> list[int]:
        """Node ports that these nodes serve at the cluster's address, as it was made."""
        served: list[int] = []
        for node in nodes:
            for name, (address, port) in node.ports.items():
                inside = name.partition("/")[0]
                if name != API_PORT and address == self.wanted.address and inside == str(port):
                    served.append(port)
        return sorted(served)

    def _start(self, stopped: list[str], answers: Callable[[], str | None], check_mode: bool) -> list[str]:
        if not check_mode:
            self._do(self.engine_command, "start", *stopped)
            self._write_kubeconfig()
            wait_for(
                f"the API server of the kind cluster {self.wanted.name}, which was stopped", answers, START_SECONDS, 0.5
            )
        return [f"started {name}" for name in stopped]

    def _create(self) -> None:
        network = self.run([self.engine_command, "network", "inspect", NETWORK])[0] != 0
        self.wanted.folder.mkdir(parents=True, exist_ok=True)
        # Before anything is made, so that an interrupted run's cluster is found and removed.
        loaded = self.wanted.image if self.wanted.image_archive else ""
        network = network or self._memory().get("network", False)
        self._remember({"network": network, "image": loaded, "engine": self.engine.name})
        config = self.wanted.folder / "cluster.yml"
        said = self._do(self.engine_command, "info", "--format", self.engine.info_format)
        old_cgroups = self.engine.has_old_cgroups(said)
        if old_cgroups:
            self.notes.append(OLD_CGROUPS)
        config.write_text(yaml.safe_dump(configuration(self.wanted, old_cgroups), sort_keys=False))
        self.wanted.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.wanted.kubeconfig.unlink(missing_ok=True)
        self._load_image()
        self._run_kind(config)
        nodes = {node.name: node.identifier for node in self.state().nodes}
        for name in nodes:
            self._do(self.engine_command, "exec", name, "mkdir", "--parents", VOLUME)
        self._remember({**self._memory(), "nodes": nodes})

    def _run_kind(self, config: Path) -> None:
        """Raises KindError with what the node says that does not start; it is removed then."""
        # --retain: kind would remove it at once.
        command = (
            self.kind, "create", "cluster", "--name", self.wanted.name, "--config", str(config),
            "--kubeconfig", str(self.wanted.kubeconfig), "--retain",
        )  # fmt: skip
        status, out, err = self.run(list(command))
        if not status:
            return
        state = self.state()
        told = self._said_by(state.nodes[0]) if state.ours else NodeSaid()
        with contextlib.suppress(KindError):  # the next run removes what is left
            self._remove(state.nodes if state.ours else [])
        raise KindError(explained(command, err or out, told, self.engine.name))

    def _said_by(self, node: Node) -> NodeSaid:
        """The end of what a node has said, as far as it still answers."""
        kubelet, pods = (
            self.run([self.engine_command, "exec", node.name, *words])[1] for words in (KUBELET_LOG, PODS_LOG)
        )
        _status, out, err = self.run([self.engine_command, "logs", "--tail", "20", node.name])
        return NodeSaid(kubelet, pods, out + err)

    def _load_image(self) -> None:
        archive = self.wanted.image_archive
        if archive and self.run([self.engine_command, "image", "inspect", self.wanted.image])[0]:
            self._do(self.engine_command, "load", "--quiet", "--input", str(archive))

    def _write_kubeconfig(self) -> None:
        self._do(
            self.kind, "export", "kubeconfig", "--name", self.wanted.name, "--kubeconfig", str(self.wanted.kubeconfig)
        )

    def _remove(self, nodes: Sequence[Node]) -> None:
        """As `kind delete cluster` does it; kind itself need not be there."""
        if nodes:
            names = [node.identifier for node in nodes]
            self._do(self.engine_command, "rm", "--force", "--volumes", *self.engine.at_once, *names)
        for node in nodes if self.engine.keeps_volumes else ():
            # By a label that is the node's name.
            left = self._do(self.engine_command, "volume", "ls", "--quiet", "--filter", f"label={node.name}").split()
            if left:
                self._do(self.engine_command, "volume", "rm", "--force", *left)

    def _remove_network(self) -> None:
        others = self._do(self.engine_command, "ps", "--all", "--quiet", "--filter", f"network={NETWORK}").split()
        if not others and self.run([self.engine_command, "network", "inspect", NETWORK])[0] == 0:
            self._do(self.engine_command, "network", "rm", NETWORK)

    def _memory(self) -> Json:
        return remembered(self.wanted.folder)

    def _remember(self, content: Json) -> None:
        self.wanted.memory.write_text(json.dumps(content))

    def _do(self, *command: str) -> str:
        status, out, err = self.run(list(command))
        if status:
            raise KindError(explained(command, err or out, engine=self.engine.name))
        return out
