# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes an archive's image to a registry with skopeo, buildah or docker, unless it is there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import docker_problem
from ansible_collections.localcloud.stack.plugins.module_utils.images.registry import (
    Registry,
    RegistryError,
    Tagged,
    registry_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import (
    Archived,
    ImageError,
    Json,
    Reference,
    explain,
    parse_reference,
    read_archive,
)

TOOLS = ("skopeo", "buildah", "docker")

Run = t.Callable[[list[str]], tuple[int, str, str]]
Find: t.TypeAlias = "t.Callable[[str], str | None]"


class Wish(t.NamedTuple):
    archive: str
    destination: str
    insecure: bool = False
    tool: str = "auto"


def push(wish: Wish, check_mode: bool, run: Run, find: Find = shutil.which) -> Json:
    """Make sure that the image is there. C(run) runs a command, C(find) finds it. Raises ImageError."""
    reference = parse_reference(wish.destination)
    archived = read_archive(wish.archive)
    registry = registry_of(reference, wish.insecure)
    before, unknown = _look(registry, reference, wish)
    result: Json = {
        "destination": str(reference),
        "config_digest": archived.config_digest,
        "previous_config_digest": before.config_digests[0] if before and before.config_digests else None,
        "manifest_digest": before.manifest_digest if before else None,
        "tool": None,
        "reason": _reason(before, unknown, archived),
        "changed": False,
    }
    if before and archived.config_digest in before.config_digests:
        return {**result, "previous_config_digest": archived.config_digest}
    tool = choose_tool(wish.tool, find)
    if ":" in wish.archive and tool != "docker":
        raise ImageError(f"The path {wish.archive} has a colon, which {tool} can't read. Rename the archive.")
    if tool == "docker" and (problem := docker_problem(os.environ)):
        raise ImageError(problem)
    if check_mode:
        return {**result, "tool": tool, "changed": True}
    _push_with(tool, wish, reference, archived, run)
    after = None if unknown else _look(registry, reference, wish)[0]
    if not unknown and not (after and after.config_digests):
        raise ImageError(f"{tool} said that it pushed {reference}, but the registry does not have it. Look at its log.")
    return {**result, "tool": tool, "changed": True, "manifest_digest": after.manifest_digest if after else None}


def _look(registry: Registry, reference: Reference, wish: Wish) -> tuple[Tagged | None, bool]:
    """What is there, and whether we may not know that."""
    try:
        return registry.look(), False
    except RegistryError as error:
        if error.denied:
            return None, True
        raise ImageError(explain(reference, str(error), _login_tool(wish))) from None


def _login_tool(wish: Wish) -> str:
    return "skopeo" if wish.tool == "auto" else wish.tool


def _reason(before: Tagged | None, unknown: bool, archived: Archived) -> str:
    if unknown:
        return "the registry does not let us look"
    if before is None:
        return "the tag is not there"
    return "it is there" if archived.config_digest in before.config_digests else "the tag is another image"


def choose_tool(wanted: str, find: Find) -> str:
    """The wanted tool or the first that there is. Raises ImageError if it is not there."""
    found = next((one for one in (TOOLS if wanted == "auto" else (wanted,)) if find(one)), None)
    if found is None:
        step = "Install skopeo" if wanted == "auto" else f"Install {wanted}, or set tool: auto"
        names = "None of skopeo, buildah and docker is" if wanted == "auto" else f"{wanted} is not"
        raise ImageError(f"{names} there to push the image with. {step}.")
    return found


# --- the tools ------------------------------------------------------------------------------------------------------


def _push_with(tool: str, wish: Wish, reference: Reference, archived: Archived, run: Run) -> None:
    def do(*command: str) -> str:
        status, out, err = run(list(command))
        if status != 0:
            raise ImageError(explain(reference, err or out, tool))
        return out

    if tool == "skopeo":
        do(*skopeo_copy(wish, reference))
    elif tool == "buildah":
        _with_buildah(wish, reference, archived, do)
    else:
        _with_docker(wish, reference, archived, do)


def skopeo_copy(wish: Wish, reference: Reference) -> list[str]:
    tls = ["--dest-tls-verify=false"] if wish.insecure else []
    return ["skopeo", "copy", "--quiet", *tls, f"docker-archive:{wish.archive}", f"docker://{reference}"]


def _with_buildah(wish: Wish, reference: Reference, archived: Archived, do: t.Callable[..., str]) -> None:
    """In a storage of its own, so that no image and no name of the machine's storage changes."""
    storage = tempfile.mkdtemp(prefix="image_push.", dir=os.environ.get("TMPDIR") or "/var/tmp")
    buildah = ["buildah", "--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "vfs"]
    image = archived.config_digest.partition(":")[2]
    tls = ["--tls-verify=false"] if wish.insecure else []
    try:
        do(*buildah, "pull", "--quiet", f"docker-archive:{wish.archive}")
        do(*buildah, "push", "--quiet", *tls, image, f"docker://{reference}")
    finally:
        shutil.rmtree(storage, ignore_errors=True)


def _with_docker(wish: Wish, reference: Reference, archived: Archived, do: t.Callable[..., str]) -> None:
    loaded = re.search(r"Loaded image(?: ID)?: (?P<name>\S+)", do("docker", "load", "--input", wish.archive))
    image = loaded["name"] if loaded else archived.name or archived.config_digest
    do("docker", "tag", image, str(reference))
    do("docker", "push", "--quiet", str(reference))
