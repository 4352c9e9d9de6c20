"""Images that are kept for the next node: made once, whole, and taken only as they were made."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import images
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import NodeError
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import Bases, Manifest, PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache

LAYER = Path("io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/sh")


class Containerd:
    """In place of a containerd that imports: writes what it would keep, and counts."""

    def __init__(self) -> None:
        self.imported: list[list[Path]] = []

    def fill(self, root: Path, _programs: Path, archives: list[Path]) -> None:
        self.imported.append(archives)
        (root / LAYER).parent.mkdir(parents=True)
        (root / LAYER).write_text("".join(archive.read_text() for archive in archives))
        (root / "link").symlink_to("nowhere")
        for name in images.DATABASES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("database")


CONTAINERD = PartPath("/parts/containerd", "1")


@pytest.fixture
def containerd(monkeypatch: pytest.MonkeyPatch) -> Containerd:
    made = Containerd()
    monkeypatch.setattr(images, "fill", made.fill)
    return made


@pytest.fixture
def bases(tmp_path: Path, containerd: Containerd) -> Bases:
    return Bases(Cache(tmp_path / "cache"), CONTAINERD)


def parts(folder: Path, **sizes: int) -> dict[str, PartPath]:
    """Images of these sizes, and one part that is none."""
    made = {"helm": PartPath(str(folder), "1")}
    for name, size in sizes.items():
        part = PartPath(str(folder / name), f"{name}-1", image=f"localhost/{name}:1")
        part.archive.parent.mkdir(exist_ok=True)
        part.archive.write_text(name[0] * size)
        made[name] = part
    return made


def only_base(bases: Bases) -> Path:
    (found,) = bases.cache.results.glob("node-images-*")
    return found


def test_it_is_made_once_and_taken_by_every_node(bases: Bases, containerd: Containerd, tmp_path: Path) -> None:
    wanted = parts(tmp_path, etcd=10, pause=1)
    for name in ("one", "two"):
        assert bases.take(wanted, tmp_path / name) == {"etcd": "etcd-1", "pause": "pause-1"}
    assert len(containerd.imported) == 1
    one, two = tmp_path / "one", tmp_path / "two"
    assert (one / LAYER).samefile(two / LAYER)
    assert os.readlink(one / "link") == "nowhere"
    assert not (one / images.MANIFEST).exists()


def test_what_a_node_writes_into_a_database_is_its_own(bases: Bases, tmp_path: Path) -> None:
    wanted = parts(tmp_path, etcd=10)
    bases.take(wanted, tmp_path / "one")
    for name in images.DATABASES:
        with open(tmp_path / "one" / name, "r+") as database:
            database.write("DATA")
    bases.take(wanted, tmp_path / "two")
    assert {(tmp_path / "two" / name).read_text() for name in images.DATABASES} == {"database"}


def test_a_changed_application_costs_no_new_base(bases: Bases, containerd: Containerd, tmp_path: Path) -> None:
    wanted = parts(tmp_path, etcd=80, producer=20)
    bases.take(wanted, tmp_path / "one")
    changed = {**wanted, "producer": PartPath(wanted["producer"].path, "producer-2", image="localhost/producer:2")}
    found = bases.take(changed, tmp_path / "two")
    assert len(containerd.imported) == 1
    assert found["producer"] == "producer-1", "so the node imports producer-2 itself"


def test_where_most_is_missing_one_is_made_and_the_best_is_taken(
    bases: Bases, containerd: Containerd, tmp_path: Path
) -> None:
    bases.take(parts(tmp_path, etcd=10, localstack=90), tmp_path / "one")
    bases.take(parts(tmp_path, etcd=10, ministack=50), tmp_path / "two")
    assert len(containerd.imported) == 2
    found = bases.take(parts(tmp_path, etcd=10), tmp_path / "three")
    assert found.items() >= {"etcd": "etcd-1"}.items()
    assert len(containerd.imported) == 2


@pytest.mark.parametrize("damage", ["content", "truncated", "gone", "database", "manifest", "half a manifest"])
def test_a_damaged_base_is_made_again(bases: Bases, containerd: Containerd, tmp_path: Path, damage: str) -> None:
    wanted = parts(tmp_path, etcd=10)
    bases.take(wanted, tmp_path / "one")
    base = only_base(bases)
    layer, database = base / "containerd" / LAYER, base / "containerd" / images.DATABASES[0]
    time = database.stat().st_mtime_ns
    {
        "content": lambda: layer.write_text("x" * 10),
        "truncated": lambda: os.truncate(layer, 3),
        "gone": layer.unlink,
        "database": lambda: (database.write_text("DATABASE"), os.utime(database, ns=(time, time))),
        "manifest": (base / "manifest.json").unlink,
        "half a manifest": lambda: (base / "manifest.json").write_text('{"format": 1,'),
    }[damage]()
    assert bases.take(wanted, tmp_path / "two") == {"etcd": "etcd-1"}
    assert len(containerd.imported) == 2
    assert (tmp_path / "two" / LAYER).read_text() == "e" * 10
    bases.take(wanted, tmp_path / "three")
    assert len(containerd.imported) == 2


def test_what_a_killed_run_left_is_not_taken(bases: Bases, containerd: Containerd, tmp_path: Path) -> None:
    wanted = parts(tmp_path, etcd=10)
    bases.take(wanted, tmp_path / "one")
    base = only_base(bases)
    base.rename(base.with_name(f".{base.name}"))
    bases.take(wanted, tmp_path / "two")
    assert len(containerd.imported) == 2


@pytest.mark.parametrize("what", ["containerd", "format"])
def test_another_version_is_not_taken(
    bases: Bases, containerd: Containerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    wanted = parts(tmp_path, etcd=10)
    bases.take(wanted, tmp_path / "one")
    if what == "format":
        monkeypatch.setattr(images, "FORMAT", images.FORMAT + 1)
    later = Bases(bases.cache, PartPath("", "2") if what == "containerd" else CONTAINERD)
    later.take(wanted, tmp_path / "two")
    assert len(containerd.imported) == 2


def test_two_nodes_at_once(bases: Bases, containerd: Containerd, tmp_path: Path) -> None:
    wanted = parts(tmp_path, etcd=10)
    taken: list[dict[str, str]] = []
    nodes = [
        threading.Thread(target=lambda name=name: taken.append(bases.take(wanted, tmp_path / name)))
        for name in ("one", "two", "three")
    ]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join(10)
    assert taken == [{"etcd": "etcd-1"}] * 3
    assert len(containerd.imported) == 1


def test_only_the_last_used_ones_are_kept(bases: Bases, tmp_path: Path) -> None:
    for number in range(images.KEPT + 2):
        name = f"image{number}"
        bases.take(parts(tmp_path, **{name: 10}), tmp_path / f"node{number}")
        manifest = next(base for base in bases.cache.results.glob("node-images-*") if name in str(Manifest.read(base)))
        os.utime(manifest / images.MANIFEST, (number, number))
    kept = [Manifest.read(base) for base in bases.cache.results.glob("node-images-*")]
    assert {name for manifest in kept if manifest for name in manifest.images} == {
        f"image{number}" for number in range(2, images.KEPT + 2)
    }


def test_nothing_is_left_where_it_cannot_be_taken(
    bases: Bases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = parts(tmp_path, etcd=10)
    bases.take(wanted, tmp_path / "one")

    def fail(*_files: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(images.shutil, "copy2", fail)
    with pytest.raises(OSError, match="disk full"):
        bases.take(wanted, tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_bases_that_never_stay_as_they_were_made_are_given_up(
    bases: Bases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "intact", lambda _base, _manifest: False)
    with pytest.raises(NodeError, match="changed after they were made"):
        bases.take(parts(tmp_path, etcd=10), tmp_path / "one")


def test_programs_in_images_are_one_file_with_the_same_built_ones(tmp_path: Path) -> None:
    large = b"p" * images.LARGE_BYTES
    for name, content in {
        "parts/kubernetes/kubelet": large + b"1",
        "root/1/fs/kubelet": large + b"1",
        "root/2/fs/other": large + b"2",
        "root/3/fs/private": large + b"1",
        "root/4/fs/small": b"1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "root/3/fs/private").chmod(0o600)
    (tmp_path / "root/4/fs/link").symlink_to("/nowhere")
    images.share(tmp_path / "root", [tmp_path / "parts/kubernetes"])
    linked = [
        path.name for path in sorted((tmp_path / "root").rglob("*")) if path.is_file() and path.stat().st_nlink > 1
    ]
    assert linked == ["kubelet"]
    assert (tmp_path / "root/1/fs/kubelet").samefile(tmp_path / "parts/kubernetes/kubelet")


def test_layers_are_given_up_only_while_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    running = threading.Semaphore(2)

    @contextmanager
    def fake(_root: Path, _programs: Path) -> Iterator[Callable[..., str]]:
        def ctr(*words: str | Path) -> str:
            if words[0] == "images":
                with running:
                    calls.append(Path(words[-1]).name)
            else:
                assert running.acquire(blocking=False)
                assert running.acquire(blocking=False)
                running.release(2)
                calls.append(" ".join(map(str, words)))
            return ""

        yield ctr

    monkeypatch.setattr(images, "running_containerd", fake)
    archives = [tmp_path / name for name in "abc"]
    for size, path in enumerate(archives):
        path.write_bytes(b"x" * size)
    images.fill(tmp_path / "root", tmp_path, archives)
    prune = "content prune references"
    assert (sorted(calls[:2]), calls[2:]) == (["b", "c"], [prune, "a", prune])
