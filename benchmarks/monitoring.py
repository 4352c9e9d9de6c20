"""Measure what monitoring costs: `make up` without and with it in turns, from nothing, on the same machine, and the node at rest after each.

    monitoring.py [--rounds 1] [--rest 60] [--settings JSON] [--keep]     everything is built already; the stack of this checkout is taken away first

--keep leaves the last stack, which is monitored.

Prints a Markdown table: seconds of `make up` and of CPU that it and the node took, as a busy machine makes the first
ones long, memory of all processes of the node (each page's share, PSS) and their CPU as a share of one core, after
the stack has been left alone for as long as it is measured; medians of the rounds. The load is that of the machine in the last minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time

import psutil
from tabulate import tabulate
from up import PROJECT, first_process, make, node_cpu

WHAT = ("up, s", "up, CPU s", "memory, MiB", "CPU at rest, cores", "load")


def memory() -> float:
    """MiB of the node's processes; a page that several have counts once."""
    first = first_process(PROJECT)
    found = 0
    for process in [first, *first.children(recursive=True)]:
        try:
            found += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return found / 2**20


def measure(settings: dict[str, object], rest: float, keep: bool) -> list[float]:
    """One stack from nothing to its end, unless it is kept."""
    took, cpu = make(PROJECT, "up", json.dumps(settings))
    cpu += node_cpu(PROJECT)
    # What starts, caches and is scraped for the first time is no rest yet.
    threading.Event().wait(rest)
    begun, before = time.monotonic(), node_cpu(PROJECT)
    threading.Event().wait(rest)
    cores = (node_cpu(PROJECT) - before) / (time.monotonic() - begun)
    found = [took, cpu, memory(), cores, psutil.getloadavg()[0]]
    if not keep:
        make(PROJECT, "down")
    print(settings, *(f"{figure:.2f}" for figure in found), file=sys.stderr, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--rest", type=float, default=60)
    parser.add_argument("--settings", type=json.loads, default={"localstack_service_engine": "ministack"})
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    make(PROJECT, "down")
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for number in range(given.rounds):
        for name, rounds in found.items():
            keep = given.keep and name == "with" and number == given.rounds - 1
            rounds.append(measure({**given.settings, "stack_monitoring": name == "with"}, given.rest, keep))
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in found.items()
    }
    more = [after - before for before, after in zip(medians["without"], medians["with"], strict=True)]
    rows = [[name, *values] for name, values in (*medians.items(), ("more", more))]
    print(tabulate(rows, ("monitoring", *WHAT), tablefmt="github", floatfmt=".2f"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
