# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images that are imported and unpacked once, for all nodes made later.

A base is containerd's root folder as it is after the import of images, made by a containerd of its own: no node, no container and nothing of a
user was ever in it. It lies in the cache beside the parts, under a digest of its inputs, and appears whole or not at all. A node takes it
by hard links: containerd replaces and removes files of contents and layers, but never writes into one that is complete. Its databases are
written in place, so they are copied.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import for_machine
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from ..toolchain.cache import Cache, remove
from ..toolchain.containerd import IMPORT
from . import config, host
from .host import NodeError

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil

# Raise it when what a base consists of changes, so that no older one is taken.
FORMAT = 1
PREFIX = "node-images"
MANIFEST = "manifest.json"
CONTAINERD = "containerd"
DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")
# Of the bytes of the wanted images. With fewer missing, the node imports those by itself, so a changed application costs no new base.
MAKE_ABOVE = 0.25
# Bases in the cache, the last used ones. Stacks with different engines or additions have one each.
KEPT = 4
# A program is larger than that.
LARGE_BYTES = 1024**2
# More bases than that are not damaged by chance.
ATTEMPTS = KEPT + 2


@dataclass(frozen=True)
class PartPath:
    """A built part: its folder, the digest of its inputs, and its image if it is one."""

    path: str
    digest: str
    image: str | None = None

    @property
    def archive(self) -> Path:
        """The image, as `docker save` writes it."""
        return Path(self.path) / "image.tar"


@dataclass(frozen=True)
class Manifest:
    """What a base is. `images`: the part's digest by its name; `tree`: fingerprint() of the folder."""

    format: int
    containerd: str
    images: Mapping[str, str]
    tree: str

    @classmethod
    def read(cls, base: Path) -> Manifest | None:
        """The manifest of a base, or None if there is none that can be read."""
        try:
            return cls(**json.loads((base / MANIFEST).read_text()))
        except (OSError, ValueError, TypeError):
            return None


def base_digest(containerd: str, images: Mapping[str, str]) -> str:
    """The digest of a base's inputs: those of containerd, and of the images by name."""
    inputs = json.dumps([FORMAT, containerd, dict(images)], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()[:16]


def fingerprint(root: Path) -> str:
    """Digest of what files a folder has, by path, kind, size and time, and of the content of containerd's databases."""
    digest = hashlib.sha256()
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted([*files, *(name for name in names if os.path.islink(os.path.join(folder, name)))]):
            path = os.path.join(folder, name)
            known = os.lstat(path)
            digest.update(f"{path[len(str(root)) :]}\0{known.st_mode}\0{known.st_size}\0{known.st_mtime_ns}\n".encode())
    for name in DATABASES:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def best(manifests: Mapping[Path, Manifest], sizes: Mapping[str, int], images: Mapping[str, str]) -> Path | None:
    """The base with most of the wanted images (digests by name), or None if none has enough; `sizes` are their bytes by name."""

    def held(base: Path) -> int:
        return sum(sizes[name] for name, digest in images.items() if manifests[base].images.get(name) == digest)

    found = max(sorted(manifests), key=held, default=None)
    if found is None or held(found) < (1 - MAKE_ABOVE) * sum(sizes.values()):
        return None
    return found


class Bases:
    """The bases of a cache, as far as this containerd makes and uses them."""

    def __init__(self, cache: Cache, containerd: PartPath) -> None:
        self.cache = cache
        self.containerd = containerd

    def take(self, parts: Mapping[str, PartPath], target: Path) -> dict[str, str]:
        """Fill `target`, which is not there yet, from the best base, made now if none is good enough.

        Returns the images that are in it then: the part's digest by its name. Raises NodeError, OSError, and leaves no target.
        """
        images = {name: part for name, part in parts.items() if part.image}
        programs = [Path(part.path) for part in parts.values() if not part.image]
        wanted = {name: part.digest for name, part in images.items()}
        sizes = {name: part.archive.stat().st_size for name, part in images.items()}
        for _attempt in range(ATTEMPTS):
            base = best(self._usable(), sizes, wanted)
            if base is None:
                base = self._make(images, wanted, programs)
            with self.cache.lock(base.name):
                manifest = Manifest.read(base)
                if manifest is not None and intact(base, manifest):
                    os.utime(base / MANIFEST)
                    link(base / CONTAINERD, target)
                    return dict(manifest.images)
                # Damaged, or removed meanwhile.
                discard(base)
        raise NodeError(f"{ATTEMPTS} bases in a row changed after they were made.")

    def _usable(self) -> dict[Path, Manifest]:
        """The manifests of bases that were made by the same version of all."""
        found = {base: Manifest.read(base) for base in self.cache.results.glob(f"{PREFIX}-*")}
        return {
            base: manifest
            for base, manifest in found.items()
            if manifest is not None and (manifest.format, manifest.containerd) == (FORMAT, self.containerd.digest)
        }

    def _make(self, images: Mapping[str, PartPath], wanted: Mapping[str, str], programs: list[Path]) -> Path:
        digest = base_digest(self.containerd.digest, wanted)

        def build(out: Path) -> None:
            fill(out / CONTAINERD, Path(self.containerd.path), [part.archive for part in images.values()])
            share(out / CONTAINERD, programs)
            manifest = Manifest(FORMAT, self.containerd.digest, wanted, fingerprint(out / CONTAINERD))
            (out / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))

        base = self.cache.path(PREFIX, digest)
        if self.cache.produce(PREFIX, digest, build):
            tidy(self.cache, base, PREFIX, KEPT)
        elif Manifest.read(base) is None:
            with self.cache.lock(base.name):
                discard(base)
            return self._make(images, wanted, programs)
        return base


def tidy(cache: Cache, made: Path, prefix: str, kept: int) -> None:
    """Remove all results of this prefix but the last used ones, and the one that was just made."""

    def used(base: Path) -> float:
        try:
            return (base / MANIFEST).stat().st_mtime
        except OSError:
            return 0

    others = sorted(set(cache.results.glob(f"{prefix}-*")) - {made}, key=used, reverse=True)
    for base in others[kept - 1 :]:
        with cache.lock(base.name):
            discard(base)


def intact(base: Path, manifest: Manifest) -> bool:
    """Whether the base is as it was made."""
    try:
        return fingerprint(base / CONTAINERD) == manifest.tree
    except OSError:
        return False


def discard(base: Path) -> None:
    """Remove a base, which is none from the first moment on. Its lock must be held."""
    (base / MANIFEST).unlink(missing_ok=True)
    remove(base)


def link(source: Path, target: Path) -> None:
    """Make `target` what the folder `source` is: by hard links, or by copies where it lies on another file system."""
    way = "--link" if source.stat().st_dev == target.parent.stat().st_dev else "--reflink=auto"
    try:
        host.run("cp", "--archive", way, source, target)
        for name in DATABASES:
            (target / name).unlink()
            shutil.copy2(source / name, target / name)
    except BaseException:
        remove(target)
        raise


def fill(root: Path, programs: Path, archives: list[Path]) -> None:
    """Import and unpack images into a root folder of the containerd in `programs`, two of like size at a time, the largest first. Raises NodeError.

    What they were unpacked from, half of the space, is given up: containers need what is unpacked, and images are not pulled from here.
    """
    ordered = sorted(archives, key=lambda archive: archive.stat().st_size, reverse=True)
    with running_containerd(root, programs) as ctr, ThreadPoolExecutor(2) as pool:
        for first in range(0, len(ordered), 2):
            list(pool.map(lambda archive: ctr(*IMPORT, archive), ordered[first : first + 2]))
            # Only while nothing is imported, as it takes layers away that are not unpacked yet.
            ctr("content", "prune", "references")
    # Where each containerd keeps its own number.
    remove(root / "io.containerd.grpc.v1.introspection")


def share(root: Path, folders: list[Path]) -> None:
    """Make programs in images one file with the same ones in these folders, where it is the same file system. Neither is written to."""
    known: dict[int, list[str]] = {}
    for path in large_files(folders):
        known.setdefault(os.stat(path).st_size, []).append(path)
    for path in large_files([root]):
        there = os.stat(path)
        for other in known.get(there.st_size, []):
            same = os.stat(other)
            alike = (same.st_dev, same.st_mode, same.st_uid, same.st_gid) == (
                there.st_dev,
                there.st_mode,
                there.st_uid,
                there.st_gid,
            )
            if alike and filecmp.cmp(path, other, shallow=False):
                os.unlink(path)
                os.link(other, path)
                break


def large_files(folders: list[Path]) -> Iterator[str]:
    """The files of folders that are worth being shared."""
    for folder in folders:
        for root, _names, files in os.walk(folder):
            for path in (os.path.join(root, name) for name in files):
                if not os.path.islink(path) and os.path.getsize(path) >= LARGE_BYTES:
                    yield path


@contextmanager
def running_containerd(root: Path, programs: Path) -> Iterator[Callable[..., str]]:
    """A containerd of the folder `programs`, in namespaces of its own, that keeps its contents in `root`; yields what runs its client. It ends in order."""
    root.mkdir(exist_ok=True)
    script = root.parent / "init.sh"
    script.write_text(config.images_init_script(root, programs / "containerd"))
    log_path = root.parent / "containerd.log"
    with open(log_path, "w") as log:
        # It ends with its maker, as recipes' commands do.
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
             "--propagation", "private", "--", "sh", str(script)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
            env=for_machine(os.environ), umask=host.UMASK,
        )  # fmt: skip

    def first() -> psutil.Process:
        """containerd itself, as soon as it runs in its namespaces."""
        (process,) = psutil.Process(child.pid).children()
        return process

    def ctr(*arguments: str | Path) -> str:
        socket = f"/proc/{first().pid}/root{config.CONTAINERD_SOCKET}"
        return host.run(programs / "ctr", "--address", socket, "--namespace", "k8s.io", *arguments)

    def answers() -> str | None:
        if child.poll() is not None:
            raise NodeError(f"containerd can't be started to import images:\n{log_path.read_text().strip()[-2000:]}")
        try:
            ctr("version")
        except (NodeError, ValueError, psutil.NoSuchProcess) as error:
            return str(error).splitlines()[-1]
        return None

    try:
        wait_for("containerd to answer", answers, timeout=30)
        yield ctr
        first().terminate()
        child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()
        for path in (script, log_path):
            path.unlink()
