# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Docker can carry a cluster here, by what its own commands say. Pure, but for look()."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import docker_problem
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

GIB = 1024**3
# A node with the whole stack takes 1.8 GiB, and 1.2 GiB of what it reads again and again.
MEMORY_BYTES = 3 * GIB
ANSWER_SECONDS = 20.0
INSTALL = "Install Docker (https://docs.docker.com/get-docker/) and start it, then run again."

Run = t.Callable[[list[str]], tuple[int, str, str]]


class DockerState(t.NamedTuple):
    """C(there): whether its command is installed. C(problem): why no cluster can be made with it, and what to do; None where one can."""

    there: bool
    problem: str | None


def look(command: str | None, run: Run, environ: t.Mapping[str, str]) -> DockerState:
    """Ask Docker. C(command): its path, None where it is not installed."""
    if command is None:
        return DockerState(False, f"Docker is not on this machine. {INSTALL}")
    if problem := docker_problem(environ):
        return DockerState(True, problem)
    try:
        status, out, err = run([command, "info", "--format", "{{json .}}"])
    except ModuleError as error:
        return DockerState(True, f"Docker does not answer: {error.message} Restart it, then run again.")
    return DockerState(True, info_problem(status, out, err))


def info_problem(status: int, out: str, err: str) -> str | None:
    """What is wrong with a Docker by the end of C(docker info --format '{{json .}}')."""
    try:
        info = json.loads(out.strip().splitlines()[-1])
        errors = [str(one) for one in info.get("ServerErrors") or []]
    except (ValueError, IndexError, AttributeError):
        info, errors = {}, []
    said = " ".join(" ".join([*errors, err] if status or errors else []).split())
    if "permission denied" in said.lower():
        return (
            "Docker runs, but this user may not use it. Add the user to the group docker (sudo usermod --append --groups docker $USER) and log in "
            "again, or run rootless Docker, then run again."
        )
    if said:
        return f"Docker does not answer: {said[:300]}. Start it, then run again."
    if status or not info.get("ServerVersion"):
        return "Docker does not answer, and does not say why. Start it, then run again."
    if info.get("OSType", "linux") != "linux":
        return (
            f"Docker runs containers of {info['OSType']}, but Kubernetes needs Linux ones. Switch it, then run again."
        )
    memory = int(info.get("MemTotal") or 0)
    if 0 < memory < MEMORY_BYTES:
        return (
            f"Docker has {memory / GIB:.1f} GiB of memory, but a cluster with the stack needs {MEMORY_BYTES / GIB:.0f} GiB. Give it more (Docker "
            "Desktop: Settings > Resources), then run again."
        )
    return None
