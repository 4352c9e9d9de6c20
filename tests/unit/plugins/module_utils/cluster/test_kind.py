"""A kind cluster of a checkout's own, by a Docker and a kind that only remember."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import PODMAN
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind import (
    Cluster,
    KindError,
    Wanted,
    configuration,
    configuration_problem,
    remembered_engine,
    taken_ports,
)

NAME = "localcloud-0a1b2c3d"


class Docker:
    """Docker's containers and networks. C(killed): the command in which the run is killed."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.networks: set[str] = set()
        self.images: set[str] = set()
        self.commands: list[list[str]] = []
        self.fails: str | None = None
        self.killed: str | None = None
        self.others: list[str] = []
        self.cgroups = "2"
        self.volumes: set[str] = set()
        self.kubelet = ""
        # Of a node that kind makes, and that does not start.
        self.broken: str | None = None

    def add(self, mount: str, ports: dict[str, Any] | None = None) -> None:
        name = f"{NAME}-control-plane"
        self.nodes[name] = {
            "Name": f"/{name}",
            "Id": f"id{len(self.commands)}",
            "State": {"Running": True},
            "Mounts": [{"Destination": mount}],
            "HostConfig": {"PortBindings": ports or {}},
        }

    def run(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        line = " ".join(command)
        if self.fails and self.fails in line:
            return 1, "", "ERROR: failed to create cluster: port is already allocated\n\nStack Trace: \n"
        match command[1:]:
            case ["info", "--format", "{{json .}}"]:
                return 0, json.dumps({"CgroupVersion": self.cgroups}), ""
            case ["info", "--format", "json"]:
                return 0, json.dumps({"host": {"cgroupVersion": f"v{self.cgroups}"}}, indent=2), ""
            case ["volume", "ls", *_]:
                return 0, "\n".join(self.volumes), ""
            case ["volume", "rm", "--force", *names]:
                self.volumes -= set(names)
            case ["exec", _, "journalctl", *_]:
                return 0, self.kubelet, ""
            case ["ps", "--all", "--quiet", *_]:
                return 0, "\n".join([*self.others, *self.nodes]), ""
            case ["ps", *_]:
                return 0, "\n".join(one["Id"] for one in self.nodes.values()), ""
            case ["inspect", *_]:
                return 0, json.dumps(list(self.nodes.values())), ""
            case ["start", *names]:
                for name in names:
                    self.nodes[name]["State"]["Running"] = True
            case ["rm", "--force", "--volumes", *identifiers]:
                self.nodes = {name: one for name, one in self.nodes.items() if one["Id"] not in identifiers}
            case ["image", "inspect", name]:
                return (0 if name in self.images else 1), "", ""
            case ["load", *_]:
                self.images.add("localhost/localcloud/kind-node:0a")
            case ["image", "rm", name]:
                self.images.discard(name)
            case ["network", "inspect", name]:
                known = json.dumps([{"IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]}}])
                return (0, known, "") if name in self.networks else (1, "", "No such network")
            case ["network", "rm", name]:
                self.networks.discard(name)
            case ["create", "cluster", "--name", _, "--config", config, "--kubeconfig", kubeconfig, "--retain"]:
                self.networks.add("kind")
                (node,) = yaml.safe_load(Path(config).read_text())["nodes"]
                ports = {
                    f"{one['containerPort']}/tcp": [{"HostIp": one["listenAddress"], "HostPort": str(one["hostPort"])}]
                    for one in node["extraPortMappings"]
                }
                self.add(
                    node["extraMounts"][0]["containerPath"],
                    {**ports, "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]},
                )
                if self.killed:
                    raise KeyboardInterrupt
                self.volumes.add("0a1b")
                if self.broken:
                    return 1, "", self.broken
                Path(kubeconfig).write_text("made")
            case ["export", "kubeconfig", "--name", _, "--kubeconfig", kubeconfig]:
                Path(kubeconfig).write_text("written")
        return 0, "", ""

    def did(self, word: str) -> bool:
        return any(word in command for command in self.commands)


@pytest.fixture
def docker() -> Docker:
    return Docker()


@pytest.fixture
def cluster(docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    wanted = Wanted(NAME, tmp_path / "kind", tmp_path / "kubeconfig", ports=[30801, 30566])
    monkeypatch.setattr(
        "ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind.taken_ports", lambda address, ports: []
    )
    return Cluster(wanted, docker.run)


def answers() -> None:
    """The API server does."""


def test_its_image_is_loaded_where_docker_lacks_it_and_goes_with_it(
    docker: Docker, cluster: Cluster, tmp_path: Path
) -> None:
    image = "localhost/localcloud/kind-node:0a"
    cluster.wanted = replace(cluster.wanted, image=image, image_archive=tmp_path / "image.tar")
    assert cluster.present(answers, False) == ["made"]
    loads = [command for command in docker.commands if command[1] == "load"]
    assert loads == [["docker", "load", "--quiet", "--input", str(tmp_path / "image.tar")]]
    assert docker.commands.index(loads[0]) < next(
        index for index, command in enumerate(docker.commands) if command[0] == "kind"
    )
    assert docker.images == {image}
    cluster.absent(False)
    assert docker.images == set()


def test_made_once_and_removed_with_all_that_it_brought(docker: Docker, cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.present(answers, True) == ["made"]
    assert not docker.nodes and not list(tmp_path.iterdir())
    assert cluster.present(answers, False) == ["made"]
    assert cluster.present(answers, False) == []
    assert cluster.ports(cluster.state().nodes) == [30566, 30801]
    assert cluster.gateway() == "172.18.0.1"
    assert cluster.absent(True)
    assert docker.nodes
    assert cluster.absent(False)
    assert not docker.nodes and not docker.networks and not list(tmp_path.iterdir())
    assert not cluster.absent(False)


@pytest.mark.parametrize("mount", ["/var", "/etc/localcloud/localcloud-ffffffff", f"/etc/localcloud/{NAME}x"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_one_of_the_same_name_that_is_not_ours_is_not_touched(
    docker: Docker, cluster: Cluster, mount: str, check_mode: bool
) -> None:
    docker.add(mount)
    with pytest.raises(KindError, match="did not make, so it is not touched. Remove it .kind delete cluster --name"):
        cluster.present(answers, check_mode)
    assert not cluster.absent(check_mode)
    assert docker.nodes and not docker.did("rm") and not docker.did("create")


def test_one_that_took_the_place_of_ours_is_not_touched(docker: Docker, cluster: Cluster) -> None:
    """Somebody deleted ours and made another."""
    cluster.present(answers, False)
    docker.nodes.clear()
    docker.add("/var")
    with pytest.raises(KindError, match="did not make"):
        cluster.present(answers, False)
    cluster.absent(False)
    assert docker.nodes and not docker.did("rm")


def test_a_stopped_node_is_started_and_waited_for(docker: Docker, cluster: Cluster) -> None:
    cluster.present(answers, False)
    (node,) = docker.nodes.values()
    node["State"]["Running"] = False
    states = ["connection refused", "starting"]
    assert cluster.present(answers, True) == [f"started {NAME}-control-plane"]
    assert not node["State"]["Running"]
    done = cluster.present(lambda: states.pop() if states else None, False)
    assert done == [f"started {NAME}-control-plane"] and not states
    assert node["State"]["Running"]
    # Its port on this machine may be another one.
    assert cluster.wanted.kubeconfig.read_text() == "written"


def test_what_an_interrupted_run_left_is_made_again(docker: Docker, cluster: Cluster) -> None:
    docker.killed = "create"
    with pytest.raises(KeyboardInterrupt):
        cluster.present(answers, False)
    docker.killed = None
    (left,) = docker.nodes.values()
    assert cluster.present(answers, False) == ["removed what an interrupted run has left", "made"]
    (node,) = docker.nodes.values()
    assert node["Id"] != left["Id"]
    # It was made for the first one.
    cluster.absent(False)
    assert not docker.networks


def test_what_an_interrupted_run_left_is_removed(docker: Docker, cluster: Cluster, tmp_path: Path) -> None:
    docker.killed = "create"
    with pytest.raises(KeyboardInterrupt):
        cluster.present(answers, False)
    assert cluster.absent(False)
    assert not docker.nodes and not docker.networks and not list(tmp_path.iterdir())


def test_a_network_of_others_stays(docker: Docker, cluster: Cluster) -> None:
    docker.networks.add("kind")
    cluster.present(answers, False)
    cluster.absent(False)
    assert docker.networks == {"kind"}


def test_a_network_that_others_use_meanwhile_stays(docker: Docker, cluster: Cluster) -> None:
    cluster.present(answers, False)
    docker.others = ["another"]
    cluster.absent(False)
    assert docker.networks == {"kind"}


def test_a_lost_kubeconfig_is_written_again(docker: Docker, cluster: Cluster) -> None:
    cluster.present(answers, False)
    cluster.wanted.kubeconfig.unlink()
    assert cluster.present(answers, False) == []
    assert cluster.wanted.kubeconfig.read_text() == "written"


def test_a_taken_port_is_found_before_anything_is_made(
    docker: Docker, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert taken_ports("127.0.0.1", [port]) == [port]
        busy = Cluster(Wanted(NAME, tmp_path / "kind", tmp_path / "kubeconfig", ports=[port]), docker.run)
        with pytest.raises(KindError, match=rf"port {port} of 127.0.0.1.*cluster_kind_address.*Nothing was touched"):
            busy.present(answers, False)
    assert not docker.did("create") and not list(tmp_path.iterdir())
    assert taken_ports("127.0.0.1", [port]) == []


def test_a_failure_of_kind_is_told(docker: Docker, cluster: Cluster) -> None:
    docker.fails = "create cluster"
    with pytest.raises(KindError, match="A port that the cluster is to serve is taken. End what listens there"):
        cluster.present(answers, False)


def test_why_a_node_does_not_start_is_told_and_it_is_removed(docker: Docker, cluster: Cluster) -> None:
    docker.broken = (
        "ERROR: failed to create cluster: failed to init node with kubeadm\n\nCommand Output: [init] …\n"
        "error: failed while waiting for the kubelet to start: context deadline exceeded\n"
    )
    docker.kubelet = (
        'E1201 02:36:11.885377   29916 run.go:72] "command failed" err="failed to load kubelet config file: bad"\n'
    )
    with pytest.raises(KindError, match="The kubelet does not take its configuration.*kubelet: .command failed. err="):
        cluster.present(answers, False)
    assert not docker.nodes
    docker.broken = None
    assert cluster.present(answers, False) == ["made"]


def test_a_failed_node_of_another_owner_stays(
    docker: Docker, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was made in the same moment."""
    docker.broken = "ERROR: failed to create cluster: node(s) already exist for a cluster with the name"
    monkeypatch.setattr(docker, "add", lambda *_: Docker.add(docker, "/var"))
    with pytest.raises(KindError, match="already exist"):
        cluster.present(answers, False)
    assert docker.nodes


def test_in_podman(docker: Docker, cluster: Cluster, tmp_path: Path) -> None:
    """Its volume is removed by name, and what it is in is remembered."""
    assert remembered_engine(tmp_path / "kind") == ""
    podman = Cluster(cluster.wanted, docker.run, PODMAN, {"podman": "/opt/podman"})
    docker.cgroups = "1"
    assert podman.present(answers, False) == ["made"]
    assert remembered_engine(tmp_path / "kind") == "podman"
    assert {command[0] for command in docker.commands} == {"/opt/podman", "kind"}
    assert podman.notes and docker.volumes
    podman.absent(False)
    assert not docker.nodes and not docker.volumes and not list(tmp_path.iterdir())


def test_a_cluster_of_before_is_in_docker(tmp_path: Path) -> None:
    (tmp_path / "made.json").write_text('{"network": true}')
    assert remembered_engine(tmp_path) == "docker"
    (tmp_path / "made.json").write_text('{"netw')
    assert remembered_engine(tmp_path) == ""


def test_the_configuration_has_what_is_given_besides(tmp_path: Path) -> None:
    extra = {"networking": {"disableDefaultCNI": True}, "featureGates": {"A": True}}
    made = configuration(
        Wanted(NAME, tmp_path, tmp_path, address="127.0.0.2", ports=[2, 1], image="node:1", extra=extra)
    )
    assert made["networking"] == {"apiServerAddress": "127.0.0.2", "disableDefaultCNI": True}
    assert made["featureGates"] == {"A": True}
    (node,) = made["nodes"]
    assert node["image"] == "node:1"
    assert [one["containerPort"] for one in node["extraPortMappings"]] == [1, 2]
    assert {one["listenAddress"] for one in node["extraPortMappings"]} == {"127.0.0.2"}
    assert extra["networking"] == {"disableDefaultCNI": True}


@pytest.mark.parametrize(("cgroups", "patched"), [("1", True), ("2", False)])
def test_a_kubelet_starts_on_either_version_of_cgroups(
    docker: Docker, cluster: Cluster, tmp_path: Path, cgroups: str, patched: bool
) -> None:
    docker.cgroups = cgroups
    cluster.wanted = replace(cluster.wanted, extra={"kubeadmConfigPatches": ["kind: ClusterConfiguration\n"]})
    cluster.present(answers, False)
    patches = yaml.safe_load((tmp_path / "kind/cluster.yml").read_text())["kubeadmConfigPatches"]
    found = [yaml.safe_load(one) for one in patches]
    kubelet = {"kind": "KubeletConfiguration", "failCgroupV1": False}
    assert found == [*([kubelet] if patched else []), {"kind": "ClusterConfiguration"}]
    assert ["cgroup v1" in one for one in cluster.notes] == [True] * patched


def test_what_the_stack_says_itself_is_refused() -> None:
    assert configuration_problem({"networking": {}}) is None
    assert "nodes, which the stack says itself" in str(configuration_problem({"nodes": []}))
