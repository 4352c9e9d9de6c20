"""Images that are kept for the next node, by a real containerd: killed while they are made, made and taken by two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import running_containerd
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory

from tests.faults.bare_nodes import CACHE

Take = Callable[..., subprocess.Popen[str]]
PROJECT = Path(__file__).resolve().parents[2]
TAKE = """
import json, sys
from pathlib import Path
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import Bases, PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
cache, target, parts, containerd = sys.argv[1:]
parts = {name: PartPath(**part) for name, part in json.loads(parts).items()}
print(json.dumps(Bases(Cache(Path(cache)), PartPath(**json.loads(containerd))).take(parts, Path(target))))
"""


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, str | None]]:
    """containerd, a small image and a larger one, as a toolchain's result names them."""
    builder = Builder(Inventory.read(PROJECT), CACHE, print)
    built = builder.require(["containerd", "pause", "producer"])
    return {name: {"path": str(one.path), "digest": one.digest, "image": one.image} for name, one in built.items()}


@pytest.fixture(scope="module")
def parts(built: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
    """The two images."""
    return {name: one for name, one in built.items() if one["image"]}


@pytest.fixture(scope="module")
def programs(built: dict[str, dict[str, str | None]]) -> Path:
    """Where containerd is."""
    return Path(str(built["containerd"]["path"]))


@pytest.fixture
def take(tmp_path: Path, built: dict[str, dict[str, str | None]], parts: dict[str, dict[str, str | None]]) -> Take:
    """Start a process that takes all images, or those that are named, into a folder of this name."""

    def start(name: str, *wanted: str) -> subprocess.Popen[str]:
        images = {image: part for image, part in parts.items() if not wanted or image in wanted}
        command = [sys.executable, "-c", TAKE, str(tmp_path / "cache"), str(tmp_path / name), json.dumps(images)]
        command.append(json.dumps(built["containerd"]))
        # What a user's umask is must not keep a pod's user from reading its image.
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, umask=0o077)

    return start


def working(folder: Path) -> list[psutil.Process]:
    """The processes that make a base in this cache."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or []) and "unshare" in process.info["cmdline"]:
            found.append(process)
    return found


def unpacked(root: Path, programs: Path, images: list[str]) -> bool:
    """Whether a containerd with this folder has the images unpacked, as containers need them, and no more."""
    with running_containerd(root, programs) as ctr:
        lines = {line.split()[0]: line for line in ctr("images", "check").splitlines()[1:]}
    return all(" incomplete (1/" in lines[image] and lines[image].split()[-1] == "true" for image in images)


def test_a_base_that_is_killed_while_it_is_made(
    tmp_path: Path, take: Take, programs: Path, parts: dict[str, dict[str, str | None]]
) -> None:
    killed = take("one")
    contents = "parts/.node-images-*/containerd/io.containerd.content.v1.content/blobs/sha256/*"
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cache").glob(contents)):
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no content after 60 s"
    begun = working(tmp_path / "cache")
    assert begun
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert psutil.wait_procs(begun, timeout=10)[1] == [], "containerd outlives its maker"
    assert not (tmp_path / "one").exists()
    again = take("two")
    assert json.loads(again.communicate(timeout=300)[0]) == {name: part["digest"] for name, part in parts.items()}
    assert unpacked(tmp_path / "two", programs, [str(part["image"]) for part in parts.values()])
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_two_nodes_that_need_the_same_images_at_once(
    tmp_path: Path, take: Take, programs: Path, parts: dict[str, dict[str, str | None]]
) -> None:
    both = [take("one"), take("two")]
    for process in both:
        assert json.loads(process.communicate(timeout=300)[0]).keys() == parts.keys()
    (base,) = (tmp_path / "cache/parts").iterdir()
    layers = list(base.glob("containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs"))
    assert layers
    assert {path.stat().st_mode & 0o777 for path in layers} == {0o755}
    before = {path: path.lstat().st_mtime_ns for path in base.rglob("*")}
    for name in ("one", "two"):
        assert unpacked(tmp_path / name, programs, [str(part["image"]) for part in parts.values()])
    assert {path: path.lstat().st_mtime_ns for path in base.rglob("*")} == before, "a node wrote into what it shares"


@pytest.mark.parametrize("where", ["io.containerd.content.v1.content/blobs/sha256", "io.containerd.metadata.v1.bolt"])
def test_a_base_that_was_damaged_is_made_again(
    tmp_path: Path,
    take: Take,
    programs: Path,
    parts: dict[str, dict[str, str | None]],
    where: str,
) -> None:
    take("one", "pause").communicate(timeout=300)
    (base,) = (tmp_path / "cache/parts").iterdir()
    largest = max((base / "containerd" / where).iterdir(), key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    again = take("two", "pause")
    assert json.loads(again.communicate(timeout=300)[0]) == {"pause": parts["pause"]["digest"]}
    assert unpacked(tmp_path / "two", programs, [str(parts["pause"]["image"])])
