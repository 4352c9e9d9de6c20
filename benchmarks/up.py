"""Measure `make up` from nothing, with everything built, beside another checkout of the project: in turns, on the same machine.

    up.py OTHER [--rounds 3] [--settings JSON]      OTHER: for example a clone of the commit that this one is compared with

Both checkouts' stacks are taken away first. Then each comes up, is left without its node, comes up again, and goes. The first node after
`make clean-cache` takes longer, as there is none to begin with; the median of three rounds leaves it out.

Prints a Markdown table of medians: seconds, and seconds of CPU, as a busy machine makes the first ones long, of `ansible-playbook` with all
it starts and of the node with all that runs in it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parents[1]
WHAT = ("up, s", "up, CPU s", "of these in the node", "node killed, up, s", "unchanged up, s", "down, s")


def make(checkout: Path, target: str, settings: str = "{}") -> tuple[float, float]:
    """Run a make target; the seconds it took, and the seconds of CPU of its processes that have ended."""
    begin = time.monotonic()
    running = subprocess.Popen(
        ["make", target, f"ARGS=-e '{settings}'"],
        cwd=checkout,
        env={**os.environ, "KUBECONFIG": "/nonexistent", "DOCKER_HOST": "unix:///nonexistent", "LOCALCLOUD_DIR": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert running.stdout
    output = running.stdout.read().decode()
    _pid, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"`make {target}` failed in {checkout}:\n{output[-3000:]}")
    return time.monotonic() - begin, used.ru_utime + used.ru_stime


def first_process(checkout: Path) -> psutil.Process:
    """The first process of a checkout's node."""
    pid, _created = json.loads((checkout / ".localcloud/node/node.json").read_text())["process"]
    return psutil.Process(pid)


def node_cpu(checkout: Path) -> float:
    """Seconds of CPU that the node of a checkout has used, with all processes that have ended in it."""
    first = first_process(checkout)
    used = 0.0
    for process in [first, *first.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):  # its parent has its time, once it is reaped
            used += sum(process.cpu_times()[:4])
    return used


def measure(checkout: Path, settings: str) -> list[float]:
    """The figures of WHAT for one stack that comes and goes."""
    seconds, cpu = make(checkout, "up", settings)
    node = node_cpu(checkout)
    # With it goes all that runs in it.
    first = first_process(checkout)
    first.kill()
    psutil.wait_procs([first])
    killed = make(checkout, "up", settings)[0]
    unchanged = make(checkout, "up", settings)[0]
    return [seconds, cpu + node, node, killed, unchanged, make(checkout, "down")[0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", default="{}", help="variables of both stacks")
    arguments = parser.parse_args()
    checkouts = (arguments.other.resolve(), PROJECT)
    for checkout in checkouts:
        make(checkout, "down")
    figures: dict[Path, list[list[float]]] = {checkout: [] for checkout in checkouts}
    for number in range(arguments.rounds):
        # Who is first has the colder file cache.
        for checkout in checkouts if number % 2 == 0 else reversed(checkouts):
            figures[checkout].append(measure(checkout, arguments.settings))
            print(checkout, *(f"{figure:.1f}" for figure in figures[checkout][-1]), file=sys.stderr, flush=True)
    other, here = ([statistics.median(column) for column in zip(*figures[one], strict=True)] for one in checkouts)
    rows = [[what, f"{a:.1f}", f"{b:.1f}", f"{b / a:.2f}"] for what, a, b in zip(WHAT, other, here, strict=True)]
    print(tabulate(rows, headers=["", checkouts[0].name, "here", "ratio"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
