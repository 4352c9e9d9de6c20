# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder of build results, addressed by the digest of their inputs and shared by all checkouts of a user.

A result appears whole or not at all: it is built next to its place and renamed into it, under a lock that the kernel
releases when its holder dies. A process that waits for the lock finds the result ready. Holders of such locks share one
more, which a process that empties the cache has alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    from filelock import FileLock, Timeout

T = TypeVar("T")


def default_root(environment: Mapping[str, str] | None = None) -> Path:
    """`$XDG_CACHE_HOME/localcloud`, by default `~/.cache/localcloud`, of a process with this environment, by default this one's."""
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "localcloud"


class Cache:
    """Build results under `root`; also the place of the compilers' own caches and of the build logs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "parts"
        self.logs = root / "logs"
        self.locks = root / "locks"

    def path(self, name: str, digest: str) -> Path:
        """Where the result of this part is or will be."""
        return self.results / f"{name}-{digest}"

    def has(self, name: str, digest: str) -> bool:
        """Whether the result is there, whole."""
        return self.path(name, digest).is_dir()

    def use(self, name: str, digest: str) -> None:
        """Remember that the result was used now."""
        os.utime(self.path(name, digest))

    def tidy(self, name: str, kept: int) -> None:
        """Remove all results of this part but the last used ones."""
        found: dict[Path, float] = {}
        for path in self.results.glob(f"{name}-*"):
            # Another process may remove it at the same time.
            with contextlib.suppress(FileNotFoundError):
                if re.fullmatch(r"[0-9a-f]{16}", path.name[len(name) + 1 :]):
                    found[path] = path.stat().st_mtime
        for path in sorted(found, key=lambda one: found[one], reverse=True)[kept:]:
            with self.lock(path.name), contextlib.suppress(FileNotFoundError):
                # It is none from this moment on.
                path.rename(leaving := path.with_name(f".{path.name}"))
                remove(leaving)

    def log(self, name: str) -> Path:
        """The log of the part's last build."""
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{name}.log"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a lock against every other process that uses this cache."""
        with self._used(fcntl.LOCK_SH), FileLock(self.locks / f"{name}.lock"):
            yield

    @contextmanager
    def _used(self, how: int) -> Iterator[None]:
        """Share the cache with others that use it (LOCK_SH), or have it alone. Raises BlockingIOError if LOCK_NB is asked for."""
        self.locks.mkdir(parents=True, exist_ok=True)
        with open(self.locks / "used", "w") as file:
            fcntl.flock(file, how)
            yield

    def building(self) -> list[str]:
        """The results that some process is building now."""
        return [path.stem for path in sorted(self.locks.glob("*.lock")) if is_locked(path)]

    def alone(self, work: Callable[[], T]) -> T | None:
        """Do something while no process builds or takes a result; None, and nothing done, if one does."""
        try:
            with self._used(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return work()
        except BlockingIOError:
            return None

    def clear(self) -> bool:
        """Delete all that is in the cache; return whether that was done, as no process builds or takes a result."""

        def delete() -> bool:
            for path in (*self.root.iterdir(), *self.locks.glob("*.lock")):
                if path.is_symlink() or not path.is_dir():
                    path.unlink()
                elif path != self.locks:
                    remove(path)
            return True

        return self.alone(delete) or False

    def produce(self, name: str, digest: str, build: Callable[[Path], None]) -> bool:
        """Make sure the result is there; return whether this call built it.

        `build` fills the empty folder it is given. If it raises, nothing of it stays.
        """
        if self.has(name, digest):
            return False
        with self.lock(f"{name}-{digest}"):
            if self.has(name, digest):
                return False
            unfinished = self.results / f".{name}-{digest}"
            remove(unfinished)
            unfinished.mkdir(parents=True)
            try:
                build(unfinished)
            except BaseException:
                remove(unfinished)
                raise
            unfinished.rename(self.path(name, digest))
            return True


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of this file."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def remove(path: Path) -> None:
    """Delete a folder if it is there, read-only folders within it included."""

    def unlock(function: Callable[[str], object], failed: str, error: object) -> None:
        os.chmod(os.path.dirname(failed), 0o700)
        function(failed)

    if path.exists():
        shutil.rmtree(path, onerror=unlock)
