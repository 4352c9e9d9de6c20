"""The host's cgroups: made for a node, and afterwards as before."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import host
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import NodeError
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import Identity

NODE = Identity("localcloud-00000000", "lc-00000000", "10.213.0.1", "10.213.0.2")


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of cgroup v2 that hands down cpu, and does with what is written what the kernel does."""
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    control = tmp_path / "cgroup.subtree_control"
    control.write_text("cpu")
    plain = Path.write_text

    def write(path: Path, text: str, *rest: Any) -> int:
        if path.name != "cgroup.subtree_control":
            return plain(path, text, *rest)
        now = set(path.read_text().split()) if path.exists() else set()
        for word in text.split():
            if word[0] == "-" and any(word[1:] in one.read_text() for one in tmp_path.glob("*/cgroup.subtree_control")):
                raise OSError(errno.EBUSY, "Device or resource busy", str(path))
            now = now | {word[1:]} if word[0] == "+" else now - {word[1:]}
        return plain(path, " ".join(sorted(now)))

    monkeypatch.setattr(Path, "write_text", write)
    return tmp_path


def test_controllers_are_as_before_afterwards(cgroups: Path) -> None:
    handed_down = host.missing_controllers()
    assert handed_down == ["memory", "pids"]
    host.make_cgroups(NODE)
    assert (cgroups / "cgroup.subtree_control").read_text() == "cpu memory pids"
    assert host.missing_controllers() == []
    # The kernel removes a group's files with it.
    (cgroups / NODE.name / "cgroup.subtree_control").unlink()
    host.remove_cgroups(NODE)
    host.restore_controllers(handed_down)
    assert (cgroups / "cgroup.subtree_control").read_text() == "cpu"


def test_controllers_that_another_node_uses_stay(cgroups: Path) -> None:
    handed_down = host.missing_controllers()
    host.make_cgroups(NODE)
    host.restore_controllers(handed_down)
    assert (cgroups / "cgroup.subtree_control").read_text() == "cpu memory pids"


def test_cgroup_v1_has_no_controllers_to_hand_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    (tmp_path / "memory").mkdir()
    host.make_cgroups(NODE)
    assert (tmp_path / "memory" / NODE.name).is_dir()
    assert host.missing_controllers() == []


@pytest.mark.parametrize("file", ["cpu/{}/cpu.shares", "{}/cpu.weight"])
@pytest.mark.parametrize(
    ("cpus", "systemd", "shares"), [(4, False, (4096, 400)), (128, False, (131072, 10000)), (4, True, (1, 1))]
)
def test_a_node_has_the_weight_of_its_cpus_where_no_slices_share_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, cpus: int, systemd: bool, shares: tuple[int, int]
) -> None:
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    monkeypatch.setattr(host, "SYSTEMD", tmp_path if systemd else tmp_path / "none")
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    path = tmp_path / file.format(NODE.name)
    path.parent.mkdir(parents=True)
    path.write_text("1")
    host.make_cgroups(NODE)
    assert int(path.read_text()) == shares["weight" in file]


@pytest.mark.parametrize(("number", "says"), [(errno.EBUSY, "has processes itself"), (errno.EROFS, "is read-only")])
def test_a_container_without_cgroups_of_its_own_is_told_what_to_do(
    cgroups: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(path: Path, *_rest: Any, **_named: Any) -> None:
        raise OSError(number, "no", str(path))

    monkeypatch.setattr(Path, "write_text" if number == errno.EBUSY else "mkdir", refuse)
    with pytest.raises(NodeError, match=says) as refused:
        host.make_cgroups(NODE)
    assert "--cgroupns=host" in str(refused.value)


def test_whether_cgroups_can_be_made_is_known_before(cgroups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.has_cgroups()
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert not host.has_cgroups()
    monkeypatch.setattr(host, "CGROUPS", cgroups / "none")
    assert not host.has_cgroups()
    host.remove_cgroups(NODE)


def test_a_machine_without_any_cgroups_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CGROUPS", tmp_path / "none")
    with pytest.raises(NodeError, match="is read-only or missing"):
        host.make_cgroups(NODE)


def test_who_takes_a_connection_and_says_nothing_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert host.hangs(f"http://{address}", 0.2)
        assert host.hangs(f"https://{address}", 0.2)
    assert not host.hangs(f"http://{address}", 0.2), "nobody is there, so somebody may be starting"


def test_who_refuses_to_answer_does_not_hang() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def refuse() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

        refusing = pool.submit(refuse)
        assert not host.hangs(f"http://127.0.0.1:{server.getsockname()[1]}", 5)
        refusing.result()


def test_a_machine_with_cgroup_v1_is_told_of_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    assert "cgroup v1, which Kubernetes has deprecated" in (host.old_cgroups() or "")
    (tmp_path / "cgroup.controllers").touch()
    assert host.old_cgroups() is None
