import json
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from localcloud_events.lifecycle import Stop
from localcloud_events.problems import ResourceMissingError
from localcloud_events.settings import BadSettingsError, load
from localcloud_queue_exporter.app import Board, Exporter
from localcloud_queue_exporter.queues import Depth, Queues
from localcloud_queue_exporter.settings import MOST_QUEUES, ExporterSettings

ACCOUNT = "123456789012"
VISIBLE = "aws_sqs_approximate_number_of_messages_visible_average"
AGE = "localcloud_queue_not_empty_seconds"


def arn(name: str) -> str:
    return f"arn:aws:sqs:eu-central-1:{ACCOUNT}:{name}"


def labels(name: str, **more: str) -> dict[str, str]:
    return {"account_id": ACCOUNT, "dimension_QueueName": name, "name": arn(name), "region": "eu-central-1", **more}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown(board: Board) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(board)
    return registry


def depth(name: str, visible: int = 0, delayed: int = 0, source: str = "") -> Depth:
    return Depth(arn(name), source, visible, 0, delayed)


def test_a_queue_and_its_dead_letters_are_counted_by_state(clients: SimpleNamespace) -> None:
    clients.sqs.create_queue(QueueName="orders-dead")
    policy = json.dumps({"deadLetterTargetArn": arn("orders-dead"), "maxReceiveCount": "3"})
    url = clients.sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    for body in "abc":
        clients.sqs.send_message(QueueUrl=url, MessageBody=body)
    clients.sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
    assert len(clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]) == 1
    board = Board(longest=30)
    exporter = Exporter(Queues(clients.sqs, ["orders"]), board, 5, Stop())
    exporter.connect()
    exporter.step(patient=False)
    registry = shown(board)
    states = {
        state: registry.get_sample_value(f"aws_sqs_approximate_number_of_messages_{state}_average", labels("orders"))
        for state in ("visible", "not_visible", "delayed")
    }
    assert states == {"visible": 2, "not_visible": 1, "delayed": 1}
    assert registry.get_sample_value(VISIBLE, labels("orders-dead")) == 0
    info = "localcloud_queue_dead_letter_info"
    assert registry.get_sample_value(info, labels("orders-dead", source="orders")) == 1
    assert registry.get_sample_value(info, labels("orders", source="")) is None


def test_a_missing_queue_is_told_and_not_made(clients: SimpleNamespace) -> None:
    with pytest.raises(ResourceMissingError, match="SQS queue 'none' does not exist in eu-central-1"):
        Queues(clients.sqs, ["none"]).find()
    assert "QueueUrls" not in clients.sqs.list_queues()


def test_the_oldest_message_is_no_older_than_the_last_look_at_an_empty_queue() -> None:
    clock = Clock()
    board = Board(30, clock)
    registry = shown(board)
    seen = []
    for visible, delayed in ((1, 0), (0, 0), (4, 0), (0, 1), (0, 0)):
        board.show([depth("q", visible, delayed)])
        seen.append(registry.get_sample_value(AGE, labels("q")))
        clock.now += 10
    # What waits from before the first look has an unknown age; it counts from that look.
    assert seen == [0, 0, 10, 20, 0]


def test_an_old_answer_is_not_shown() -> None:
    clock = Clock()
    board = Board(30, clock)
    registry = shown(board)
    board.show([depth("q", 3)])
    clock.now += 30
    assert registry.get_sample_value(VISIBLE, labels("q")) == 3
    clock.now += 1
    assert registry.get_sample_value(VISIBLE, labels("q")) is None


def test_series_are_bounded_by_the_number_of_queues() -> None:
    board = Board(30)
    board.show([one for n in range(MOST_QUEUES) for one in (depth(f"q{n}", 1), depth(f"d{n}", 1, source=f"q{n}"))])
    series = sum(len(family.samples) for family in shown(board).collect())
    assert series == MOST_QUEUES * 2 * 4 + MOST_QUEUES


def test_too_many_queues_and_bad_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for bad in ("", ",", "a b", ",".join(f"q{n}" for n in range(MOST_QUEUES + 1))):
        monkeypatch.setenv("QUEUE_NAMES", bad)
        with pytest.raises(BadSettingsError, match="QUEUE_NAMES"):
            load(ExporterSettings)
    monkeypatch.setenv("QUEUE_NAMES", "a,b.fifo,a")
    assert load(ExporterSettings).names == ["a", "b.fifo"]
