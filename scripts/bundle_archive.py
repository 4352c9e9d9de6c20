"""A bundle: one archive with all that a stack needs to come up without Go, a registry or the internet. Read here with Python alone.

It is a plain tar: first manifest.json, which has size and SHA-256 of everything that follows, then files (wheels, collections, Debian
packages, licences) and streams, each a zstd-compressed tar of built parts. What bundle.py writes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import http.client
import json
import platform
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
# The folder of Debian packages.
PACKAGES = "packages/"
# The exit code of who finds that a bundle was altered.
ALTERED = 3
# Go's names of machines, as in images.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# Left free on the disk, for what else goes on there.
RESERVE_BYTES = 256 * 1024**2
CHUNK_BYTES = 1024**2
REPORT_SECONDS = 2.0
DOWNLOAD_SECONDS = 30
MIB = 1024**2

Report = Callable[[str], None]


class BundleError(Exception):
    """A bundle can't be used; the message names the cause and the next step."""


class AlteredError(BundleError):
    """What is in the bundle is not what was written into it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The bundle was altered, or is not one: {what}. Nothing of it is used. Check it with `sha256sum --check SHA256SUMS`, get it "
            "again, then run again."
        )


@dataclass(frozen=True)
class Stream:
    """A member of the archive that holds parts (by their names in the cache), in this order."""

    member: str
    size: int
    parts: list[str]


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle, and for which machine and pins it was made.

    `files`: size and SHA-256 of each member that is a file, by its path. `parts`: of each, by its name in the cache: name, digest, bytes,
    whether it is an image, and its files, each with size, sha256 and mode, or where it links to. `settings`: variables of the stack.
    """

    format: int
    version: str
    commit: str
    architecture: str
    python: str
    system: str
    requirements: Mapping[str, str]
    settings: Mapping[str, Any]
    blueprints: list[str]
    files: Mapping[str, Mapping[str, Any]]
    parts: Mapping[str, Mapping[str, Any]]
    streams: list[Stream]

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """Raises BundleError."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise BundleError(
                    f"The bundle has the format {document['format']}, and this checkout reads {FORMAT}: one is older than the other. "
                    "Take the bundle that was released with this version, then run again."
                )
            return cls(**{**document, "streams": [Stream(**one) for one in document["streams"]]})
        except (ValueError, KeyError, TypeError):
            raise AlteredError("its manifest can't be read") from None

    def content(self) -> bytes:
        """The manifest as it stands in the archive."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @property
    def key(self) -> str:
        """By which the bundle is known: a digest of all that is in it."""
        return hashlib.sha256(self.content()).hexdigest()[:16]

    @property
    def image_bytes(self) -> int:
        """The bytes of those parts that are images."""
        return sum(part["bytes"] for part in self.parts.values() if part["image"])


def truncated(path: Path, size: int, expected: int) -> str:
    return (
        f"The bundle {path} is truncated: it has {size} bytes of {expected}. Nothing of it is used. Get it again (`curl --continue-at -` goes "
        "on where it ended), then run again."
    )


@dataclass(frozen=True)
class Archive:
    """A bundle's file, its manifest, and the place of each member in it: offset and size."""

    path: Path
    manifest: Manifest
    places: Mapping[str, tuple[int, int]]

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A member's content, from its beginning."""
        offset, size = self.places[name]
        with open(self.path, "rb") as file:
            file.seek(offset)
            yield Part(file, size)  # type: ignore[misc]


class Part:
    """The next `size` bytes of a file, to be read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file = file
        self.left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        found = self.file.read(wanted)
        self.left -= len(found)
        return found


def open_archive(path: Path) -> Archive:
    """Read the manifest, and see that all members are there at their full length. Raises BundleError."""
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST:
                raise AlteredError(f"{path} does not begin with {MANIFEST}")
            content = tar.extractfile(first)
            manifest = Manifest.parse(content.read() if content else b"")
            sizes = {name: one["size"] for name, one in manifest.files.items()}
            sizes |= {stream.member: stream.size for stream in manifest.streams}
            expected = (
                first.offset_data + padded(first.size) + sum(member_bytes(name, size) for name, size in sizes.items())
            )
            if (size := path.stat().st_size) < expected:
                raise BundleError(truncated(path, size, expected))
            places = {one.name: (one.offset_data, one.size) for one in tar if one.name != MANIFEST}
    except tarfile.TarError as error:
        raise AlteredError(f"{path}: {error}") from None
    except OSError as error:
        raise BundleError(f"The bundle {path} can't be read: {error.strerror}. Check BUNDLE, then run again.") from None
    if {name: size for name, (_offset, size) in places.items()} != sizes:
        raise AlteredError("it does not have the members that its manifest lists")
    return Archive(path, manifest, places)


def padded(size: int) -> int:
    """The size of a tar member's content in the archive."""
    return -(-size // 512) * 512


def member_bytes(name: str, size: int) -> int:
    """The bytes of a member in the archive, with its header, before which a name of more than 100 bytes stands."""
    length = len(name.encode())
    return 512 + padded(size) + (512 + padded(length + 1) if length > 100 else 0)


def problems(manifest: Manifest, requirements: Mapping[str, str]) -> list[str]:
    """Why this machine and checkout can't use a bundle; `requirements` are the digests of the checkout's own."""
    found = []
    here = ARCHITECTURES.get(platform.machine(), platform.machine())
    if manifest.architecture != here:
        found.append(f"It is for {manifest.architecture}, and this machine is {here}. Take the bundle for {here}.")
    python = ".".join(map(str, sys.version_info[:2]))
    if manifest.python != python:
        found.append(
            f"Its Python packages are for Python {manifest.python}, and this is {python}. Run with PYTHON=python{manifest.python}."
        )
    elif other := [name for name, digest in requirements.items() if manifest.requirements.get(name) != digest]:
        found.append(other_pins(manifest, [f"requirements ({name})" for name in other]))
    if manifest.settings.get("cluster_mode") == "kind" and not any(map(shutil.which, ("docker", "podman"))):
        found.append(
            "It is for a kind cluster, and neither Docker nor Podman is on this machine. Install one, or take a bundle of the embedded node."
        )
    return found


def other_pins(manifest: Manifest, names: list[str]) -> str:
    return (
        f"It was made of version {manifest.version} (commit {manifest.commit}), which has other pins than this checkout: {', '.join(names)}. "
        f"Take the bundle of this checkout's version, or check out {manifest.commit}."
    )


def refusal(path: Path, found: list[str]) -> BundleError:
    return BundleError(f"The bundle {path} can't be used here. {' '.join(found)} Nothing of it was unpacked.")


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise BundleError unless so many bytes are free where the folder is."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE_BYTES:
        raise BundleError(
            f"{free / 1024**3:.1f} GiB are free at {folder}, and {what} takes {(needed + RESERVE_BYTES) / 1024**3:.1f} GiB. Free some space "
            "(make clean-cache), or set XDG_CACHE_HOME to a larger disk, then run again; what is there already is kept."
        )


def disk_full(folder: Path) -> BundleError:
    return BundleError(
        f"The disk at {folder} is full, in the middle of unpacking. What was unpacked whole is kept, nothing else. Free some space "
        "(make clean-cache), or set XDG_CACHE_HOME to a larger disk, then run again; it goes on where it ended."
    )


@contextlib.contextmanager
def locked(cache: Path, name: str, report: Report) -> Iterator[None]:
    """Have a lock of the cache (as module_utils/toolchain/cache.py has them) alone; say whom this waits for."""
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / "used", "w") as used, open(locks / f"{name}.lock", "w") as file:
        fcntl.flock(used, fcntl.LOCK_SH)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another run unpacks this bundle; waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def bundles(cache: Path) -> Path:
    """Where the cache has what bundles brought besides parts."""
    return cache / "bundles"


def take(archive: Archive, cache: Path, report: Report) -> Path:
    """Put the files of a bundle but Debian packages into the cache, whole or not at all; return their folder. Raises BundleError."""
    manifest = archive.manifest
    folder = bundles(cache) / manifest.key
    with locked(cache, f"bundle-{manifest.key}", report):
        names = {name: name for name in manifest.files if not name.startswith(PACKAGES)}
        extract(archive, cache, folder, names, manifest.content())
    return folder


def take_packages(archive: Archive, cache: Path, report: Report) -> Path:
    """The same with its Debian packages, which a machine that has them all does not need."""
    manifest = archive.manifest
    folder = bundles(cache) / manifest.key / PACKAGES
    with locked(cache, f"bundle-{manifest.key}", report):
        names = {name.removeprefix(PACKAGES): name for name in manifest.files if name.startswith(PACKAGES)}
        extract(archive, cache, folder, names)
    return folder


def extract(archive: Archive, cache: Path, folder: Path, names: Mapping[str, str], manifest: bytes = b"") -> None:
    """Write files of a bundle into a folder, whole or not at all. `names`: the member of each path. Raises BundleError."""
    if folder.is_dir():
        return
    files = archive.manifest.files
    check_space(cache, sum(files[member]["size"] for member in names.values()), "unpacking the bundle's files")
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for name, member in names.items():
            with archive.member(member) as content:
                copy_verified(content, unfinished / safe(name), files[member])
        if manifest:
            (unfinished / MANIFEST).write_bytes(manifest)
        unfinished.rename(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise disk_full(cache) from None
        raise BundleError(f"The bundle can't be unpacked into {folder}: {error.strerror}.") from None
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def safe(name: str) -> str:
    """A path of the manifest, which must stay within the folder that it is for. Raises BundleError."""
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise AlteredError(f"the path {name} leads out of it")
    return name


def copy_verified(content: IO[bytes], target: Path, expected: Mapping[str, Any]) -> None:
    """Write a file that must have this size and SHA-256. Raises BundleError, OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with open(target, "wb") as file:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    if size != expected["size"] or digest.hexdigest() != expected["sha256"]:
        raise AlteredError(f"{target.name} is not as its manifest says")


def offline(cache: Path, requirements: Mapping[str, str]) -> Path | None:
    """The files of a bundle in the cache from which these requirements can be installed here, if there is one."""
    for path in sorted(bundles(cache).glob(f"[0-9a-f]*/{MANIFEST}")):
        with contextlib.suppress(BundleError, OSError):
            if not problems(Manifest.parse(path.read_bytes()), requirements):
                return path.parent
    return None


class Progress:
    """Says now and then how much of it is done."""

    def __init__(self, what: str, total: int, report: Report) -> None:
        self.what, self.total, self.report = what, total, report
        self.done = 0
        self.said = time.monotonic()

    def add(self, size: int) -> None:
        self.done += size
        if (now := time.monotonic()) - self.said >= REPORT_SECONDS:
            self.said = now
            share = 100 * self.done // self.total if self.total else 100
            self.report(f"{self.what}: {share} % ({self.done / MIB:.0f} of {self.total / MIB:.0f} MiB)")


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def download(url: str, cache: Path, report: Report) -> Path:
    """Fetch a bundle into the cache, going on where an earlier run ended. Raises BundleError."""
    folder = cache / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    target, unfinished = folder / f"{name}.tar", folder / f"{name}.part"
    with locked(cache, f"download-{name}", report):
        if target.is_file():
            return target
        try:
            fetch(url, unfinished, report)
        except urllib.error.HTTPError as error:
            raise BundleError(
                f"{url} can't be fetched: the server says {error.code} {error.reason}. Check BUNDLE, then run again."
            ) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(cache) from None
            cause = getattr(error, "reason", None) or error
            raise BundleError(
                f"{url} can't be fetched: {cause}. Check network, proxy and BUNDLE, then run again; it goes on where it ended."
            ) from None
        except http.client.HTTPException as error:
            raise BundleError(
                f"{url} ended too early ({type(error).__name__}). Run again; it goes on where it ended."
            ) from None
        unfinished.rename(target)
    return target


def fetch(url: str, target: Path, report: Report) -> None:
    """Append what is missing of a file. Raises OSError, http.client.HTTPException."""
    there = target.stat().st_size if target.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        answer = urllib.request.urlopen(request, timeout=DOWNLOAD_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:  # it was whole already
            return
        raise
    with answer:
        going_on = answer.status == 206
        length = int(answer.headers.get("Content-Length") or 0)
        total = length + (there if going_on else 0)
        check_space(target.parent, length, f"fetching {url}")
        progress = Progress("fetching the bundle", total, report)
        progress.done = there if going_on else 0
        with open(target, "ab" if going_on else "wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                progress.add(len(chunk))
        if total and target.stat().st_size < total:
            raise http.client.IncompleteRead(b"")
