# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack in one file: the state of its node with the emulator's data, and what the checkout remembers of it.

A zstd-compressed tar, which begins with a manifest and ends with an empty member, so that one that is cut off is recognized. Paths in
it are the node's own, or relative to where a checkout keeps its state. It has the keys of the node's cluster, so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.files import write_whole
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

from ..toolchain.cache import remove

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import zstandard

# Raise it when what is in a snapshot changes, so that none is misread.
FORMAT = 1
MANIFEST, END = "manifest.json", "end"
# Below them: the node's state folder, and files that the checkout remembers the stack by.
NODE, REMEMBERED = "node", "stack"
SUFFIX = ".tar.zst"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
# A manifest is some kilobytes.
MANIFEST_BYTES = 1024**2
# Of the node's state, what the next start makes again: containers with their images, logs, pod addresses in use.
MADE_AGAIN = frozenset({"cni-lib", "containerd", "containerd-opt", "log", "plugged"})
# Which of the checkout's files belong to the stack.
FILES = (
    "blueprints.json",
    "cloud.json",
    "cluster.json",
    "env",
    "git-password",
    "installed-embedded.json",
    "proofs.json",
    "timings-up.json",
)


class SnapshotError(ModuleError):
    """A snapshot can't be written or used; the message names the cause and the next step."""


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is of.

    `created`: ISO 8601, UTC. `kubernetes`: the minor version. `identity`: names and addresses of the node. `parts`: digests of what
    runs as the node, by name; `images`: of the images in it. `roots`: the folders, by state, project and cache, that its paths begin
    with. `engine`, `blueprints`: what the stack has.
    """

    format: int
    created: str
    architecture: str
    kubernetes: str
    identity: Mapping[str, str]
    parts: Mapping[str, str]
    images: Mapping[str, str]
    roots: Mapping[str, str]
    engine: str
    blueprints: list[str]


def path_of(folder: Path, name: str, base: Path) -> Path:
    """Where the snapshot of this name is, in the folder of snapshots; a name with a slash is a path, relative to `base`. Raises SnapshotError."""
    if "/" in name:
        return base / Path(name).expanduser()
    name = name.removesuffix(SUFFIX)
    if not NAME.fullmatch(name):
        raise SnapshotError(
            f"'{name}' can't be the name of a snapshot: it has 1 to 63 letters, digits, '-', '_' or '.', and begins with a letter or a "
            "digit. Give NAME=<name>, or NAME=<path> with a slash."
        )
    return folder / f"{name}{SUFFIX}"


class Archive:
    """A snapshot that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, path: Path) -> None:
        """Add a file or a folder under this name. Sockets and pipes, and what goes away meanwhile, are left out."""
        with contextlib.suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    member = self._tar.gettarinfo(arcname=name, fileobj=file)
                    # A hard link is stored as a separate file.
                    member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.fstat(file.fileno()).st_size
                    self._tar.addfile(member, file)
            elif stat.S_ISLNK(mode) or stat.S_ISDIR(mode):
                self._tar.add(path, name, recursive=False)
            if stat.S_ISDIR(mode):
                for one in sorted(path.iterdir()):
                    self.add(f"{name}/{one.name}", one)

    def add_text(self, name: str, text: str) -> None:
        data = text.encode()
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o600
        self._tar.addfile(member, io.BytesIO(data))


@contextmanager
def writing(path: Path, manifest: Manifest) -> Iterator[Archive]:
    """Write a snapshot, which appears whole or not at all, and which its owner alone can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            open(handle, "wb") as file,
            zstandard.ZstdCompressor(level=3, write_checksum=True, threads=-1).stream_writer(file) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            archive = Archive(tar)
            archive.add_text(MANIFEST, json.dumps(asdict(manifest), indent=2))
            yield archive
            archive.add_text(END, "")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive, to be read from its beginning to its end. Raises SnapshotError where it is none."""
    try:
        with (
            open(path, "rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            yield tar
    except FileNotFoundError:
        raise SnapshotError(f"There is no snapshot {path}. `make snapshots` lists those of this checkout.") from None
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, why: str) -> SnapshotError:
    return SnapshotError(
        f"{path} is damaged, cut off, or no snapshot ({why}). Nothing was touched. Copy it again from where it was made, or take another one."
    )


def read_manifest(path: Path) -> Manifest:
    """What a snapshot is of, by its beginning alone. Raises SnapshotError."""
    with _opened(path) as tar:
        return _manifest(path, tar)


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    file = tar.extractfile(first) if first and first.name == MANIFEST and first.size <= MANIFEST_BYTES else None
    if file is None:
        raise _damaged(path, "it begins with no manifest")
    try:
        content = json.loads(file.read())
        known = content["format"] == FORMAT
    except (ValueError, LookupError, TypeError):
        raise _damaged(path, "its manifest can't be read") from None
    if not known:
        raise SnapshotError(
            f"{path} has the format {content['format']}, and this version reads {FORMAT}. Restore it with the version that it was made with."
        )
    try:
        return Manifest(**content)
    except TypeError:
        raise _damaged(path, "its manifest can't be read") from None


def unpack(path: Path, target: Path) -> Manifest:
    """Unpack a snapshot into a new folder, and return what it is of. Raises SnapshotError, and leaves no folder."""
    remove(target)
    target.mkdir(mode=0o700, parents=True)
    try:
        with _opened(path) as tar:
            manifest = _manifest(path, tar)
            if not _extract(path, tar, target):
                raise _damaged(path, "its end is missing")
            # Reads to the end, where the checksum is.
            while tar.fileobj and tar.fileobj.read(1024**2):
                pass
    except BaseException:
        remove(target)
        raise
    return manifest


def _extract(path: Path, tar: tarfile.TarFile, target: Path) -> bool:
    """Extract what follows the manifest; return whether it ends as it should. Nothing is written outside of the folder."""
    links: set[PurePosixPath] = set()
    # Python's own filters, of which later versions have one by default, keep no owner.
    tar.extraction_filter = lambda member, _path: member
    while (member := tar.next()) is not None:
        if member.name == END:
            return True
        where = PurePosixPath(member.name)
        within = (
            where.parts[0] in (NODE, REMEMBERED)
            and not where.is_absolute()
            and ".." not in where.parts
            and not links & {where, *where.parents}
        )
        if not within or not (member.isreg() or member.isdir() or member.issym()):
            raise _damaged(path, f"{member.name!r} does not belong into one")
        if member.issym():
            # They point to places within the node, and lead nothing of the archive elsewhere.
            links.add(where)
        # A folder may hand its group on.
        member.mode &= 0o3777 if member.isdir() else 0o777
        tar.extract(member, target, numeric_owner=True)
    return False


def relocated(value: Any, old: Mapping[str, str], new: Mapping[str, str]) -> Any:
    """The value (JSON) with texts that begin with one of the old folders beginning with the new one of the same name instead."""
    if isinstance(value, dict):
        return {key: relocated(one, old, new) for key, one in value.items()}
    if isinstance(value, list):
        return [relocated(one, old, new) for one in value]
    if isinstance(value, str):
        # The longest first, as one of them may be within another.
        for name in sorted(old, key=lambda name: len(old[name]), reverse=True):
            if value == old[name] or value.startswith(f"{old[name]}/"):
                return new[name] + value[len(old[name]) :]
    return value


def relocated_shell(text: str, old: Mapping[str, str], new: Mapping[str, str]) -> str | None:
    """A shell's text with the new folders in place of the old ones; None where an old one is quoted in it, so that it can't be replaced."""
    for name in sorted(old, key=lambda name: len(old[name]), reverse=True):
        if old[name] != new[name]:
            if shlex.quote(old[name]) != old[name]:
                return None
            # A folder's name ends there.
            parts = re.split(rf"{re.escape(old[name])}(?![^/\s'\":;])", text)
            text = shlex.quote(new[name]).join(parts)
    return text


def put_back(unpacked: Path, state: Path, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Make what the checkout remembers that of the snapshot, unpacked in this folder; its paths begin with the new folders."""
    for name in FILES:
        source, target = unpacked / REMEMBERED / name, state / name
        text = source.read_text() if source.exists() else None
        if text is not None and source.suffix == ".json":
            text = json.dumps(relocated(json.loads(text), old, new), indent=4) + "\n"
        elif text is not None and name == "env":
            text = relocated_shell(text, old, new)
        if text is None:
            target.unlink(missing_ok=True)
            continue
        write_whole(target, text.encode())


def everything(folder: Path) -> list[tuple[Path, Manifest | None]]:
    """The snapshots of a folder with what they are of, the oldest first; None for what can't be read."""

    def known(path: Path) -> Manifest | None:
        try:
            return read_manifest(path)
        except (SnapshotError, OSError):
            return None

    found = [(path, known(path)) for path in folder.glob(f"*{SUFFIX}")]
    return sorted(found, key=lambda one: (one[1].created if one[1] else "", one[0].name))
