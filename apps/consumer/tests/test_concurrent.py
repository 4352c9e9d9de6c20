"""Several consumers of one queue: nothing is lost, and a table that is away gets no more than each one's batch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from localcloud_consumer.app import Concurrent, Consumer, Metrics
from localcloud_consumer.queue import BATCH
from localcloud_consumer.table import Outcome
from localcloud_events import logs
from localcloud_events.lifecycle import Stop
from localcloud_events.message import Event, encode

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class World:
    """A queue with so many messages, and a table. `width`: the most writes that were at work at once.

    `meeting`: after the first batch no write ends until so many are at work.
    """

    def __init__(self, messages: int, meeting: int = 0) -> None:
        self.meeting = meeting
        self.met = threading.Event()
        self.left = [self.message(number) for number in range(messages)]
        self.stored: Counter[str] = Counter()
        self.deleted: Counter[str] = Counter()
        self.received = 0
        self.away = False
        self.at_work = self.width = 0
        self.lock = threading.Lock()

    @staticmethod
    def message(number: int) -> dict[str, Any]:
        body = encode(Event(Id=f"e{number}", Number=number, CreatedAt="2026-01-02T03:04:05Z"), {})
        return {"MessageId": f"m{number}", "ReceiptHandle": f"r{number}", "Body": body, "Attributes": {}}

    def find(self) -> None:
        pass

    def receive(self, _wait_seconds: int) -> list[Any]:
        with self.lock:
            found, self.left = self.left[:BATCH], self.left[BATCH:]
            self.received += len(found)
        return found

    def write(self, items: list[Any]) -> Outcome:
        with self.lock:
            self.at_work += 1
            self.width = max(self.width, self.at_work)
            if self.at_work >= self.meeting:
                self.met.set()
            waits = self.received > BATCH
        if waits:
            self.met.wait(30)
        with self.lock:
            self.at_work -= 1
            if self.away:
                raise AWAY
            ids = {item["Id"]["S"] for item in items}
            self.stored.update(ids)
        return Outcome(stored=ids)

    def delete(self, deliveries: list[Any]) -> dict[str, str]:
        with self.lock:
            self.deleted.update(one.event.id for one in deliveries)
        return {}


def consumers(world: World, number: int, stop: Stop | None = None) -> Concurrent:
    logs.configure("ERROR")
    stop, metrics, log = stop or Stop(), Metrics(CollectorRegistry()), logs.logger("test")
    queue: Any = world
    return Concurrent(
        [Consumer(queue, queue, stop, metrics, log, now=lambda: datetime.now(UTC)) for _ in range(number)], longest=60
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 75), st.integers(1, 4))
def test_each_message_is_stored_and_deleted_once(messages: int, number: int) -> None:
    world = World(messages)
    worker = consumers(world, number)
    while world.left:
        worker.step(patient=False)
    assert world.stored == world.deleted == Counter(f"e{one}" for one in range(messages))


def test_full_batches_are_worked_on_at_once_and_a_single_one_is_not() -> None:
    world = World(30 * BATCH, meeting=3)
    consumers(world, 3).step(patient=False)
    assert world.left == []
    assert world.width == 3
    few = World(BATCH - 1)
    consumers(few, 3).step(patient=False)
    assert few.width == 1


def test_a_table_that_is_away_costs_no_more_than_each_ones_batch() -> None:
    world = World(30 * BATCH)
    worker = consumers(world, 3)
    world.away = True
    for _ in range(5):
        with pytest.raises(EndpointConnectionError):
            worker.step(patient=False)
    assert world.received <= 3 * BATCH
    world.away = False
    worker.step(patient=False)
    assert world.stored == world.deleted == Counter(f"e{one}" for one in range(30 * BATCH))


def test_a_stop_leaves_the_rest_of_the_queue_alone() -> None:
    world, stop = World(30 * BATCH), Stop()
    worker = consumers(world, 3, stop)
    world.delete = lambda _deliveries: stop.__setattr__("requested", True) or {}  # type: ignore[method-assign]
    worker.step(patient=False)
    assert len(world.left) >= 26 * BATCH
    assert sum(world.stored.values()) == world.received


def test_a_bug_is_not_hidden_by_a_table_that_is_away() -> None:
    world = World(30 * BATCH)
    worker = consumers(world, 2)

    def write(items: list[Any]) -> Outcome:
        raise AWAY if items[0]["Id"]["S"] == "e10" else ZeroDivisionError

    consumer = worker.consumers[0]
    consumer.step(patient=False)
    world.write = write  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        worker._at_once([lambda one=one: one.drain(time.monotonic() + 60) for one in worker.consumers])
