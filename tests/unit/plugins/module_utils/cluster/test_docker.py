"""Whether Docker can carry a cluster, by what its command says."""

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import GIB, info_problem, look
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import CommandError

ANSWERS = {"ServerVersion": "29.1.0", "OSType": "linux", "MemTotal": 8 * GIB}


def said(**changes: object) -> str:
    return json.dumps({**ANSWERS, **changes})


def test_a_docker_that_answers() -> None:
    assert look("/usr/bin/docker", lambda command: (0, said(), ""), {}) == (True, None)
    # Some print warnings before.
    assert info_problem(0, f"WARNING: No swap limit support\n{said()}\n", "") is None


def test_no_docker() -> None:
    there, problem = look(None, lambda command: (0, said(), ""), {})
    assert not there
    assert problem is not None and "not on this machine. Install Docker" in problem


def test_a_docker_of_another_machine() -> None:
    there, problem = look("docker", lambda command: (0, said(), ""), {"DOCKER_HOST": "tcp://10.0.0.1:2375"})
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
