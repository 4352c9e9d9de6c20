"""Which snapshots a machine can have, and what is said of the others before anything is touched."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.node import host, snapshot
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import Node
from ansible_collections.localcloud.stack.plugins.module_utils.node.snapshot import Manifest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.modules import stack_snapshot

PROJECT = Path(__file__).resolve().parents[4]
IDENTITY = {
    "name": "localcloud-1a2b3c4d",
    "interface": "lc-1a2b3c4d",
    "host_address": "10.213.0.1",
    "node_address": "10.213.0.2",
}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def manifest() -> Manifest:
    """Of a node that this checkout would make on this machine."""
    digests = Inventory.read(PROJECT).digests
    return Manifest(
        format=snapshot.FORMAT,
        created="2026-11-30T22:00:00Z",
        architecture=platform.machine(),
        kubernetes="1.37",
        identity=IDENTITY,
        parts={"kubernetes": digests["kubernetes"]},
        images={"ministack": digests["ministack"]},
        roots={"state": "/old/.localcloud", "project": "/old", "cache": "/c"},
        engine="ministack",
        blueprints=["pipeline"],
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the module for a checkout at tmp_path, on a machine with no other network."""
    monkeypatch.setattr(host, "interface_exists", lambda _name: False)
    monkeypatch.setattr(host, "taken_networks", lambda: ["192.0.2.0/24"])

    def call(state: str, name: str = "one", check_mode: bool = False) -> dict[str, Any]:
        params = {
            "state": state,
            "name": name,
            "base": str(tmp_path),
            "folder": str(tmp_path / ".localcloud"),
            "checkout": str(tmp_path),
            "project": str(PROJECT),
            "engine": "ministack",
            "blueprints": ["pipeline"],
            "emulator": None,
            "cache": str(tmp_path / "cache"),
        }
        return stack_snapshot.run(params, check_mode)

    return call


def write(folder: Path, manifest: Manifest, name: str = "one") -> Path:
    """A snapshot whose node has one file."""
    state = folder / "state"
    state.mkdir()
    (state / "here").write_text("saved")
    path = folder / f".localcloud/snapshots/{name}.tar.zst"
    with snapshot.writing(path, manifest) as archive:
        archive.add(snapshot.NODE, state)
        archive.add_text(f"{snapshot.REMEMBERED}/cluster.json", '{"kubeconfig": "/old/.localcloud/kubeconfig"}')
    return path


def test_a_stack_takes_the_place_of_what_is_there(run: Run, tmp_path: Path, manifest: Manifest) -> None:
    write(tmp_path, manifest)
    predicted = run("restored", check_mode=True)
    state = tmp_path / ".localcloud"
    assert not (state / "node").exists()
    assert run("restored") == predicted
    assert (state / "node/state/here").read_text() == "saved"
    record = json.loads((state / "node/node.json").read_text())
    assert (record["identity"], record["restored"], record["process"]) == (IDENTITY, dict(manifest.images), None)
    assert json.loads((state / "cluster.json").read_text()) == {"kubeconfig": f"{state}/kubeconfig"}
    assert sorted(one.name for one in state.iterdir()) == ["cluster.json", "node", "node.lock", "snapshots"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": "vax"}, "The snapshot is of a machine with vax"),
        (
            {"images": {"ministack": "0" * 16}},
            "made with parts that are neither those of this checkout nor in .*: ministack",
        ),
        ({"parts": {"of-no-one": "1"}}, "of-no-one"),
    ],
)
def test_what_this_machine_can_not_have_is_refused(
    run: Run, tmp_path: Path, manifest: Manifest, change: dict[str, Any], says: str
) -> None:
    write(tmp_path, replace(manifest, **change))
    with pytest.raises(ModuleError, match=f"{says}.*Nothing was touched"):
        run("restored")
    assert not (tmp_path / ".localcloud/node").exists()


def test_an_image_that_only_the_cache_has_will_do(run: Run, tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "cache/parts" / f"image-web-{'0' * 16}").mkdir(parents=True)
    write(tmp_path, replace(manifest, images={"image-web": "0" * 16}))
    assert run("restored", check_mode=True)["changed"]


@pytest.mark.parametrize(
    ("interface", "networks"), [(True, []), (False, ["10.213.0.0/16"]), (False, ["10.213.0.2/32"])]
)
def test_a_name_or_an_address_that_is_taken(
    run: Run, tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, interface: bool, networks: list[str]
) -> None:
    monkeypatch.setattr(host, "interface_exists", lambda _name: interface)
    monkeypatch.setattr(host, "taken_networks", lambda: networks)
    write(tmp_path, manifest)
    with pytest.raises(
        ModuleError, match="localcloud-1a2b3c4d at 10.213.0.2, and this machine uses .* Run `make down` there"
    ):
        run("restored")
    assert not (tmp_path / ".localcloud/node").exists()


def test_its_own_node_gives_way(run: Run, tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that runs here is the saved one, so its name and addresses are free."""
    monkeypatch.setattr(host, "interface_exists", lambda _name: True)
    monkeypatch.setattr(host, "taken_networks", lambda: ["10.213.0.0/30"])
    monkeypatch.setattr(Node, "down", lambda _self: True)
    write(tmp_path, manifest)
    node = tmp_path / ".localcloud/node"
    node.mkdir()
    (node / "node.json").write_text(json.dumps({"identity": IDENTITY}))
    assert run("restored", check_mode=True)["changed"]


def test_there_is_nothing_to_save(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="No node runs in .*Run `make up` first"):
        run("saved")
    assert not (tmp_path / ".localcloud/snapshots").exists()


def test_none_is_replaced(run: Run, tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "snapshot_facts", lambda _self: {})
    path = write(tmp_path, manifest)
    before = path.read_bytes()
    with pytest.raises(ModuleError, match="There is a snapshot .* already, and none is replaced"):
        run("saved")
    assert path.read_bytes() == before
