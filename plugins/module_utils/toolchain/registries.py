# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which image a reference names now, by skopeo: with the user's credentials, credential helpers, certificates and proxy."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import own_networks, proxy_exception
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import (
    ImageError,
    archive_content,
    explain_pull,
)

from ..cluster.images_declared import DeclaredImage
from .cache import Cache

# A registry that does not answer is named within this time.
ANSWER_SECONDS = 10
FETCH_SECONDS = 1800
# Go's names of machines.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_NEAR = re.compile(r"(localhost|127\.[\d.]+|\[::1\])(:\d+)?/")


def architecture() -> str:
    """This machine's architecture as images name it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def skopeo(reference: str, seconds: int = FETCH_SECONDS) -> list[str]:
    """The command, which ends after this time, with no proxy between this machine and what is next to it."""
    near = proxy_exception(f"https://{reference.partition('/')[0]}", os.environ, own_networks())
    return ["env", *(f"{name}={value}" for name, value in near.items()), "skopeo", f"--command-timeout={seconds}s"]


def tls(reference: str, prefix: str = "") -> list[str]:
    """On this machine a registry may speak plain http, as Docker allows it, too."""
    return [f"--{prefix}tls-verify=false"] if _NEAR.match(reference) else []


def inspect(reference: str, *options: str) -> bytes:
    """What skopeo says about a reference. Raises ImageError."""
    command = [*skopeo(reference, ANSWER_SECONDS), "inspect", *options, *tls(reference), f"docker://{reference}"]
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=ANSWER_SECONDS + 5
        )
    except subprocess.TimeoutExpired:
        raise ImageError(explain_pull(reference, "timed out")) from None
    if done.returncode == 127:
        raise ImageError(
            f"{reference} can't be pulled: skopeo is not on this machine. Install its package, then run again."
        )
    if done.returncode:
        raise ImageError(explain_pull(reference, done.stderr.decode(errors="replace")))
    return done.stdout


def current_digest(reference: str) -> str:
    """The digest of what a reference names now: an image for this machine, or an index that has one. Raises ImageError."""
    content = inspect(reference, "--raw")
    try:
        manifest = json.loads(content)
        if "manifests" in manifest:
            found = {(one.get("platform") or {}).get("architecture") for one in manifest["manifests"]}
        else:
            found = {json.loads(inspect(reference, "--config", "--raw")).get("architecture")}
    except (ValueError, AttributeError, TypeError):
        raise ImageError(f"{reference} can't be pulled: what the registry has there is not an image.") from None
    check_architecture(reference, {str(one) for one in found if one})
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def check_architecture(what: str, found: set[str]) -> None:
    """Raises ImageError if there are only images for other machines."""
    if found and architecture() not in found:
        raise ImageError(
            f"{what} is an image for {', '.join(sorted(found))}, but this machine is {architecture()}. Take one for {architecture()}."
        )


class References:
    """What references named when they were asked for first; a tag is asked for again only with `refresh`."""

    def __init__(self, cache: Cache, refresh: bool = False, ask: Callable[[str], str] = current_digest) -> None:
        self.folder = cache.root / "references"
        self.refresh = refresh
        self.ask = ask

    def digest(self, reference: str, keep: bool = True) -> str:
        """The digest of a reference, kept for the next time if that is wanted. Raises ImageError."""
        path = self.folder / f"{hashlib.sha256(reference.encode()).hexdigest()}.json"
        if not self.refresh and (known := _read(path).get("digest")):
            return str(known)
        digest = self.ask(reference)
        if keep:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps({"reference": reference, "digest": digest}))
            unfinished.replace(path)
        return digest


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def look(
    images: Iterable[DeclaredImage], pulled: Mapping[str, list[str]], references: References, keep: bool
) -> tuple[dict[str, str], dict[str, tuple[str, str]], list[str]]:
    """The digests of all references, format and content of all archives, and what is wrong, each with its path; all at once."""
    archives = {image.source: f"images.{image.name}.archive" for image in images if image.way == "archive"}

    def attempt(work: Callable[[str], Any], one: str) -> Any:
        try:
            return work(one)
        except ImageError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        asked = {one: pool.submit(attempt, lambda name: references.digest(name, keep), one) for one in pulled}
        read = {one: pool.submit(attempt, _archive, one) for one in archives}
        digests = {one: future.result() for one, future in asked.items()}
        contents = {one: future.result() for one, future in read.items()}
    problems = [f"{', '.join(pulled[one])}: {found}" for one, found in digests.items() if isinstance(found, ImageError)]
    problems += [f"{archives[one]}: {found}" for one, found in contents.items() if isinstance(found, ImageError)]
    return digests, contents, problems


def _archive(path: str) -> tuple[str, str]:
    found = archive_content(path)
    check_architecture(f"The archive {path}", found.architectures)
    return found.format, found.digest
