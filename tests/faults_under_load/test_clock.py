"""The clock of the node jumps by two hours, and back: leases, tokens and certificates are read at another time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.faults_under_load.catalog import injects
from tests.faults_under_load.clock import SUPPORTED, Jump

HOURS = 3600
JUMP_SECONDS = 20
TELLS = "import time\nwhile True:\n    input()\n    print(int(time.time()), flush=True)\n"


@contextmanager
def shifted(node: psutil.Process, seconds: int) -> Iterator[Jump]:
    """Shift all programs of a node, and those that start meanwhile; at the end, the clock jumps back."""
    jump, stop = Jump(seconds), threading.Event()

    def follow() -> None:
        while not stop.wait(0.1):
            jump.shift([node, *node.children(recursive=True)])

    jump.shift([node, *node.children(recursive=True)])
    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield jump
    finally:
        stop.set()
        thread.join()
        jump.back()


@pytest.mark.skipif(not SUPPORTED, reason="the code that tells another time is written for x86_64")
@pytest.mark.parametrize(
    "hours", [pytest.param(2, marks=injects("clock-ahead")), pytest.param(-2, marks=injects("clock-behind"))]
)
def test_the_clock_jumps(cloud: Any, under_load: Any, hours: int) -> None:
    with under_load(limit=180) as trial, shifted(cloud.node, hours * HOURS) as jump:
        # MiniStack notes for each message the time from which on it may be received.
        trial.delayed = "nothing, but what is sent as the clock goes back waits in the queue until it has caught up"
        time.sleep(JUMP_SECONDS)
        for name in ("kube-apiserver", "etcd", "kubelet", "provider", "coredns", "containerd"):
            assert all(jump.is_shifted(process) for process in cloud.processes(name))


@pytest.mark.skipif(not SUPPORTED, reason="the code that tells another time is written for x86_64")
def test_a_process_is_told_another_time_and_then_the_real_one() -> None:
    """What the two above rest on, without a node."""
    command = [sys.executable, "-c", TELLS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def ahead() -> float:
            assert process.stdin and process.stdout
            print(file=process.stdin, flush=True)
            return int(process.stdout.readline()) - time.time()

        assert abs(ahead()) < 5
        jump = Jump(-2 * HOURS)
        assert jump.shift([psutil.Process(process.pid)]) == 1
        assert abs(ahead() + 2 * HOURS) < 5
        jump.back()
        assert abs(ahead()) < 5
        process.kill()
