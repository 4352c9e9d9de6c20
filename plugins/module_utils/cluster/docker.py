# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Docker or Podman can carry a cluster here, by what their own commands say. Pure, but for what runs a command."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import docker_problem, podman_problem
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

from .engine import DOCKER, ENGINES, KIND_VARIABLE, PODMAN, Engine

GIB = 1024**3
# A node with the whole stack takes 1.8 GiB, and 1.2 GiB of what it reads again and again.
MEMORY_BYTES = 3 * GIB
ANSWER_SECONDS = 20.0
INSTALL = "Install Docker (https://docs.docker.com/get-docker/) and start it, then run again."
# The first Podman whose networks and control groups are described as they are read here.
PODMAN_OLDEST = 4
# Without them kind refuses a rootless engine.
ROOTLESS_CONTROLLERS = ("cpu", "memory", "pids")

Run = t.Callable[[list[str]], tuple[int, str, str]]
Environment = t.Mapping[str, str]


class DockerState(t.NamedTuple):
    """C(there): whether its command is installed. C(problem): why no cluster can be made with it, and what to do; None where one can."""

    there: bool
    problem: str | None
    engine: Engine = DOCKER


def installed(which: t.Callable[[str], str | None], run: Run) -> dict[str, str]:
    """Paths of the engines' commands that are here, by their names. A C(docker) that is Podman's own other name (podman-docker) is none."""
    found = {name: path for name in ENGINES if (path := which(name))}
    if len(found) == len(ENGINES):
        try:
            if run([found["docker"], "--version"])[1].lower().startswith("podman"):
                del found["docker"]
        except ModuleError:
            pass  # what is wrong with it is told where it is asked for more
    return found


def preferred(here: t.Collection[str], environ: Environment, last: str = "") -> list[Engine]:
    """The engines of this machine, the one to use first: C(last), which this checkout's cluster is in, alone; else as kind is told; else Docker."""
    if last:
        return [ENGINES[last]]
    order = sorted(ENGINES.values(), key=lambda one: one.name != environ.get(KIND_VARIABLE))
    return [one for one in order if one.name in here]


def used(here: t.Collection[str], environ: Environment) -> Engine:
    """What a kind cluster is in that was not made here, as far as that can be told without asking."""
    return next(iter(preferred(here, environ)), DOCKER)


def redirected(engine: Engine, environ: Environment) -> str | None:
    """Why an engine may not be used, as a variable leads it elsewhere."""
    return podman_problem(environ) if engine == PODMAN else docker_problem(environ)


def find(which: t.Callable[[str], str | None], run: Run, environ: Environment, last: str = "") -> DockerState:
    """The first engine that can carry a cluster, or why the first of them can't."""
    here = installed(which, run)
    states: list[DockerState] = []
    for engine in preferred(here, environ, last):
        states.append(look(here.get(engine.name), run, environ, engine))
        if states[-1].problem is None:
            return states[-1]
    return states[0] if states else look(None, run, environ)


def look(command: str | None, run: Run, environ: Environment, engine: Engine = DOCKER) -> DockerState:
    """Ask an engine. C(command): its path, None where it is not installed."""
    if command is None:
        step = (
            INSTALL
            if engine == DOCKER
            else "Install it, or remove this checkout's cluster (make down), then run again."
        )
        return DockerState(False, f"{engine.title} is not on this machine. {step}", engine)
    if problem := redirected(engine, environ):
        return DockerState(True, problem, engine)
    try:
        status, out, err = run([command, "info", "--format", engine.info_format])
    except ModuleError as error:
        return DockerState(True, f"{engine.title} does not answer: {error.message} Restart it, then run again.", engine)
    problem = (podman_info_problem if engine == PODMAN else info_problem)(status, out, err)
    return DockerState(True, problem, engine)


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
    return memory_problem(DOCKER, info.get("MemTotal"))


def podman_info_problem(status: int, out: str, err: str) -> str | None:
    """What is wrong with a Podman by the end of C(podman info --format json)."""
    try:
        info = {} if status else json.loads(out)
        version, machine = str(info["version"]["Version"]), dict(info["host"])
        rootless = bool((machine.get("security") or {}).get("rootless"))
        major = int(version.split(".", maxsplit=1)[0])
    except (ValueError, LookupError, TypeError, AttributeError):
        said = " ".join(err.split())[:300] or "it does not say why"
        return f"Podman does not answer: {said}. Mend it (on a Mac: podman machine start), then run again."
    if major < PODMAN_OLDEST:
        return f"Podman {version} is too old: Podman {PODMAN_OLDEST} or later is needed. Install it, or Docker, then run again."
    if rootless and (problem := rootless_problem(machine)):
        return problem
    return memory_problem(PODMAN, machine.get("memTotal"))


def rootless_problem(machine: t.Mapping[str, t.Any]) -> str | None:
    """Why kind can't use a Podman that runs without root. C(machine): what it says of its own."""
    if machine.get("cgroupVersion") != "v2":
        return (
            "Podman runs without root here, and on cgroup v1, where kind can't use it. Run this as root, give the machine cgroup v2, or use Docker, "
            "then run again."
        )
    lacking = [name for name in ROOTLESS_CONTROLLERS if name not in (machine.get("cgroupControllers") or [])]
    if not lacking:
        return None
    return (
        f"Podman runs without root here, and the control groups of {', '.join(lacking)} are not delegated to this user, which kind needs. Set "
        "Delegate=yes for user@.service (https://kind.sigs.k8s.io/docs/user/rootless/), or run this as root, then run again."
    )


def memory_problem(engine: Engine, said: t.Any) -> str | None:
    memory = int(said or 0)
    if not 0 < memory < MEMORY_BYTES:
        return None
    how = "Docker Desktop: Settings > Resources" if engine == DOCKER else "podman machine set --memory"
    return (
        f"{engine.title} has {memory / GIB:.1f} GiB of memory, but a cluster with the stack needs {MEMORY_BYTES / GIB:.0f} GiB. Give it more ({how}), "
        "then run again."
    )
