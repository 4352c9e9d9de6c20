"""Whether a node that was made before still is as it was asked for."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import host, lifecycle
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import NodeError
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import Identity
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import Node, PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.modules import embedded_node

PROGRAMS = lifecycle.PROGRAMS
PARTS = {name: PartPath(f"/parts/{name}", "1", image=f"localhost/{name}:1") for name in (*PROGRAMS, "producer")}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node that runs with all its parts."""
    record = {
        "identity": {},
        "process": [1, 1.0],
        "initialized": True,
        "parts": dict.fromkeys(PROGRAMS, "1"),
        "images": dict.fromkeys(PARTS, "1"),
    }
    (tmp_path / "node.json").write_text(json.dumps(record))
    monkeypatch.setattr(Node, "process", object())
    monkeypatch.setattr(Node, "_supervisor_ready", lambda _self: None)
    monkeypatch.setattr(Node, "_stopped_programs", lambda _self, _names: [])
    monkeypatch.setattr(Node, "_hung_programs", lambda _self: [])
    monkeypatch.setattr(Node, "_due_certificates", lambda _self: [])
    monkeypatch.setattr(Node, "_api_problem", lambda _self: None)
    monkeypatch.setattr(Node, "_is_full", lambda _self: False)
    return Node(tmp_path, tmp_path, Cache(tmp_path / "cache"))


def test_all_is_there(node: Node) -> None:
    assert node.is_up(PARTS)


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("process", None),
        ("_supervisor_ready", lambda _self: "refused"),
        ("_stopped_programs", lambda _self, _names: ["kubelet"]),
        ("_hung_programs", lambda _self: ["kubelet"]),
        ("_due_certificates", lambda _self: ["apiserver.crt until 2026-01-01"]),
        ("_api_problem", lambda _self: "HTTP 500"),
        ("_is_full", lambda _self: True),
    ],
)
def test_something_does_not_run(node: Node, monkeypatch: pytest.MonkeyPatch, what: str, instead: Any) -> None:
    monkeypatch.setattr(Node, what, instead)
    assert not node.is_up(PARTS)


def test_an_image_is_new(node: Node) -> None:
    assert not node.is_up({**PARTS, "producer": PartPath("/parts/producer", "2", image="localhost/producer:2")})


def test_old_images_of_edits_are_removed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[str] = []

    def ctr(*arguments: Any) -> str:
        if arguments[:2] == ("images", "import"):
            there.append(f"localhost/producer:{arguments[-1].parent.name}")
        elif arguments[:2] == ("images", "rm"):
            for image in arguments[2:]:
                there.remove(image)
        return "CONTAINER IMAGE RUNTIME\n1 localhost/producer:2 io.containerd.runc.v2\n"

    monkeypatch.setattr(node, "_ctr", ctr)
    monkeypatch.setattr(lifecycle.image_layers, "write_missing", lambda *_arguments: False)
    for digest in "23456782":
        parts = {"producer": PartPath(f"/parts/{digest}", digest, image=f"localhost/producer:{digest}")}
        assert node._import_images(parts, ("producer",))
        assert not node._import_images(parts, ("producer",))
    # A container uses the second one all the time, so that it is never removed.
    assert there == [f"localhost/producer:{digest}" for digest in "2782"]
    record = json.loads((node.folder / "node.json").read_text())
    assert record["earlier"]["producer"] == [f"localhost/producer:{digest}" for digest in "782"]


def test_it_was_not_made_to_its_end(node: Node) -> None:
    node.known.initialized = False
    assert not node.is_up(PARTS)


def test_other_parts_of_kubernetes_are_brought_to_the_node(node: Node) -> None:
    assert not node.is_up({**PARTS, "kubernetes": PartPath("/parts/kubernetes", "2")})
    with pytest.raises(NodeError, match="not made without kubernetes, kube-router"):
        node.is_up({})


def test_a_node_from_before_its_own_containerd_is_refused(node: Node) -> None:
    del node.known.parts["containerd"]
    with pytest.raises(NodeError, match="no containerd of their own.*Nothing was touched. Run `make down`"):
        node.refuse_versions({})


RUNNING = """\
kind: ClusterConfiguration
kubernetesVersion: v1.35.4
etcd: {local: {imageTag: v3.6.5}}
"""


@pytest.mark.parametrize("process", [object(), None])
@pytest.mark.parametrize("parts", [{}, {name: {**vars(one), "digest": "2"} for name, one in PARTS.items()}])
def test_check_mode_says_whether_a_node_can_be_upgraded_before_anything_is_built(
    node: Node, monkeypatch: pytest.MonkeyPatch, process: object, parts: dict[str, Any]
) -> None:
    monkeypatch.setattr(Node, "process", process)
    (node.folder / "state/config").mkdir(parents=True)
    (node.folder / "state/config/kubeadm.yml").write_text(RUNNING)
    asked: dict[str, Any] = {"parts": parts, "base": None, "kubeconfig": str(node.folder / "kubeconfig")}
    with pytest.raises(NodeError, match="cluster_kubernetes=1.36"):
        embedded_node.present(
            node, {**asked, "versions": {"kubernetes": "v1.37.2", "etcd": "v3.7.3", "coredns": "v1"}}, True
        )
    if not parts or process is None:
        versions = {"kubernetes": "v1.36.3", "etcd": "v3.7.3", "coredns": "v1"}
        assert embedded_node.present(node, {**asked, "versions": versions}, True) == {"changed": True}


def test_a_machine_without_a_free_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "taken_networks", lambda: ["10.213.0.0/16"])
    with pytest.raises(NodeError, match="No free /30 network is left"):
        Node(tmp_path, tmp_path, Cache(tmp_path / "cache"))._prepare({}, {}, {}, None)


def test_nothing_is_left_of_a_node_that_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    identity = Identity("localcloud-00000000", "lc-00000000", "10.213.0.1", "10.213.0.2")
    kept = [*host.kinds_files(identity.api_server)]
    other = tmp_path / "k8srcp-other.json"
    for path in (*kept, other):
        path.write_text("{}")
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "node.json").write_text(json.dumps({"identity": identity.as_dict(), "process": None}))
    assert Node(folder, tmp_path, Cache(tmp_path / "cache")).down()
    assert list(tmp_path.iterdir()) == [other]
