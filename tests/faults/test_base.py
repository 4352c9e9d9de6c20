"""What a new node begins with, by a real etcd: killed while it is written, damaged in the cache, taken by two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import base, base_store, etcd, host, lifecycle
from ansible_collections.localcloud.stack.plugins.module_utils.node.base import Stored
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import BaseInputs, Node
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import remove

from tests.faults.bare_nodes import CACHE, get

PROJECT = Path(__file__).resolve().parents[2]
MEMBER = ("of-the-test", "https://192.0.2.1:2380")
FILL = """
import sys
from pathlib import Path
from ansible_collections.localcloud.stack.plugins.module_utils.node import etcd
program, data, name, peer = sys.argv[1:]

def pairs():
    number = 0
    while True:
        yield f"/registry/{number}", b"x" * 1000
        number += 1
        if number == 1000:
            print("begun", flush=True)

etcd.fill(Path(program), name, peer, Path(data), pairs())
"""


@pytest.fixture(scope="module")
def program() -> Path:
    built = Builder(Inventory.read(PROJECT), CACHE, print).require(["etcd"])
    return Path(built["etcd"].path) / "etcd"


def held(program: Path, data: Path) -> dict[str, bytes]:
    """All that an etcd with this data folder has."""
    with etcd.running(program, *MEMBER, data) as client:
        return etcd.everything(client)


def test_more_than_one_request_takes(program: Path, tmp_path: Path) -> None:
    written = {f"/registry/{number:04}": f"<{number}>".encode() * 1000 for number in range(etcd.OPERATIONS * 2 + 1)}
    etcd.fill(program, *MEMBER, tmp_path / "etcd", written.items())
    assert held(program, tmp_path / "etcd") == written
    assert (tmp_path / "etcd").stat().st_mode & 0o777 == 0o700


def test_a_maker_that_is_killed_leaves_no_etcd(program: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(program), str(tmp_path / "etcd"), *MEMBER]
    maker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert maker.stdout
    assert maker.stdout.readline() == "begun\n"
    children = psutil.Process(maker.pid).children(recursive=True)
    assert [child.name() for child in children] == ["etcd"]
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == [], "etcd outlives its maker"


def test_an_etcd_that_cannot_start(program: Path, tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("no folder")
    with pytest.raises(etcd.NodeError, match="etcd can't be started"):
        etcd.fill(program, *MEMBER, tmp_path / "etcd", [])


# Kinds and objects of Kubernetes' own, as the API answers them, and one without a status, as nothing runs yet.
NAMESPACE = "of-the-base"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "orders.test.crossplane.io",
        "uid": str(uuid.UUID(int=1)),
        "creationTimestamp": base.TIME_HERE,
    },
    "spec": {
        "group": "test.crossplane.io",
        "names": {"plural": "orders", "singular": "order", "kind": "Order", "listKind": "OrderList"},
        "scope": "Cluster",
        "conversion": {"strategy": "None"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
    "status": {
        "acceptedNames": {"plural": "orders", "singular": "order", "kind": "Order", "listKind": "OrderList"},
        "storedVersions": ["v1"],
        "conditions": [
            {"type": name, "status": "True", "reason": "Test", "message": "", "lastTransitionTime": base.TIME_HERE}
            for name in ("NamesAccepted", "Established")
        ],
    },
}
LABELS = {"localcloud.dev/owner": base.OWNER_HERE}
BASE = [
    Stored("/registry/apiextensions.k8s.io/customresourcedefinitions/orders.test.crossplane.io", DEFINITION),
    Stored(
        "/registry/test.crossplane.io/orders/first",
        {
            "apiVersion": "test.crossplane.io/v1",
            "kind": "Order",
            "metadata": {
                "name": "first",
                "uid": str(uuid.UUID(int=2)),
                "creationTimestamp": base.TIME_HERE,
                "labels": LABELS,
            },
        },
    ),
    Stored(
        f"/registry/namespaces/{NAMESPACE}",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "uid": str(uuid.UUID(int=3)), "creationTimestamp": base.TIME_HERE},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        },
    ),
]


def test_two_nodes_that_begin_with_one_base(
    start: Callable[[str, BaseInputs], Node], parts: dict[str, PartPath]
) -> None:
    inputs = BaseInputs((), {"test": str(uuid.uuid4())})
    first = start("first", inputs)
    digest = first.known.unkept
    assert digest, "there is a base already"
    try:
        base_store.keep(CACHE, digest, BASE)
        nodes = [start(name, inputs) for name in ("second", "third")]
        assert [node.known.unkept for node in nodes] == ["", ""]
        assert not [note for node in nodes for note in node.notes if note != host.old_cgroups()]
        orders = [get(node, parts, "orders.test.crossplane.io", "first") for node in nodes]
        assert [order["metadata"]["labels"]["localcloud.dev/owner"] for order in orders] == [
            node.identity.name for node in nodes
        ]
        identities = [
            {get(node, parts, "namespace", name)["metadata"]["uid"] for name in ("kube-system", NAMESPACE)}
            | {get(node, parts, "serviceaccount", "default", "-n", NAMESPACE)["metadata"]["uid"]}
            for node in (first, *nodes)
            if node is not first
        ]
        assert not identities[0] & identities[1], "what stands for a cluster is shared"
        authorities = {(node.folder / "state/etc-kubernetes/pki/ca.crt").read_text() for node in nodes}
        keys = {(node.folder / "state/etc-kubernetes/pki/sa.key").read_text() for node in nodes}
        assert (len(authorities), len(keys)) == (2, 2)
        for node in nodes:
            trusted = get(node, parts, "configmap", "kube-root-ca.crt", "-n", NAMESPACE)["data"]["ca.crt"]
            assert trusted == (node.folder / "state/etc-kubernetes/pki/ca.crt").read_text()
    finally:
        remove(CACHE.path(base_store.PREFIX, digest))


def test_a_node_begins_without_a_base_that_is_damaged(
    start: Callable[[str, BaseInputs], Node], parts: dict[str, PartPath]
) -> None:
    inputs = BaseInputs((), {"test": str(uuid.uuid4())})
    programs = {name: parts[name].digest for name in lifecycle.PROGRAMS}
    digest = base.base_digest({**programs, "etcd": parts["etcd"].digest}, inputs.settings)
    base_store.keep(CACHE, digest, BASE)
    path = CACHE.path(base_store.PREFIX, digest) / base_store.OBJECTS
    os.truncate(path, path.stat().st_size // 2)
    node = start("only", inputs)
    assert node.known.unkept == digest
    assert not CACHE.has(base_store.PREFIX, digest)
    assert NAMESPACE not in {one["metadata"]["name"] for one in get(node, parts, "namespaces")["items"]}
