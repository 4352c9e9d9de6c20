import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError
from prometheus_client import CollectorRegistry

from localcloud_consumer.app import Consumer, Metrics
from localcloud_consumer.queue import Queue
from localcloud_consumer.settings import ConsumerSettings
from localcloud_consumer.table import Outcome, Table
from localcloud_events import logs
from localcloud_events.lifecycle import Stop
from localcloud_events.message import Event, encode
from localcloud_events.problems import NothingDoneError
from localcloud_events.settings import BadSettingsError, load

NAME = "justtrack-dev-devops-consumer-events"
CREATED = "2026-01-02T03:04:05Z"
NOW = datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)
COUNTERS = ("received", "stored", "deleted", "rejected", "failed")


class Rig:
    """A consumer on an AWS in memory, with its counters."""

    def __init__(self, stack: SimpleNamespace) -> None:
        logs.configure("INFO")
        self.stack = stack
        self.stop = Stop()
        self.registry = CollectorRegistry()
        self.queue = Queue(stack.sqs, NAME)
        self.table = Table(stack.dynamodb, NAME, sleep=lambda _: None)
        log = logs.logger("test")
        self.consumer = Consumer(self.queue, self.table, self.stop, Metrics(self.registry), log, now=lambda: NOW)
        self.consumer.connect()

    def send(self, event_id: str, number: int, **attributes: str) -> None:
        event = Event(Id=event_id, Number=number, CreatedAt=CREATED)
        self.stack.sns.publish(TopicArn=self.stack.topic, Message=encode(event, attributes))

    def step(self) -> None:
        self.consumer.step(patient=False)

    def items(self) -> dict[str, Any]:
        return {item["Id"]["S"]: item for item in self.stack.dynamodb.scan(TableName=NAME)["Items"]}

    def ids(self) -> set[str]:
        return set(self.items())

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.stack.sqs.get_queue_attributes(QueueUrl=self.stack.queue, AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())

    def counters(self) -> dict[str, int]:
        values = {name: self.registry.get_sample_value(f"localcloud_consumer_{name}_total") for name in COUNTERS}
        return {name: int(value) for name, value in values.items() if value}


@pytest.fixture
def rig(stack: SimpleNamespace) -> Rig:
    return Rig(stack)


def test_moves_events_into_the_table(rig: Rig) -> None:
    for number in range(12):
        rig.send(f"e{number}", number)
    rig.step()
    rig.step()
    assert rig.items()["e3"] == {"Id": {"S": "e3"}, "Number": {"N": "3"}, "CreatedAt": {"S": CREATED}}
    assert (len(rig.items()), rig.left()) == (12, 0)
    assert rig.counters() == {"received": 12, "stored": 12, "deleted": 12}
    assert rig.registry.get_sample_value("localcloud_consumer_end_to_end_seconds_sum") == 24


def test_duplicates_make_one_item_and_are_all_deleted(rig: Rig) -> None:
    for number in (1, 2, 3):
        rig.send("same", number)
    rig.step()
    rig.send("same", 4)
    rig.step()
    assert rig.items() == {"same": {"Id": {"S": "same"}, "Number": {"N": "4"}, "CreatedAt": {"S": CREATED}}}
    assert rig.left() == 0
    assert rig.counters() == {"received": 4, "stored": 2, "deleted": 4}


def test_a_traced_event_tells_its_way(rig: Rig) -> None:
    rig.send("probe-1", 0, trace="true")
    rig.step()
    trace = rig.items()["probe-1"]["Trace"]["M"]
    assert set(trace) == {"PublishedAt", "QueuedAt", "ReceivedAt", "StoredAt"}
    assert trace["StoredAt"] == {"N": "1767323047000"}
    assert all(len(time["N"]) == 13 and time["N"].isdigit() for time in trace.values())


def test_foreign_messages_stay_and_block_nobody(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.stack.sqs.send_message(QueueUrl=rig.stack.queue, MessageBody="a secret of somebody else")
    rig.send("good", 1)
    rig.stack.sqs.send_message(QueueUrl=rig.stack.queue, MessageBody=json.dumps({"Type": "Notification"}))
    rig.step()
    assert rig.ids() == {"good"}
    assert rig.left() == 2
    assert rig.counters() == {"received": 3, "stored": 1, "deleted": 1, "rejected": 2}
    output = capsys.readouterr().out
    assert "secret" not in output
    rejected = [line for line in map(json.loads, output.splitlines()) if line["event"].startswith("rejected")]
    assert all(line["message_id"] and line["reason"] for line in rejected)
    assert len(rejected) == 2


def test_a_message_is_deleted_only_once_its_item_is_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        rig.send(f"e{number}", number)
    outcomes = [Outcome(stored={"e0"}, refused={"e1": "ValidationException"})]
    write = rig.table.write
    monkeypatch.setattr(rig.table, "write", lambda items: outcomes.pop() if outcomes else write(items))
    rig.step()
    assert rig.left() == 2
    assert rig.counters() == {"received": 3, "stored": 1, "deleted": 1, "rejected": 1, "failed": 1}
    rig.step()
    assert rig.ids() == {"e2"}
    assert rig.left() == 1
    assert rig.counters() == {"received": 3, "stored": 2, "deleted": 2, "rejected": 1, "failed": 1}


def test_a_batch_stays_in_hand_while_the_table_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.send("a", 1)
    error = EndpointConnectionError(endpoint_url="http://x")
    with monkeypatch.context() as patch:
        patch.setattr(rig.table, "write", Mock(side_effect=error))
        for _ in range(3):
            with pytest.raises(EndpointConnectionError):
                rig.step()
    rig.step()
    assert (rig.ids(), rig.left()) == ({"a"}, 0)
    assert rig.counters() == {"received": 1, "stored": 1, "deleted": 1, "failed": 3}


def test_a_busy_table_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.send("a", 1)
    monkeypatch.setattr(rig.table, "write", Mock(return_value=Outcome()))
    with pytest.raises(NothingDoneError, match="took none of 1 items"):
        rig.step()
    assert rig.left() == 1


@pytest.mark.parametrize("failing", [Mock(side_effect=EndpointConnectionError(endpoint_url="http://x")), None])
def test_a_failed_delete_costs_nothing(rig: Rig, failing: Mock | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.send("a", 1)
    monkeypatch.setattr(rig.queue, "delete", failing or (lambda all_: {one.message_id: "Gone: x" for one in all_}))
    if failing:
        with pytest.raises(EndpointConnectionError):
            rig.step()
    else:
        rig.step()
    assert (rig.ids(), rig.left()) == ({"a"}, 1)
    assert rig.counters() == {"received": 1, "stored": 1, "failed": 1}


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


@pytest.mark.usefixtures("handlers")
def test_a_stop_lets_the_batch_in_hand_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.stop.install()
    rig.send("a", 1)
    write = rig.table.write

    def write_late(items: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGTERM)
        return write(items)

    monkeypatch.setattr(rig.table, "write", write_late)
    rig.step()
    assert rig.stop.requested
    assert (rig.ids(), rig.left()) == ({"a"}, 0)
    rig.send("b", 2)
    rig.step()
    assert rig.ids() == {"a"}


@pytest.mark.parametrize(("patient", "seconds"), [(True, 20), (False, 0)])
def test_a_long_poll_only_when_patient(rig: Rig, patient: bool, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Mock(return_value=[])
    monkeypatch.setattr(rig.queue, "receive", receive)
    rig.consumer.step(patient=patient)
    receive.assert_called_once_with(seconds)


@pytest.mark.parametrize(("variable", "value"), [("QUEUE_NAME", "a queue"), ("TABLE_NAME", "x")])
def test_bad_settings(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettingsError, match=f"^{variable}: "):
        load(ConsumerSettings)


def test_settings() -> None:
    settings = load(ConsumerSettings)
    assert settings.queue == settings.table == NAME
