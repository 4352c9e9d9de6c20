"""Whether Docker or Podman can carry a cluster, by what their commands say, and which of them is used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import (
    GIB,
    DockerState,
    find,
    info_problem,
    installed,
    look,
    podman_info_problem,
    preferred,
    used,
)
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, PODMAN, Engine
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import CommandError

ANSWERS = {"ServerVersion": "29.1.0", "OSType": "linux", "MemTotal": 8 * GIB}


def said(**changes: object) -> str:
    return json.dumps({**ANSWERS, **changes})


def test_a_docker_that_answers() -> None:
    assert look("/usr/bin/docker", lambda command: (0, said(), ""), {}) == DockerState(True, None)
    # Some print warnings before.
    assert info_problem(0, f"WARNING: No swap limit support\n{said()}\n", "") is None


def test_no_docker() -> None:
    there, problem, _engine = look(None, lambda command: (0, said(), ""), {})
    assert not there
    assert problem is not None and "not on this machine. Install Docker" in problem


def test_a_docker_of_another_machine() -> None:
    there, problem, _engine = look("docker", lambda command: (0, said(), ""), {"DOCKER_HOST": "tcp://10.0.0.1:2375"})
    assert there
    assert problem is not None and "DOCKER_HOST=tcp://10.0.0.1:2375 leads it elsewhere" in problem


def test_a_docker_that_hangs() -> None:
    def hangs(command: list[str]) -> tuple[int, str, str]:
        raise CommandError("docker does not end: it was stopped after 20 s.")

    assert "Docker does not answer: docker does not end" in str(look("docker", hangs, {}).problem)


@pytest.mark.parametrize(
    ("status", "out", "err", "says"),
    [
        (
            1,
            said(
                ServerVersion="", ServerErrors=["permission denied while trying to connect to the Docker daemon socket"]
            ),
            "",
            "this user may not use it. Add the user to the group docker",
        ),
        (1, "", "Got permission denied while trying to connect", "this user may not use it"),
        (
            1,
            said(ServerErrors=["Cannot connect to the Docker daemon"]),
            "",
            "Cannot connect to the Docker daemon. Start it",
        ),
        # What newer clients do: they tell it in their answer, and end well.
        (
            0,
            said(ServerErrors=["Cannot connect to the Docker daemon"]),
            "",
            "Cannot connect to the Docker daemon. Start it",
        ),
        (1, "", "", "does not say why"),
        (0, "{}", "", "does not say why"),
        (0, "[]", "", "does not say why"),
        (0, said(OSType="windows"), "", "containers of windows"),
        (0, said(MemTotal=2 * GIB), "", "2.0 GiB of memory, but a cluster with the stack needs 3 GiB. Give it more"),
    ],
)
def test_a_docker_that_can_not(status: int, out: str, err: str, says: str) -> None:
    assert says in str(info_problem(status, out, err))


def test_enough_memory() -> None:
    assert info_problem(0, said(MemTotal=3 * GIB), "") is None
    # One that does not tell it.
    assert info_problem(0, said(MemTotal=0), "") is None


# What Podman 4.3 says, cut short.
PODMAN_SAYS: dict[str, Any] = {
    "host": {
        "cgroupVersion": "v2",
        "cgroupControllers": ["cpu", "memory", "pids"],
        "memTotal": 8 * GIB,
        "security": {"rootless": False},
    },
    "version": {"Version": "4.3.1"},
}


def podman_said(version: str = "4.3.1", **host: Any) -> str:
    """As it prints it, on several lines."""
    return json.dumps({"host": {**PODMAN_SAYS["host"], **host}, "version": {"Version": version}}, indent=2)


@pytest.mark.parametrize(
    ("status", "out", "err", "says"),
    [
        (0, podman_said(), "", None),
        (0, podman_said(cgroupVersion="v1"), "", None),
        (0, podman_said(security={"rootless": True}), "", None),
        (0, podman_said(security={"rootless": True}, cgroupVersion="v1"), "", "without root here, and on cgroup v1"),
        (
            0,
            podman_said(security={"rootless": True}, cgroupControllers=["memory"]),
            "",
            "the control groups of cpu, pids are not delegated to this user",
        ),
        (0, podman_said(version="3.4.4"), "", "Podman 3.4.4 is too old: Podman 4 or later is needed"),
        (0, podman_said(memTotal=2 * GIB), "", "Podman has 2.0 GiB of memory"),
        (125, "", "Cannot connect to Podman.\nPlease verify", "Cannot connect to Podman. Please verify. Mend it"),
        (0, "[]", "", "does not say why"),
        (0, "", "", "does not say why"),
    ],
)
def test_podman(status: int, out: str, err: str, says: str | None) -> None:
    problem = podman_info_problem(status, out, err)
    assert problem is None if says is None else says in str(problem)


class Machine:
    """Commands of a machine, and what each says to `--version` and to `info`."""

    def __init__(self, **engines: tuple[str, str]) -> None:
        self.engines = engines

    def which(self, name: str) -> str | None:
        return f"/bin/{name}" if name in self.engines else None

    def run(self, command: list[str]) -> tuple[int, str, str]:
        version, info = self.engines[command[0].removeprefix("/bin/")]
        text = version if command[1:] == ["--version"] else info
        return (0, text, "") if text else (1, "", "it does not run")

    def found(self, environ: dict[str, str] | None = None, last: str = "") -> tuple[Engine, bool]:
        state = find(self.which, self.run, environ or {}, last)
        return state.engine, state.problem is None


A_DOCKER = ("Docker version 29.1.0", said())
DEAD_DOCKER = ("Docker version 29.1.0", "")
A_PODMAN = ("podman version 4.3.1", podman_said())


@pytest.mark.parametrize(
    ("machine", "engine", "usable"),
    [
        (Machine(docker=A_DOCKER, podman=A_PODMAN), DOCKER, True),
        (Machine(docker=DEAD_DOCKER, podman=A_PODMAN), PODMAN, True),
        (Machine(podman=A_PODMAN), PODMAN, True),
        # podman-docker: its `docker` is Podman.
        (Machine(docker=A_PODMAN, podman=A_PODMAN), PODMAN, True),
        (Machine(docker=DEAD_DOCKER, podman=("podman version 4.3.1", "")), DOCKER, False),
        (Machine(docker=DEAD_DOCKER), DOCKER, False),
        (Machine(), DOCKER, False),
    ],
)
def test_the_engine_that_is_used(machine: Machine, engine: Engine, usable: bool) -> None:
    assert machine.found() == (engine, usable)


def test_a_cluster_stays_in_what_it_was_made_in() -> None:
    assert Machine(docker=A_DOCKER, podman=A_PODMAN).found(last="podman") == (PODMAN, True)
    assert Machine(docker=DEAD_DOCKER, podman=A_PODMAN).found(last="docker") == (DOCKER, False)
    state = find(Machine(docker=A_DOCKER).which, Machine(docker=A_DOCKER).run, {}, "podman")
    assert not state.there and "Podman is not on this machine. Install it, or remove" in str(state.problem)


def test_what_kind_is_told_comes_first() -> None:
    both = Machine(docker=A_DOCKER, podman=A_PODMAN)
    assert both.found({"KIND_EXPERIMENTAL_PROVIDER": "podman"}) == (PODMAN, True)
    assert both.found({"KIND_EXPERIMENTAL_PROVIDER": "nerdctl"}) == (DOCKER, True)
    assert used(installed(both.which, both.run), {"KIND_EXPERIMENTAL_PROVIDER": "podman"}) == PODMAN
    assert used({}, {}) == DOCKER and used({"podman": "/bin/podman"}, {}) == PODMAN
    assert preferred([], {}) == []


def test_a_podman_of_another_machine() -> None:
    problem = find(
        Machine(podman=A_PODMAN).which, Machine(podman=A_PODMAN).run, {"CONTAINER_HOST": "ssh://elsewhere"}
    ).problem
    assert "CONTAINER_HOST=ssh://elsewhere leads it elsewhere" in str(problem)
    assert Machine(podman=A_PODMAN).found({"CONTAINER_HOST": "unix:///run/podman/podman.sock"}) == (PODMAN, True)


def test_cgroups_as_either_tells_them() -> None:
    assert DOCKER.has_old_cgroups('WARNING: none\n{"CgroupVersion": "1"}\n')
    assert not DOCKER.has_old_cgroups('{"CgroupVersion": "2"}')
    assert PODMAN.has_old_cgroups(podman_said(cgroupVersion="v1"))
    assert not PODMAN.has_old_cgroups(podman_said())
    assert not PODMAN.has_old_cgroups("") and not DOCKER.has_old_cgroups("") and not DOCKER.has_old_cgroups("[]")
