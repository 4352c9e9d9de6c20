"""The consumer: receives a batch, writes its items, deletes what is written, and keeps the rest in hand.

While batches are full, several are in work at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from localcloud_consumer.batch import Delivery, last_of_each, read, to_item
from localcloud_consumer.queue import BATCH, Queue
from localcloud_consumer.settings import ConsumerSettings
from localcloud_consumer.table import Outcome, Table
from localcloud_events.aws import LONG_POLL_SECONDS, client_arguments, session
from localcloud_events.calls import Calls
from localcloud_events.lifecycle import Stop
from localcloud_events.message import epoch_ms
from localcloud_events.problems import PROBLEMS, NothingDoneError
from localcloud_events.worker import run

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The consumer's counters, in messages but for `stored`, and the events' way in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, documentation: str) -> Counter:
            return Counter(f"localcloud_consumer_{name}", documentation, registry=registry)

        self.received = counter("received", "Messages received from the queue.")
        self.stored = counter("stored", "Items written to the table.")
        self.deleted = counter("deleted", "Messages deleted from the queue.")
        self.rejected = counter("rejected", "Messages left to the redrive policy: foreign, or refused by the table.")
        self.failed = counter("failed", "Messages that a try neither stored nor, once stored, deleted.")
        self.seconds = Histogram(
            "localcloud_consumer_end_to_end_seconds",
            "From an event's creation to its item being stored.",
            buckets=BUCKETS,
            registry=registry,
        )


@dataclass
class Consumer:
    """Moves events from the queue into the table.

    A batch stays in hand until it is written. Receiving again while the table is away would only use up the messages'
    receive counts and send good ones to the dead-letter queue.
    """

    queue: Queue
    table: Table
    stop: Stop
    metrics: Metrics
    log: FilteringBoundLogger
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _hand: list[Delivery] = field(default_factory=list, init=False)

    def connect(self) -> None:
        """Find the queue and the table."""
        self.queue.find()
        self.table.find()

    def step(self, *, patient: bool) -> bool:
        """Receive a batch, unless one is still in hand, and bring it to its end; return whether there are likely more.

        Only for the main thread, whose idle wait a stop may cut short.
        """
        if self._hand:
            self._finish()
            return True
        nothing: list[Any] = []
        wait_seconds = LONG_POLL_SECONDS if patient else 0
        return self._process(self.stop.while_idle(lambda: self.queue.receive(wait_seconds), nothing))

    def drain(self, until: float) -> None:
        """Bring batches to their end while they are full, until this time (monotonic) or a stop; one in hand first."""
        while not self.stop.requested and time.monotonic() < until:
            if self._hand:
                self._finish()
            elif not self._process(self.queue.receive(0), more=True):
                return

    def finish(self) -> None:
        """Bring what is in hand to its end."""
        if self._hand:
            self._finish()

    @property
    def has_hand(self) -> bool:
        """Whether a batch is still to be written."""
        return bool(self._hand)

    def _process(self, messages: Sequence[Any], *, more: bool = False) -> bool:
        """Bring messages to their end, with `more` those of another batch with them; return whether the last was full.

        DynamoDB takes 25 items at once, so two batches cost a call less.
        """
        self._hand = self._take(messages)
        if more and len(messages) == BATCH:
            messages = self.queue.receive(0)
            self._hand += self._take(messages)
        if self._hand:
            self._finish()
        return len(messages) == BATCH

    def _take(self, messages: Sequence[Any]) -> list[Delivery]:
        self.metrics.received.inc(len(messages))
        deliveries, rejections = read(messages, epoch_ms(self.now()))
        for rejection in rejections:
            self._reject(rejection.message_id, rejection.reason)
        return deliveries

    def _finish(self) -> None:
        outcome = self._write()
        written = [one for one in self._hand if one.event.id in outcome.stored]
        self._drop_refused(outcome)
        if written:
            self._delete(written)
        self._hand = [one for one in self._hand if one.event.id not in outcome.stored]
        self.metrics.failed.inc(len(self._hand))
        if self._hand and not outcome.stored:
            raise NothingDoneError(f"the table took none of {len(self._hand)} items, for lack of throughput")

    def _write(self) -> Outcome:
        chosen = last_of_each(self._hand)
        stored_at = epoch_ms(self.now())
        try:
            outcome = self.table.write([to_item(delivery, stored_at) for delivery in chosen])
        except PROBLEMS:
            self.metrics.failed.inc(len(self._hand))
            raise
        self._count_stored([delivery for delivery in chosen if delivery.event.id in outcome.stored])
        return outcome

    def _count_stored(self, stored: Sequence[Delivery]) -> None:
        self.metrics.stored.inc(len(stored))
        now = self.now()
        for delivery in stored:
            # Clocks of two machines may differ; a histogram must not go down.
            self.metrics.seconds.observe(max(0.0, (now - delivery.event.created).total_seconds()))
        if stored:
            self.log.info("stored", items=len(stored), last_number=stored[-1].event.number)

    def _drop_refused(self, outcome: Outcome) -> None:
        for delivery in self._hand:
            if delivery.event.id in outcome.refused:
                self._reject(delivery.message_id, outcome.refused[delivery.event.id])
        self._hand = [one for one in self._hand if one.event.id not in outcome.refused]

    def _delete(self, deliveries: Sequence[Delivery]) -> None:
        try:
            failures = self.queue.delete(deliveries)
        except PROBLEMS:
            self.metrics.failed.inc(len(deliveries))
            raise
        self.metrics.deleted.inc(len(deliveries) - len(failures))
        self.metrics.failed.inc(len(failures))
        for message_id, reason in failures.items():
            # It comes again and is written again, to the same item.
            self.log.warning("not deleted", message_id=message_id, reason=reason)

    def _reject(self, message_id: str, reason: str) -> None:
        self.metrics.rejected.inc()
        self.log.warning("rejected, left on the queue", message_id=message_id, reason=reason)


@dataclass
class Concurrent:
    """Consumers of the same queue and table that work at once while batches are full; one of them waits for more.

    AWS answers one while another prepares its call. Each keeps its own batch in hand, so a table that is away costs no
    more messages than there are consumers' batches.
    """

    consumers: Sequence[Consumer]
    # Seconds of a step, after which the worker counts as alive again.
    longest: float = 5
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(len(self.consumers))

    def connect(self) -> None:
        """Find the queue and the table, which all have in common."""
        self.consumers[0].connect()

    def step(self, *, patient: bool) -> None:
        """Bring what is in hand to its end, else receive a batch; then drain the queue while there are more."""
        if behind := [one for one in self.consumers if one.has_hand]:
            self._at_once([one.finish for one in behind])
        elif not self.consumers[0].step(patient=patient):
            return
        until = time.monotonic() + self.longest
        self._at_once([partial(one.drain, until) for one in self.consumers])

    def _at_once(self, calls: Sequence[Callable[[], object]]) -> None:
        """Make the calls at once and wait for all. Raises what the first has raised, a bug before one of PROBLEMS."""
        errors = [error for one in [self._pool.submit(call) for call in calls] if (error := one.exception())]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, PROBLEMS))


def build(settings: ConsumerSettings, stop: Stop, registry: CollectorRegistry, log: FilteringBoundLogger) -> Concurrent:
    """Make the consumer with its AWS clients."""
    aws = session()
    # An idle long poll is no slow answer: its time-out must be the longer one.
    sqs = aws.client("sqs", **client_arguments(settings, LONG_POLL_SECONDS + 5))
    dynamodb = aws.client("dynamodb", **client_arguments(settings))
    calls = Calls(registry)
    calls.watch(sqs)
    calls.watch(dynamodb)
    queue, table = Queue(sqs, settings.queue), Table(dynamodb, settings.table)
    metrics = Metrics(registry)
    return Concurrent([Consumer(queue, table, stop, metrics, log) for _ in range(settings.concurrency)])


def start(stop: Stop) -> int:
    """Run the consumer until `stop`; give the process's exit code."""
    return run("localcloud_consumer", ConsumerSettings, build, stop)
