"""The benchmark of events: what it counts, and what it makes fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.localcloud.stack.benchmarks import consumer, event_world
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError


class Queue:
    """A world that has so many messages left at each look."""

    def __init__(self, left: list[int], stored: int) -> None:
        self.env: dict[str, str] = {}
        self.filled = 0
        self._left, self._stored = iter(left), stored

    def fill(self, events: int) -> None:
        self.filled = events

    def waiting(self) -> int:
        return next(self._left)

    def stored(self) -> int:
        return self._stored


@pytest.fixture
def program(tmp_path: Path) -> Iterator[event_world.Program]:
    said = '{"event": "ready"}\\nno JSON\\n{"event": "rea'
    with run(f"import signal; print('{said}', end='', flush=True); signal.pause()", tmp_path) as one:
        yield one


def run(code: str, folder: Path) -> event_world.Program:
    world: Any = Queue([], 0)
    return event_world.Program([sys.executable, "-c", code], world, folder / "program.log")


def test_a_rate_is_taken_between_the_margins() -> None:
    seen = [(0.0, 100), (1.0, 95), (2.0, 90), (3.0, 50), (4.0, 8), (9.0, 0)]
    assert consumer.rate_between(seen, 90, 10) == (90 - 8) / 2


def test_a_percentile_is_of_all_values() -> None:
    assert consumer.percentile([float(one) for one in range(1, 100)], 95) == 95


def test_ratios_are_pair_by_pair() -> None:
    assert consumer.ratios({"one": [150.0, 90.0], "bare": [100.0, 120.0]}, "one", "bare") == [1.5, 0.75]


def test_programs_move_what_is_waiting(program: event_world.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(10))
    monkeypatch.setattr(consumer, "time", SimpleNamespace(monotonic=lambda: float(next(times))))
    world: Any = Queue([100, 80, 40, 10, 0], 100)
    assert consumer.moved(world, [program], 100) == (80 - 10) / 2
    assert world.filled == 100


def test_a_lost_event_fails(program: event_world.Program) -> None:
    world: Any = Queue([0], 99)
    with pytest.raises(RuntimeError, match="The queue is empty, but 99 of 100 events are in the table"):
        consumer.moved(world, [program], 100)


def test_a_program_that_ends_by_a_failure_fails_with_what_it_said(tmp_path: Path) -> None:
    with (
        run("raise SystemExit('no such queue')", tmp_path) as ended,
        pytest.raises(RuntimeError, match="no such queue"),
    ):
        ended.says("ready")


def test_a_program_that_does_not_say_it_is_named(program: event_world.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_world, "LIMIT_SECONDS", 0)
    with pytest.raises(WaitError, match="the program to say 'done'"):
        program.says("done")


def test_a_line_that_is_not_whole_is_not_read(program: event_world.Program) -> None:
    program.says("ready")
    assert program.said("ready") == [{"event": "ready"}]


def test_a_message_is_as_a_subscription_delivers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(consumer.PROJECT / "apps/events/src"))
    from localcloud_events.message import decode

    decoded = decode(event_world.body(7, "arn:aws:sns:eu-central-1:000000000000:topic"))
    assert (decoded.event.id, decoded.event.number) == ("e7", 7)
    assert decoded.published_at == 1767323045680


def test_figures_of_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"other": 1, "consumer": {"localstack": 2, "ministack": 3}}))
    monkeypatch.setattr(consumer, "RESULTS", file)
    consumer.write("ministack", {"moved": 4})
    assert json.loads(file.read_text()) == {"other": 1, "consumer": {"localstack": 2, "ministack": {"moved": 4}}}
