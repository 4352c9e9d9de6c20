"""What is kept of proofs."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.filter.proofs import with_proofs

RESULT = {
    "id": "probe-1",
    "topic_arn": "arn",
    "queue_url": "url",
    "table": "t",
    "latency_ms": {"publish": 2, "total": 61},
    "saved": {"token": "x"},
}


def test_a_blueprints_proofs_take_the_place_of_its_former_ones() -> None:
    known = {"cluster": "a", "proofs": {"orders": [{"name": "old"}], "other": [{"name": "kept"}]}}
    made = [{"name": "", "blueprint": "orders", "result": RESULT}, {"name": "", "blueprint": "other", "result": RESULT}]
    found = with_proofs(known, made, "orders", "a")
    assert found["proofs"]["other"] == [{"name": "kept"}]
    (proof,) = found["proofs"]["orders"]
    assert proof.pop("at").endswith("Z")
    assert proof == {
        "name": "",
        "sentence": "event probe-1 went topic -> queue -> consumer -> table (publish 2 ms, total 61 ms).",
        "latency_ms": {"publish": 2, "total": 61},
    }


def test_those_of_another_cluster_are_dropped() -> None:
    assert with_proofs({"cluster": "b", "proofs": {"orders": [1]}}, [], "mine", "a") == {
        "cluster": "a",
        "proofs": {"mine": []},
    }
    assert with_proofs({}, [], "mine", "a")["proofs"] == {"mine": []}
