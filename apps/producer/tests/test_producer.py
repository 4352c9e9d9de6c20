from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import cast
from uuid import UUID

import pytest
from botocore.exceptions import EndpointConnectionError
from prometheus_client import CollectorRegistry

from localcloud_events import logs
from localcloud_events.lifecycle import Stop
from localcloud_events.message import Event
from localcloud_events.problems import NothingDoneError
from localcloud_events.settings import BadSettingsError, load
from localcloud_producer.app import Metrics, Producer
from localcloud_producer.pace import Pace
from localcloud_producer.settings import ProducerSettings
from localcloud_producer.topic import Refusal, Topic

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeStop(Stop):
    """Sleeps by putting the clock forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeTopic:
    """Takes what it is given but for the events that one of its answers names; an error is raised."""

    def __init__(self, *answers: Exception | set[int]) -> None:
        self.answers = list(answers)
        self.calls: list[list[int]] = []
        self.taken: list[Event] = []
        self.found = False

    def find(self) -> None:
        self.found = True

    def publish(self, events: Sequence[Event]) -> list[Refusal]:
        self.calls.append([event.number for event in events])
        answer = self.answers.pop(0) if self.answers else set()
        if isinstance(answer, Exception):
            raise answer
        self.taken += [event for event in events if event.number not in answer]
        return [Refusal(event, "Later: no") for event in events if event.number in answer]


def make(topic: FakeTopic, rate: float = 1, limit: int = 0) -> tuple[Producer, FakeStop, CollectorRegistry]:
    logs.configure("ERROR")
    stop, registry, ids = FakeStop(), CollectorRegistry(), count(1)
    producer = Producer(
        cast("Topic", topic),
        Pace(rate, lambda: stop.now),
        limit,
        stop,
        Metrics(registry),
        logs.logger("test"),
        now=lambda: NOW,
        new_id=lambda: UUID(int=next(ids)),
    )
    return producer, stop, registry


def metric(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(f"localcloud_producer_{name}_total")


def test_publishes_at_its_pace() -> None:
    topic = FakeTopic()
    producer, stop, registry = make(topic, rate=0.25)
    producer.connect()
    while stop.now < 9:
        producer.step(patient=True)
    assert topic.found
    assert topic.calls == [[1], [2], [3]]
    assert topic.taken[0].created_at == "2026-01-02T03:04:05.000Z"
    assert len({event.id for event in topic.taken}) == 3
    assert max(stop.slept) <= 5
    assert (metric(registry, "published"), metric(registry, "failed")) == (3, 0)


def test_stops_publishing_at_its_count_and_idles() -> None:
    topic = FakeTopic()
    producer, stop, registry = make(topic, rate=100, limit=25)
    for _ in range(200):
        producer.step(patient=True)
    assert [number for call in topic.calls for number in call] == list(range(1, 26))
    assert metric(registry, "published") == 25
    assert stop.slept[-1] == 5


def test_a_refused_event_is_tried_again_as_it_was() -> None:
    topic = FakeTopic({2, 4}, {4})
    producer, stop, registry = make(topic, rate=100, limit=5)
    producer.step(patient=True)
    stop.now += 0.04
    producer.step(patient=True)
    for _ in range(5):
        producer.step(patient=True)
    assert topic.calls[:3] == [[1], [2, 3, 4, 5], [4]]
    assert [event.number for event in topic.taken] == [1, 2, 3, 5, 4]
    assert metric(registry, "published") == 5
    assert metric(registry, "failed") == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), EndpointConnectionError),
        ({1}, NothingDoneError),
    ],
)
def test_a_failed_try_loses_nothing(answer: Exception | set[int], error: type[Exception]) -> None:
    topic = FakeTopic(answer)
    producer, _, registry = make(topic, limit=1)
    with pytest.raises(error):
        producer.step(patient=False)
    producer.step(patient=False)
    assert topic.calls == [[1], [1]]
    assert [event.id for event in topic.taken] == [str(UUID(int=1))]
    assert (metric(registry, "published"), metric(registry, "failed")) == (1, 1)


def test_never_more_than_a_batch_is_pending() -> None:
    topic = FakeTopic(*[EndpointConnectionError(endpoint_url="http://x")] * 5)
    producer, stop, _ = make(topic, rate=1000)
    for _ in range(5):
        with pytest.raises(EndpointConnectionError):
            producer.step(patient=False)
        stop.now += 60
    producer.step(patient=False)
    assert max(len(call) for call in topic.calls) == 10
    assert [event.number for event in topic.taken] == list(range(1, 11))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PRODUCER_RATE", "-1"),
        ("PRODUCER_RATE", "0"),
        ("PRODUCER_RATE", "nan"),
        ("PRODUCER_RATE", "fast"),
        ("PRODUCER_RATE", "1001"),
        ("PRODUCER_COUNT", "-1"),
        ("PRODUCER_COUNT", "1.5"),
        ("TOPIC_NAME", "a topic"),
    ],
)
def test_bad_settings(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettingsError, match=f"^{variable}: "):
        load(ProducerSettings)


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(ProducerSettings).topic == "justtrack-dev-devops-producer-events"
    assert (load(ProducerSettings).rate, load(ProducerSettings).count) == (1, 0)
    monkeypatch.setenv("PRODUCER_RATE", "2.5")
    monkeypatch.setenv("PRODUCER_COUNT", "7")
    assert (load(ProducerSettings).rate, load(ProducerSettings).count) == (2.5, 7)
