"""Faults: a stack of its own, on an embedded node in .localcloud/faults, on which things are really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import BaseInputs, Node

from tests.faults.bare_nodes import CACHE, all_parts, all_versions

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".localcloud/faults"
HOST_STATE = [sys.executable, str(PROJECT / "tests/integration/host_state.py")]
# A playbook of the stack is done by then, or hangs.
LIMIT_SECONDS = 600
# How long one waits for the end after Ctrl-C before one presses it again.
PATIENCE_SECONDS = 20


class Stack:
    """A folder with a stack, and the playbooks that work on it, each with the settings of `always`."""

    always: Mapping[str, object] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".localcloud"
        self.log = folder / "log"

    def start(self, playbook: str, *arguments: str, **settings: object) -> subprocess.Popen[str]:
        """Start a playbook as a terminal would, in a process group of its own."""
        return subprocess.Popen(
            ["ansible-playbook", playbook, "-e", json.dumps({**self.always, **settings}), *arguments],
            cwd=PROJECT,
            env={
                **os.environ,
                "LOCALCLOUD_DIR": str(self.folder),
                "LOCALCLOUD_TIMINGS": str(self.state / "timings.json"),
                "KUBECONFIG": "/nonexistent",
                "DOCKER_HOST": "unix:///nonexistent",
                "NO_COLOR": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, playbook: str, *arguments: str, **settings: object) -> tuple[int, str]:
        """Run a playbook to its end: exit code and output, which is in the folder's log as well."""
        running = self.start(playbook, *arguments, **settings)
        output = running.communicate(timeout=LIMIT_SECONDS)[0]
        self._write(output)
        return running.returncode, output

    def up(self, **settings: object) -> str:
        """Run site.yml, which must end with a verified event. Returns its output."""
        code, output = self.run("site.yml", **settings)
        assert code == 0, output[-6000:]
        assert "Verified: event" in output
        return output

    def interrupt_at(self, task: str, **settings: object) -> None:
        """Run site.yml and press Ctrl-C when this task starts.

        As a person would, press again where it goes on, as Python loses what comes while it forks, and where it hangs, as
        Ansible now and then does where it ended a worker that held the lock of their queue.
        """
        running = self.start("site.yml", **settings)
        assert running.stdout
        again = threading.Timer(PATIENCE_SECONDS, os.killpg, (running.pid, signal.SIGINT))
        seen, pressed = "", False
        for line in running.stdout:
            seen += line
            if line.startswith("TASK [") and (pressed or f": {task}]" in line):
                os.killpg(running.pid, signal.SIGINT)
                if not pressed:
                    again.start()
                pressed = True
        code = running.wait(timeout=LIMIT_SECONDS)
        again.cancel()
        self._write(seen)
        assert pressed, seen[-3000:]
        assert code != 0

    def _write(self, output: str) -> None:
        with self.log.open("a") as log:
            log.write(output)

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.state / "cluster.json").read_text())
        return facts

    @property
    def endpoint(self) -> str:
        """AWS_ENDPOINT_URL of the last run that ended well."""
        lines = (self.state / "env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("export AWS_ENDPOINT_URL="))

    def kubectl(self, *arguments: str) -> str:
        command = [self.facts["kubectl"], "--kubeconfig", self.facts["kubeconfig"], *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def helm(self, *arguments: str) -> list[str]:
        """The command line of a Helm command."""
        return [self.facts["helm"], "--kubeconfig", self.facts["kubeconfig"], *arguments]


class EphemeralStack(Stack):
    """A stack with the engine that starts soonest, which loses at each restart what it had, as LocalStack does."""

    always: Mapping[str, object] = {
        "localstack_service_engine": "ministack",
        "localstack_service_persistence": "none",
    }


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A folder without a stack yet. In the end the stack goes, and the host is as it was."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stack = EphemeralStack(FOLDER)
    code, output = stack.run("playbooks/teardown.yml")
    assert code == 0, output[-3000:]
    before = FOLDER / "before.json"
    subprocess.run([*HOST_STATE, str(before)], check=True)
    yield stack
    code, output = stack.run("playbooks/teardown.yml")
    assert code == 0, output[-3000:]
    subprocess.run([*HOST_STATE, "--compare", str(before)], check=True)


@pytest.fixture(scope="session")
def parts() -> dict[str, PartPath]:
    """All that a node with Kubernetes alone is made of."""
    return all_parts()


@pytest.fixture
def start(tmp_path: Path, parts: dict[str, PartPath]) -> Iterator[Callable[[str, BaseInputs | None], Node]]:
    """Make a node with Kubernetes alone; in the end all of them go."""
    nodes = []

    def made(name: str, inputs: BaseInputs | None) -> Node:
        node = Node(tmp_path / name / "node", tmp_path / name, CACHE)
        nodes.append(node)
        node.up(parts, all_versions(), inputs)
        return node

    yield made
    for node in nodes:
        node.down()
