"""A stack in one file: what is in it comes out as it was, or nothing does."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from ansible_collections.localcloud.stack.plugins.module_utils.node import snapshot
from ansible_collections.localcloud.stack.plugins.module_utils.node.snapshot import Manifest, SnapshotError
from hypothesis import given, settings
from hypothesis import strategies as st

MANIFEST = Manifest(
    format=snapshot.FORMAT,
    created="2026-11-30T22:00:00Z",
    architecture="x86_64",
    kubernetes="1.37",
    identity={
        "name": "localcloud-1a2b3c4d",
        "interface": "lc-1a2b3c4d",
        "host_address": "10.213.0.1",
        "node_address": "10.213.0.2",
    },
    parts={"kubernetes": "1"},
    images={"producer": "2"},
    roots={"state": "/old/.localcloud", "project": "/old", "cache": "/home/a/.cache/localcloud"},
    engine="ministack",
    blueprints=["pipeline"],
)
NAMES = st.text("abc.-_", min_size=1, max_size=8).filter(lambda name: name.strip("."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda names: "".join(f"d{name}/" for name in names[1:]) + f"f{names[0]}"
)
FILES = st.dictionaries(PATHS, st.binary(max_size=300), max_size=6)


def write(path: Path, tree: Path) -> Path:
    with snapshot.writing(path, MANIFEST) as archive:
        archive.add(snapshot.NODE, tree)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A node's state: a file that others may read, one that they may not, twice the same, links, and what is none of it."""
    root = tmp_path / "tree"
    (root / "pki").mkdir(parents=True)
    (root / "pki").chmod(0o2750)
    (root / "pki/ca.key").write_bytes(os.urandom(200_000))
    (root / "pki/ca.key").chmod(0o600)
    os.link(root / "pki/ca.key", root / "pki/same.key")
    (root / "current.pem").symlink_to("/var/lib/kubelet/pki/one.pem")
    os.mkfifo(root / "plugged")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "kubelet.sock"))
    return root


@settings(max_examples=30, deadline=None)
@given(FILES)
def test_what_is_in_it_comes_out_as_it_was(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for name, content in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        manifest = snapshot.unpack(write(Path(folder) / "one", tree), Path(folder) / "out")
        assert manifest == MANIFEST
        out = Path(folder) / "out" / snapshot.NODE
        found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        assert found == files


def test_modes_and_links_stay_and_sockets_are_left_out(tree: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "one", tree)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    snapshot.unpack(path, tmp_path / "out")
    out = tmp_path / "out" / snapshot.NODE
    assert sorted(one.name for one in out.rglob("*")) == ["ca.key", "current.pem", "pki", "same.key"]
    assert stat.S_IMODE((out / "pki").stat().st_mode) == 0o2750
    assert stat.S_IMODE((out / "pki/ca.key").stat().st_mode) == 0o600
    assert (out / "pki/same.key").read_bytes() == (tree / "pki/ca.key").read_bytes()
    assert os.readlink(out / "current.pem") == "/var/lib/kubelet/pki/one.pem"


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9])
def test_one_that_is_cut_off_is_not_used(tree: Path, tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "one", tree)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(SnapshotError, match=r"damaged, cut off, or no snapshot .* Nothing was touched"):
        snapshot.unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_one_that_was_altered_is_not_used(tree: Path, tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "one", tree)
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 255
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="damaged"):
        snapshot.unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, link
    return one


@pytest.mark.parametrize(
    "members",
    [
        [member("node/../../outside")],
        [member("/outside")],
        [member("other/file")],
        [member("node/device", tarfile.CHRTYPE)],
        [member("node/hard", tarfile.LNKTYPE, "../outside")],
        [member("node/link", tarfile.SYMTYPE, "/tmp"), member("node/link/outside")],
        [member("node/link", tarfile.SYMTYPE, "/tmp/outside"), member("node/link")],
    ],
)
def test_nothing_is_written_outside_of_its_folder(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    text = json.dumps(MANIFEST.__dict__).encode()
    with (
        open(tmp_path / "one", "wb") as file,
        zstandard.ZstdCompressor().stream_writer(file) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        first = tarfile.TarInfo(snapshot.MANIFEST)
        first.size = len(text)
        tar.addfile(first, io.BytesIO(text))
        for one in members:
            tar.addfile(one)
    with pytest.raises(SnapshotError, match="does not belong into one"):
        snapshot.unpack(tmp_path / "one", tmp_path / "out")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one"]


def test_what_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(SnapshotError, match="damaged, cut off, or no snapshot"):
        snapshot.read_manifest(tmp_path / "text")
    with pytest.raises(SnapshotError, match="There is no snapshot"):
        snapshot.read_manifest(tmp_path / "none")
    (tmp_path / "tree").mkdir()
    with snapshot.writing(tmp_path / "newer", replace(MANIFEST, format=99)):
        pass
    with pytest.raises(SnapshotError, match="has the format 99, and this version reads 1"):
        snapshot.read_manifest(tmp_path / "newer")


def test_one_that_could_not_be_written_whole_is_none(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), snapshot.writing(tmp_path / "one", MANIFEST):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_names_and_paths() -> None:
    folder, base = Path("/s"), Path("/here")
    assert snapshot.path_of(folder, "before.1", base) == Path("/s/before.1.tar.zst")
    assert snapshot.path_of(folder, "before.tar.zst", base) == Path("/s/before.tar.zst")
    assert snapshot.path_of(folder, "./a b.tar.zst", base) == Path("/here/a b.tar.zst")
    assert snapshot.path_of(folder, "/x/one", base) == Path("/x/one")
    for name in ("", ".", "..", "-x", "a b", "a\nb", "ä", "x" * 64):
        with pytest.raises(SnapshotError, match="can't be the name of a snapshot"):
            snapshot.path_of(folder, name, base)


def test_paths_begin_with_the_new_folders() -> None:
    new = {"state": "/new/.localcloud", "project": "/new", "cache": "/c"}
    old = {
        "a": ["/old/.localcloud/kubeconfig", "/old", "/older", 3],
        "b": {"c": "/home/a/.cache/localcloud/parts/helm-1"},
    }
    assert snapshot.relocated(old, MANIFEST.roots, new) == {
        "a": ["/new/.localcloud/kubeconfig", "/new", "/older", 3],
        "b": {"c": "/c/parts/helm-1"},
    }


@pytest.mark.parametrize("folder", ["/new", "/a b", "/it's"])
def test_a_shell_gets_the_new_folders(folder: str) -> None:
    new = {"state": f"{folder}/.localcloud", "project": folder, "cache": "/c"}
    text = "export A=/old/.localcloud/kubeconfig\nexport B=/older PATH=/old:$PATH\nf() { /home/a/.cache/localcloud/parts/x/y; }\n"
    found = snapshot.relocated_shell(text + 'printf "%s\\n" "$A" "$B"\n', MANIFEST.roots, new)
    assert found
    assert "/c/parts/x/y" in found
    done = subprocess.run(["bash", "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{folder}/.localcloud/kubeconfig", "/older"]
    assert snapshot.relocated_shell(text, MANIFEST.roots, MANIFEST.roots) == text
    assert snapshot.relocated_shell(text, {**MANIFEST.roots, "project": "/o'ld"}, new) is None


def test_what_is_remembered_is_that_of_the_snapshot(tmp_path: Path) -> None:
    unpacked, state = tmp_path / "unpacked", tmp_path / "state"
    (unpacked / snapshot.REMEMBERED).mkdir(parents=True)
    state.mkdir()
    (unpacked / snapshot.REMEMBERED / "cluster.json").write_text('{"kubeconfig": "/old/.localcloud/kubeconfig"}')
    (state / "git-password").write_text("of the stack before")
    snapshot.put_back(unpacked, state, MANIFEST.roots, {"state": str(state), "project": "/new", "cache": "/c"})
    assert [one.name for one in state.iterdir()] == ["cluster.json"]
    assert json.loads((state / "cluster.json").read_text()) == {"kubeconfig": f"{state}/kubeconfig"}
    assert stat.S_IMODE((state / "cluster.json").stat().st_mode) == 0o600


def test_all_are_listed_the_oldest_first(tmp_path: Path) -> None:
    for name, day in (("b", "01"), ("a", "02")):
        with snapshot.writing(tmp_path / f"{name}.tar.zst", replace(MANIFEST, created=f"2026-12-{day}T00:00:00Z")):
            pass
    (tmp_path / "broken.tar.zst").write_text("x")
    found = [(path.name, manifest and manifest.created[:10]) for path, manifest in snapshot.everything(tmp_path)]
    assert found == [("broken.tar.zst", None), ("b.tar.zst", "2026-12-01"), ("a.tar.zst", "2026-12-02")]
