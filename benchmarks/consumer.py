"""How fast events go from producer to table on the running stack's emulator, compared in turns, in one run.

    python benchmarks/consumer.py [PAIRS] [--events N] [--concurrency N]

It measures one consumer beside a bare loop of boto3, three consumers beside one, how long an event takes from its creation until
the table has it at a tenth of the rate that one consumer had, and the producer beside a bare loop of boto3. All are processes of this
machine, and work on a topic, queue and table that are made for each measurement and deleted. Figures go into benchmarks/results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from ansible_collections.localcloud.stack.benchmarks.event_world import LIMIT_SECONDS, PROJECT, Program, World
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from tabulate import tabulate

RESULTS = PROJECT / "benchmarks/results.json"
PROGRAMS = PROJECT / "benchmarks/programs"
CONSUMER = [sys.executable, "-m", "localcloud_consumer"]
# Of the events, before and after which starting and ending are not measured.
MARGIN = 0.1
CONSUMERS = 3
# Enough for a second at the rate that the engine has.
EVENTS, EVENTS_OF = 3000, {"localstack": 1500}
BLOCK, BLOCK_OF = 500, {"localstack": 100}
BLOCK_PAIRS = 11
# How long events come at the tenth of the rate, in seconds, and how often.
STEADY_SECONDS, STEADY_RUNS = 10, 3
# What is wanted: ratios at least, milliseconds at most.
WANTED = {"three_to_one": 1.3, "publish_to_bare": 0.9, "p95_ms": 150}


@dataclass
class Bench:
    """The emulator that is measured, and how."""

    endpoint: str
    region: str
    concurrency: int
    logs: Path
    _programs: int = field(default=0, init=False)

    def world(self) -> World:
        return World(self.endpoint, self.region)

    def run(self, command: list[str], world: World, **extra: str) -> Program:
        self._programs += 1
        return Program(command, world, self.logs / f"{self._programs}.log", **extra)

    def bare(self, events: int) -> float:
        """Events a second of the bare loop."""
        with self.world() as world, self.run([sys.executable, str(PROGRAMS / "bare_consumer.py")], world) as program:
            return moved(world, [program], events)

    def consumers(self, number: int, concurrency: int, events: int) -> float:
        """Events a second of so many consumers. RuntimeError if an event was received or stored other than once."""
        extra = {"CONSUMER_CONCURRENCY": str(concurrency)}
        with self.world() as world, ExitStack() as stack:
            programs = [stack.enter_context(self.run(CONSUMER, world, **extra)) for _ in range(number)]
            found = moved(world, programs, events)
            for name in ("received", "stored", "deleted"):
                counted = sum(one.counter(f"localcloud_consumer_{name}") for one in programs)
                if counted != events:
                    raise RuntimeError(f"{counted} of {events} were {name}.")
        return found

    def seconds_to_table(self, rate: int) -> list[float]:
        """Seconds of each event from its creation until the table has it. RuntimeError if one is there twice."""
        events, file = rate * STEADY_SECONDS, self.logs / "taken.json"
        observed = [sys.executable, str(PROGRAMS / "observed_consumer.py"), str(file)]
        pace = {"PRODUCER_RATE": str(rate), "PRODUCER_COUNT": str(events)}

        with self.world() as world, self.run(observed, world) as consumer:
            consumer.says("ready")
            with self.run([sys.executable, "-m", "localcloud_producer"], world, **pace) as producer:
                producer.says("done, idling")
            # Only now, as a look at the table takes time of the emulator's.
            wait_for("the table to have all events", lambda: missing(world, events), LIMIT_SECONDS)
        taken: list[float] = json.loads(file.read_text())
        if len(taken) != events:
            raise RuntimeError(f"{len(taken)} items were written of {events} events.")
        return taken

    def published(self, pairs: int, events: int) -> dict[str, list[float]]:
        """Events a second that producer and bare loop publish, by blocks."""
        file = self.logs / "published.json"
        command = [sys.executable, str(PROGRAMS / "publish.py"), str(file), str(pairs), str(events)]
        with self.world() as world, self.run(command, world) as program:
            wait_for("all blocks to be published", program.ended, LIMIT_SECONDS)
        found: dict[str, list[float]] = json.loads(file.read_text())
        return found


def moved(world: World, programs: list[Program], events: int) -> float:
    """Events a second that programs move from queue to table, all begun at once. RuntimeError if one is lost."""
    for program in programs:
        program.says("ready")
    # None has a head start, and none is slowed down by the filling.
    for program in programs:
        program.stop()
    world.fill(events)
    for program in programs:
        program.go_on()
    seen: list[tuple[float, int]] = []

    def look() -> str | None:
        for program in programs:
            program.check()
        seen.append((time.monotonic(), world.waiting()))
        return f"{seen[-1][1]} of {events} are left" if seen[-1][1] else None

    wait_for("the queue to be empty", look, LIMIT_SECONDS)
    if lost := missing(world, events):
        raise RuntimeError(f"The queue is empty, but {lost}.")
    return rate_between(seen, events * (1 - MARGIN), events * MARGIN)


def missing(world: World, events: int) -> str | None:
    """What the table lacks."""
    return None if (stored := world.stored()) == events else f"{stored} of {events} events are in the table"


def rate_between(seen: list[tuple[float, int]], most: float, least: float) -> float:
    """Events a second, from when at most so many were left until it were at most the others."""
    begun = next(one for one in seen if one[1] <= most)
    ended = next(one for one in seen if one[1] <= least)
    return (begun[1] - ended[1]) / (ended[0] - begun[0])


def percentile(values: list[float], share: int) -> float:
    """The value that so many per cent are at most."""
    return statistics.quantiles(values, n=100)[share - 1]


def ratios(rates: dict[str, list[float]], ours: str, other: str) -> list[float]:
    return [round(mine / theirs, 2) for mine, theirs in zip(rates[ours], rates[other], strict=True)]


def rounded(rates: dict[str, list[float]]) -> dict[str, list[int]]:
    return {name: [round(one) for one in found] for name, found in rates.items()}


def move(bench: Bench, pairs: int, events: int) -> dict[str, list[float]]:
    """Rates of each way, in turns: which goes first changes, as the machine may get slower."""
    ways = {
        "bare": lambda: bench.bare(events),
        "one": lambda: bench.consumers(1, bench.concurrency, events),
        "three": lambda: bench.consumers(CONSUMERS, bench.concurrency, events),
        "one, one batch at a time": lambda: bench.consumers(1, 1, events),
        "three, one batch at a time": lambda: bench.consumers(CONSUMERS, 1, events),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for pair in range(pairs):
        for name in list(ways)[:: -1 if pair % 2 else 1]:
            rates[name].append(ways[name]())
            print(f"{name}: {rates[name][-1]:.0f}/s", flush=True)
    return rates


def measure(bench: Bench, engine: str, pairs: int, events: int) -> dict[str, Any]:
    """All figures of the engine."""
    load = round(os.getloadavg()[0], 1)
    rates = move(bench, pairs, events)
    tenth = max(1, round(statistics.median(rates["one"]) / 10))
    runs = [bench.seconds_to_table(tenth) for _ in range(STEADY_RUNS)]
    published = bench.published(BLOCK_PAIRS, BLOCK_OF.get(engine, BLOCK))
    to_table = {f"p{share}_ms": [round(percentile(run, share) * 1000) for run in runs] for share in (50, 95, 99)}
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "load_before": load,
        "moved": {"events": events, "per_second": rounded(rates)},
        "one_to_bare": ratios(rates, "one", "bare"),
        "three_to_one": ratios(rates, "three", "one"),
        "three_to_one_batch": ratios(rates, "three, one batch at a time", "one, one batch at a time"),
        "published": {"events": BLOCK_OF.get(engine, BLOCK), "per_second": rounded(published)},
        "publish_to_bare": ratios(published, "producer", "bare"),
        "to_table": {"per_second": tenth, "seconds": STEADY_SECONDS, **to_table},
    }


def machine() -> str:
    memory = psutil.virtual_memory().total // 2**30
    return f"{psutil.cpu_count()} cores, {memory} GiB, {platform.freedesktop_os_release()['PRETTY_NAME']}"


def write(engine: str, found: dict[str, Any]) -> None:
    """Put the figures into the file, and leave what other engines and benchmarks have there."""
    everything = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    everything.setdefault("consumer", {})[engine] = found
    RESULTS.write_text(json.dumps(everything, indent=2, sort_keys=True) + "\n")


def table(found: dict[str, Any]) -> str:
    names = {
        "one_to_bare": "a consumer beside a bare loop",
        "three_to_one": f"{CONSUMERS} consumers beside one",
        "three_to_one_batch": f"{CONSUMERS} beside one, each with one batch at a time",
        "publish_to_bare": "the producer beside a bare loop",
    }
    rows = [
        [
            what,
            f"{statistics.median(found[name]):.2f}",
            f">= {WANTED[name]}" if name in WANTED else "",
            ", ".join(f"{one:.2f}" for one in found[name]),
        ]
        for name, what in names.items()
    ]
    late = found["to_table"]
    what = f"creation to table at {late['per_second']}/s, p95, ms"
    rows.append(
        [what, statistics.median(late["p95_ms"]), f"<= {WANTED['p95_ms']}", ", ".join(map(str, late["p95_ms"]))]
    )
    return tabulate(rows, ["", "median", "wanted", "each"], tablefmt="github", disable_numparse=True)


def stack() -> tuple[str, str, str]:
    """Engine, endpoint and region of the running stack."""
    state = PROJECT / ".localcloud"
    lines = [line.removeprefix("export ") for line in (state / "env").read_text().splitlines() if "=" in line]
    known = {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
    engine = json.loads((state / "cloud.json").read_text())["engine"]
    return engine, known["AWS_ENDPOINT_URL"], known["AWS_REGION"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="?", default=5)
    parser.add_argument("--events", type=int, help="3000, or what is set for the engine")
    parser.add_argument("--concurrency", type=int, default=3)
    given = parser.parse_args()
    engine, endpoint, region = stack()
    events = given.events or EVENTS_OF.get(engine, EVENTS)
    with tempfile.TemporaryDirectory() as logs:
        found = measure(Bench(endpoint, region, given.concurrency, Path(logs)), engine, given.pairs, events)
    write(engine, found)
    print(f"\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
