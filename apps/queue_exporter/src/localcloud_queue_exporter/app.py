"""The exporter: asks SQS at an interval, and shows the last answer until it is too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from localcloud_events.aws import client_arguments, session
from localcloud_events.lifecycle import Stop
from localcloud_events.worker import run
from localcloud_queue_exporter.queues import Depth, Queues
from localcloud_queue_exporter.settings import ExporterSettings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from structlog.typing import FilteringBoundLogger

# Those of yet-another-cloudwatch-exporter, so that rules and dashboards made for it fit.
LABELS = ("account_id", "dimension_QueueName", "name", "region")
STATES = ("visible", "not_visible", "delayed")
# Intervals after which an answer is shown no longer: a figure that stands still would hide that SQS is away.
STALE = 6


# By identity, as a registry keeps its collectors by hash.
@dataclass(eq=False)
class Board(Collector):
    """The last depths as metrics. `longest` is how many seconds they may be shown."""

    longest: float
    clock: Callable[[], float] = time.monotonic
    _depths: Sequence[Depth] = ()
    _at: float = 0
    _empty_at: dict[str, float] = field(default_factory=dict)

    def show(self, depths: Sequence[Depth]) -> None:
        """Take what SQS has answered just now."""
        now = self.clock()
        waiting = {depth.arn for depth in depths if depth.visible + depth.delayed}
        self._empty_at = {
            depth.arn: self._empty_at.get(depth.arn, now) if depth.arn in waiting else now for depth in depths
        }
        self._depths, self._at = list(depths), now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the metrics; none while the last answer is too old."""
        fresh = self._depths if self.clock() - self._at <= self.longest else ()
        for state in STATES:
            yield _family(
                f"aws_sqs_approximate_number_of_messages_{state}_average",
                f"Messages of the queue that are {state.replace('_', ' ')}.",
                ((depth, float(getattr(depth, state))) for depth in fresh),
            )
        yield _family(
            "localcloud_queue_not_empty_seconds",
            "Since when messages wait at each look. The oldest is no older, unless it waits since before the start.",
            ((depth, self._at - self._empty_at[depth.arn]) for depth in fresh),
        )
        dead = GaugeMetricFamily(
            "localcloud_queue_dead_letter_info",
            "Is 1 for a dead-letter queue, whose source is another queue.",
            labels=[*LABELS, "source"],
        )
        for depth in fresh:
            if depth.source:
                dead.add_metric([*_labels(depth), depth.source], 1)
        yield dead


@dataclass
class Exporter:
    """Asks, shows, sleeps."""

    queues: Queues
    board: Board
    interval: float
    stop: Stop

    def connect(self) -> None:
        """Find the queues."""
        self.queues.find()

    def step(self, *, patient: bool) -> None:
        """Ask once. The first time it does not sleep, as the worker is ready only after it."""
        self.board.show(self.queues.depths())
        if patient:
            self.stop.sleep(self.interval)


def _family(name: str, documentation: str, values: Iterable[tuple[Depth, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=LABELS)
    for depth, value in values:
        family.add_metric(_labels(depth), value)
    return family


def _labels(depth: Depth) -> list[str]:
    region, account, name = depth.arn.split(":")[3:6]
    return [account, name, depth.arn, region]


def build(settings: ExporterSettings, stop: Stop, registry: CollectorRegistry, log: FilteringBoundLogger) -> Exporter:
    """Make the exporter with its AWS client."""
    log.info("looking at", queues=settings.names)
    queues = Queues(session().client("sqs", **client_arguments(settings)), settings.names)
    board = Board(settings.interval * STALE)
    registry.register(board)
    return Exporter(queues, board, settings.interval, stop)


def start(stop: Stop) -> int:
    """Run the exporter until `stop`; give the process's exit code."""
    return run("localcloud_queue_exporter", ExporterSettings, build, stop)
