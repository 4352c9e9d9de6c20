# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build what is missing of the embedded node's parts, several at once, and say how far it is."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import explain_pull

from .cache import Cache
from .declared import Wanted, with_builds
from .parts import Part, digests, project_parts, with_needs
from .recipes import COMPILING, KEPT, RECIPE_VERSIONS, Workshop, build, without_value

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    pass

# Two compilers at a time overlap one's linking with the other's compiling; the rest waits for the network.
COMPILERS = 2
OTHERS = 3
# A cold build's results, module downloads and compiler cache, measured on Debian 12.
COLD_BUILD_BYTES = 14 * 1024**3
REPORT_SECONDS = 15.0

# What a log says when the cause lies outside of the part, and what to do about it.
CAUSES = (
    ("no space left on device", "The disk is full.", "Free some space (make clean-cache deletes old results)"),
    ("dial tcp", "A package registry could not be reached.", "Check the network, GOPROXY and the proxy variables"),
    ("no such host", "A package registry's name could not be resolved.", "Check DNS, GOPROXY and PIP_INDEX_URL"),
    ("Could not connect", "A package registry could not be reached.", "Check the network and the proxy variables"),
    ("Temporary failure resolving", "A package registry's name could not be resolved.", "Check DNS"),
    ("Failed to establish a new connection", "PyPI could not be reached.", "Check the network and PIP_INDEX_URL"),
    ("checksum mismatch", "A download differs from its pinned checksum.", "Check the mirror that GOPROXY names"),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "A download differs from its pinned hash.", "Check PIP_INDEX_URL"),
    ("running go", "The installed Go is older than a part asks for.", "Install a newer Go"),
    ("requires go >=", "The installed Go is older than a part asks for.", "Install a newer Go"),
)


class BuildError(PrintableError):
    """A part could not be built; the message names the part, the likely cause and the log."""


@dataclass(frozen=True)
class Result:
    """Where a part's result is, the image it is (if any), and whether this run built it."""

    name: str
    path: Path
    digest: str
    image: str | None
    built: bool


@dataclass(frozen=True)
class Inventory:
    """The parts of a project with the digests of their inputs as they are now."""

    project: Path
    parts: Mapping[str, Part]
    digests: Mapping[str, str]

    @classmethod
    def read(cls, project: Path, declared: Wanted | None = None, kubernetes: str = "") -> Inventory:
        """Read toolchain/parts.yml, with this minor version of Kubernetes, and all input files; `declared` are parts of images besides.

        Raises PartsError, OSError.
        """
        listed = project_parts(project, kubernetes)
        own = with_builds(project, listed)
        added = declared or Wanted()
        parts = {**listed, **own.parts, **added.parts}
        files = {name: input_files(project, part) for name, part in listed.items() if part.recipe != "build"}
        return cls(project, parts, digests(parts, {**files, **own.files, **added.files}, RECIPE_VERSIONS))


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name is not an input: tests, and what tools keep for themselves (.coverage, .hypothesis)."""
    return name in ("__pycache__", "tests", "node_modules") or name.startswith(".")


def input_files(project: Path, part: Part) -> dict[str, bytes]:
    """The files that a part is made of, by their path in the project."""
    roots = [f"toolchain/{part.folder}", *part.spec.get("sources", [])]
    roots += [part.spec[name] for name in ("requirements", "containerfile") if name in part.spec]
    found = {}
    for root in roots:
        path = project / root
        candidates = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in candidates:
            relative = file.relative_to(project)
            if file.is_file() and not any(is_left_out(name) for name in relative.parts):
                found[str(relative)] = file.read_bytes()
    return found


class Builder:
    """Builds parts of one project into a cache. `report` is called with one line of progress now and then."""

    def __init__(self, inventory: Inventory, cache: Cache, report: Callable[[str], None]) -> None:
        self.inventory = inventory
        self.cache = cache
        self.report = report
        self.started: dict[str, float] = {}

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Which of the wanted parts, and of what these need to be built, are not in the cache."""
        names = [name for name in wanted if not self.cache.has(name, self.inventory.digests[name])]
        return [
            name
            for name in with_needs(self.inventory.parts, names)
            if not self.cache.has(name, self.inventory.digests[name])
        ]

    def require(self, wanted: Iterable[str]) -> dict[str, Result]:
        """Build what is missing and return the wanted results by name.

        Raises BuildError for the first part that fails; what was built before stays for the next run.
        """
        wanted = list(wanted)
        missing = self.missing(wanted)
        built: set[str] = set()
        if missing:
            self._check_space(missing)
            built = self._build_all(missing)
        for name in wanted:
            self.cache.use(name, self.inventory.digests[name])
        for name in built:
            if self.inventory.parts[name].recipe in KEPT:
                self.cache.tidy(name, KEPT[self.inventory.parts[name].recipe])
        return self.known(wanted, built)

    def known(self, wanted: Iterable[str], built: Collection[str] = ()) -> dict[str, Result]:
        """What the results of these parts are, or will be if they are built."""
        return {
            name: Result(
                name,
                self.cache.path(name, self.inventory.digests[name]),
                self.inventory.digests[name],
                self.inventory.parts[name].image(self.inventory.digests[name]),
                name in built,
            )
            for name in wanted
        }

    def _check_space(self, missing: list[str]) -> None:
        self.cache.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.cache.root).free
        compiling = [name for name in missing if self.inventory.parts[name].recipe in COMPILING]
        needed = COLD_BUILD_BYTES * len(compiling) // 7 if compiling else 1024**3
        if free < needed:
            raise BuildError(
                f"{free / 1024**3:.1f} GiB are free at {self.cache.root}, but building {', '.join(missing)} may take "
                f"{needed / 1024**3:.1f} GiB. Free some space (make clean-cache deletes old results) or set XDG_CACHE_HOME to a larger disk, then run again."
            )

    def _build_all(self, missing: list[str]) -> set[str]:
        order = TopologicalSorter(
            {name: [need for need in self.inventory.parts[name].needs if need in missing] for name in missing}
        )
        order.prepare()
        done: list[str] = []
        built: set[str] = set()
        running: dict[Future[bool], str] = {}
        begin = time.monotonic()
        self.report(f"Building {len(missing)} parts: {', '.join(missing)}. Logs are in {self.cache.logs}.")
        with ThreadPoolExecutor(COMPILERS) as compilers, ThreadPoolExecutor(OTHERS) as others:
            try:
                while order.is_active():
                    for name in sorted(order.get_ready(), key=missing.index):
                        pool = compilers if self.inventory.parts[name].recipe in COMPILING else others
                        running[pool.submit(self._build, name)] = name
                    finished = wait(running, timeout=REPORT_SECONDS, return_when=FIRST_COMPLETED).done
                    for future in finished:
                        name = running.pop(future)
                        if future.result():
                            built.add(name)
                        done.append(name)
                        order.done(name)
                    self._report(done, missing, begin)
            except BaseException:
                # The rest of what runs ends by itself; nothing new starts.
                compilers.shutdown(wait=False, cancel_futures=True)
                others.shutdown(wait=False, cancel_futures=True)
                raise
        return built

    def _report(self, done: list[str], missing: list[str], begin: float) -> None:
        now = time.monotonic()
        active = [f"{name} ({now - since:.0f} s)" for name, since in self.started.items() if name not in done]
        self.report(
            f"{len(done)} of {len(missing)} built, {now - begin:.0f} s"
            + (f"; at work: {', '.join(active)}" if active else "")
        )

    def _build(self, name: str) -> bool:
        self.started[name] = time.monotonic()
        part = self.inventory.parts[name]
        digest = self.inventory.digests[name]
        log_path = self.cache.log(name)
        with open(log_path, "w") as log:
            shop = Workshop(
                part=part,
                image=part.image(digest),
                project=self.inventory.project,
                cache=self.cache,
                needs={need: self.cache.path(need, self.inventory.digests[need]) for need in part.needs},
                log=log,
            )
            try:
                return self.cache.produce(name, digest, lambda out: build(shop, out))
            except subprocess.CalledProcessError as error:
                log.flush()
                if part.recipe == "pull":
                    raise BuildError(
                        explain_pull(part.spec["reference"], log_path.read_text(errors="replace"))
                    ) from error
                command = " ".join(map(without_value, error.cmd[3:5]))  # without setpriv and its options
                raise BuildError(explain(name, f"`{command} …` exited with {error.returncode}", log_path)) from error
            except FileNotFoundError as error:
                raise BuildError(
                    f"Building '{name}' failed: {error.filename} is not there. Install it, then run again."
                ) from error
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise BuildError(
                    f"Building '{name}' failed: the disk at {self.cache.root} is full ({error.strerror}). Free some space (make clean-cache deletes "
                    "old results), then run again; finished parts are kept."
                ) from error


def explain(name: str, what: str, log: Path) -> str:
    """One message for a failed build: what failed, the likely cause, the next step, the end of the log."""
    text = log.read_text(errors="replace")
    tail = "\n".join(text.splitlines()[-12:])
    for sign, cause, step in CAUSES:
        if sign.lower() in text.lower():
            return (
                f"Building '{name}' failed ({what}): {cause} {step}, then run again; finished parts are kept.\n{tail}"
            )
    return f"Building '{name}' failed ({what}). The whole log is {log}; run again when it is mended.\n{tail}"
