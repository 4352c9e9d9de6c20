import json
from typing import Any

import pytest

from localcloud_consumer.batch import last_of_each, read, to_item
from localcloud_events.message import Event, encode

RECEIVED, STORED = 1767323046000, 1767323046250


def message(number: int, event_id: str = "a", body: str | None = None, **attributes: str) -> dict[str, Any]:
    event = Event(Id=event_id, Number=number, CreatedAt="2026-01-02T03:04:05.123456789Z")
    return {
        "MessageId": f"m{number}",
        "ReceiptHandle": f"r{number}",
        "Body": encode(event, attributes) if body is None else body,
        "Attributes": {"SentTimestamp": "1767323045900"},
    }


def envelope(inner: str) -> str:
    return json.dumps({"Type": "Notification", "Message": inner, "Timestamp": "2026-01-02T03:04:05.678Z"})


def test_foreign_messages_are_sorted_out_and_hold_nobody_up() -> None:
    deliveries, rejections = read([message(1), message(2, body="foreign"), message(3, "b")], RECEIVED)
    assert [(one.message_id, one.receipt, one.event.number) for one in deliveries] == [("m1", "r1", 1), ("m3", "r3", 3)]
    assert [one.message_id for one in rejections] == ["m2"]
    assert "Invalid JSON" in rejections[0].reason


def test_the_last_of_equal_ids_wins() -> None:
    deliveries, _ = read([message(1, "a"), message(2, "b"), message(3, "a")], RECEIVED)
    assert [(one.event.id, one.event.number) for one in last_of_each(deliveries)] == [("a", 3), ("b", 2)]


@pytest.mark.parametrize("attributes", [{}, {"trace": "false"}, {"other": "true"}])
def test_an_ordinary_item_has_exactly_three_fields(attributes: dict[str, str]) -> None:
    [delivery], _ = read([message(7, **attributes)], RECEIVED)
    assert to_item(delivery, STORED) == {
        "Id": {"S": "a"},
        "Number": {"N": "7"},
        "CreatedAt": {"S": "2026-01-02T03:04:05.123456789Z"},
    }


def test_a_traced_item_tells_its_way() -> None:
    inner = message(7, "probe-1", trace="true")
    [delivery], _ = read([{**inner, "Body": envelope(inner["Body"])}], RECEIVED)
    assert to_item(delivery, STORED)["Trace"] == {
        "M": {
            "PublishedAt": {"N": "1767323045678"},
            "QueuedAt": {"N": "1767323045900"},
            "ReceivedAt": {"N": str(RECEIVED)},
            "StoredAt": {"N": str(STORED)},
        }
    }


def test_a_trace_leaves_out_what_nobody_told() -> None:
    raw = message(7, trace="true")
    del raw["Attributes"]
    [delivery], _ = read([raw], RECEIVED)
    assert set(to_item(delivery, STORED)["Trace"]["M"]) == {"ReceivedAt", "StoredAt"}
