# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kind, kubectl and Helm for a cluster of our own: those of PATH if they are new enough, else the pinned ones. Pure, but for fetch()."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

from ..common.files import write_whole
from ..common.supported import HELM, KUBERNETES, Version

# The oldest kind whose nodes are supported: what a newer one of its node images holds, an older kind does not read.
KIND_OLDEST: Version = (0, 32)


class ToolError(ModuleError):
    """A tool can't be fetched; the message says why."""


class Tool(t.NamedTuple):
    """A command. C(part): the part of the toolchain that has it, and its version; C(said): arguments by which it tells that.

    C(url): where its pinned release is, C(sums): where its SHA-256 is, which upstream publishes next to it; C(member): its path in an archive.
    """

    part: str
    oldest: Version
    said: tuple[str, ...]
    url: str
    sums: str
    member: str = ""


TOOLS = {
    "kind": Tool(
        "kind",
        KIND_OLDEST,
        ("version",),
        "https://kind.sigs.k8s.io/dl/{version}/kind-{system}-{machine}",
        "{url}.sha256sum",
    ),
    "kubectl": Tool(
        "kubernetes",
        KUBERNETES.oldest,
        ("version", "--client"),
        "https://dl.k8s.io/release/{version}/bin/{system}/{machine}/kubectl",
        "{url}.sha256",
    ),
    "helm": Tool(
        "helm",
        HELM.oldest,
        ("version", "--short"),
        "https://get.helm.sh/helm-{version}-{system}-{machine}.tar.gz",
        "{url}.sha256sum",
        "{system}-{machine}/helm",
    ),
}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = ("linux", "darwin")


def is_new_enough(tool: Tool, said: str) -> bool:
    """Whether a command that says this of its version is one that is supported."""
    found = re.search(r"\bv(\d+)\.(\d+)\.\d+", said)
    return found is not None and (int(found[1]), int(found[2])) >= tool.oldest


class Release(t.NamedTuple):
    """Where a tool's release for a machine is. C(member): its path in the archive; empty where it is the file itself."""

    url: str
    sums: str
    member: str


def release(tool: Tool, version: str, system: str, machine: str) -> Release:
    """C(system), C(machine): as C(platform) names them. Raises ToolError where upstream has none."""
    words = {"version": version, "system": system.lower(), "machine": MACHINES.get(machine.lower(), "")}
    if words["system"] not in SYSTEMS or not words["machine"]:
        raise ToolError(f"there is no release for {system} on {machine}")
    url = tool.url.format(**words)
    return Release(url, tool.sums.format(url=url), tool.member.format(**words))


def fetch(place: Release, target: Path, read: t.Callable[[str], bytes]) -> None:
    """Put a release's command at a path, executable. C(read) returns what a URL has, or raises OSError.

    Raises ToolError: it can't be had, or is not what its checksum says.
    """
    try:
        sums, content = read(place.sums), read(place.url)
    except OSError as error:
        raise ToolError(f"{place.url} can't be had: {error}") from None
    wanted = re.match(r"[0-9a-f]{64}\b", sums.decode(errors="replace").strip())
    if wanted is None:
        raise ToolError(f"{place.sums} has no checksum")
    if hashlib.sha256(content).hexdigest() != wanted[0]:
        raise ToolError(f"{place.url} is not what its checksum {place.sums} says")
    if place.member:
        content = _member(content, place.member)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, content, 0o755)


def _member(content: bytes, name: str) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            found = archive.extractfile(name)
            if found is not None:
                return found.read()
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise ToolError(f"the archive has no {name} ({error})") from None
    raise ToolError(f"the archive has no file {name}")
