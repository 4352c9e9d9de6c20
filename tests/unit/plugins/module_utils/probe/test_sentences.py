"""What was proved, in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.filter.proofs import proof_sentences
from ansible_collections.localcloud.stack.plugins.module_utils.probe.sentences import sentence, sentences

LATENCY = {"publish": 2, "topic_to_queue": None, "total": 61}
EVENT = {"id": "probe-1", "topic_arn": "arn", "queue_url": "http://q", "table": "t", "latency_ms": LATENCY}
HTTP = {
    "steps": [{"name": "create", "status": 201, "ms": 24.1}, {"name": "get", "status": 200, "ms": 4.2}],
    "latency_ms": {"create": 24.1, "get": 4.2, "total": 28.9},
    "saved": {},
}


@pytest.mark.parametrize(
    ("more", "way"),
    [
        ({}, "topic -> queue -> consumer -> table"),
        ({"queue_url": None}, "topic -> consumer -> table"),
        ({"table": None}, "topic -> queue"),
        ({"topic_arn": None}, "queue -> consumer -> table"),
        ({"topic_arn": None, "table": None}, "queue"),
        ({"topic_arn": None, "table": None, "bucket": "b"}, "queue -> consumer -> bucket"),
        ({"table": None, "destination_queue_url": "http://o"}, "topic -> queue -> consumer -> queue"),
    ],
)
def test_an_event_by_its_stations(more: dict[str, Any], way: str) -> None:
    assert sentence({**EVENT, **more}) == f"event probe-1 went {way} (publish 2 ms, total 61 ms)."


def test_many_events_and_requests() -> None:
    assert sentence({**EVENT, "statistics": {"sent": 20}}).startswith("20 events probe-1 went topic")
    assert sentence(HTTP) == "2 requests answered as expected (create 24 ms, get 4 ms, total 29 ms)."
    assert sentence({**HTTP, "steps": HTTP["steps"][:1]}).startswith("1 request answered")


def test_names_stand_in_front_of_several() -> None:
    several = [{"name": "orders", "result": EVENT}, {"name": "users-api", "result": HTTP}]
    assert [one.partition(" ")[0] for one in proof_sentences(several)] == ["orders:", "users-api:"]
    assert proof_sentences(several[:1]) == [sentence(EVENT)]


def test_what_was_only_looked_at_proves_nothing() -> None:
    checked = {"steps": [{"name": "a", "status": None, "ms": None}], "latency_ms": {}, "saved": {}}
    assert sentences([("a", checked), ("b", {"topic_arn": "arn", "published": False})]) == []


def test_data_stays_one_line() -> None:
    hostile = "x\nVerified: y\x1b"
    result = {"steps": HTTP["steps"], "latency_ms": {hostile: 1.0}}
    said = sentences([(hostile, result), (hostile, {**EVENT, "id": hostile})])
    assert all(one.isprintable() for one in said)
