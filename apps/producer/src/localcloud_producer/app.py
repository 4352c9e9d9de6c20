"""The producer: makes events at its pace and keeps each until the topic has taken it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry, Counter

from localcloud_events.aws import client_arguments, session
from localcloud_events.calls import Calls
from localcloud_events.lifecycle import Stop
from localcloud_events.message import Event, new_event
from localcloud_events.problems import PROBLEMS, NothingDoneError
from localcloud_events.worker import run
from localcloud_producer.pace import Pace
from localcloud_producer.settings import ProducerSettings
from localcloud_producer.topic import BATCH, Topic

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# Longest sleep in seconds, so that a slow pace still shows progress to the liveness probe.
LONGEST_SLEEP = 5.0


class Metrics:
    """The producer's counters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter("localcloud_producer_published", "Events the topic has taken.", registry=registry)
        self.failed = Counter("localcloud_producer_failed", "Events a try did not bring through.", registry=registry)


@dataclass
class Producer:
    """Publishes `count` events (0: endless), then idles. An event that was refused is tried again as it was."""

    topic: Topic
    pace: Pace
    count: int
    stop: Stop
    metrics: Metrics
    log: FilteringBoundLogger
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], UUID] = uuid4
    _made: int = field(default=0, init=False)
    _pending: list[Event] = field(default_factory=list, init=False)
    _done: bool = field(default=False, init=False)

    def connect(self) -> None:
        """Find the topic."""
        self.topic.find()

    def step(self, *, patient: bool) -> None:
        """Publish what is due, or sleep until something is. The pace's waits are short, so patience plays no part."""
        self._pending += self._make_due()
        if self._pending:
            self._publish()
        elif self._exhausted():
            self._idle()
        else:
            self.stop.sleep(min(self.pace.wait(), LONGEST_SLEEP))

    def _make_due(self) -> list[Event]:
        if self._exhausted():
            return []
        room = BATCH - len(self._pending)
        most = min(room, self.count - self._made) if self.count else room
        return [self._make() for _ in range(self.pace.due(most))]

    def _make(self) -> Event:
        self._made += 1
        return new_event(self.new_id(), self._made, self.now())

    def _exhausted(self) -> bool:
        return 0 < self.count <= self._made

    def _publish(self) -> None:
        tried = len(self._pending)
        try:
            refusals = self.topic.publish(self._pending)
        except PROBLEMS:
            self.metrics.failed.inc(tried)
            raise
        self._pending = [refusal.event for refusal in refusals]
        self.metrics.failed.inc(len(refusals))
        self.metrics.published.inc(tried - len(refusals))
        for refusal in refusals:
            self.log.warning("refused", id=refusal.event.id, reason=refusal.reason)
        if len(refusals) == tried:
            raise NothingDoneError(f"the topic refused all of {tried} events: {refusals[0].reason}")
        self.log.info("published", events=tried - len(refusals), last_number=self._made)

    def _idle(self) -> None:
        # The process stays: a pod that ended would be started again and publish once more.
        if not self._done:
            self.log.info("done, idling", published=self.count)
            self._done = True
        self.stop.sleep(LONGEST_SLEEP)


def build(settings: ProducerSettings, stop: Stop, registry: CollectorRegistry, log: FilteringBoundLogger) -> Producer:
    """Make the producer with its AWS client."""
    sns = session().client("sns", **client_arguments(settings))
    Calls(registry).watch(sns)
    topic = Topic(sns, settings.topic)
    return Producer(topic, Pace(settings.rate, time.monotonic), settings.count, stop, Metrics(registry), log)


def start(stop: Stop) -> int:
    """Run the producer until `stop`; give the process's exit code."""
    return run("localcloud_producer", ProducerSettings, build, stop)
