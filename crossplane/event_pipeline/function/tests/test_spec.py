"""Specs are read with their defaults, and all that is wrong is named by its path."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud_event_pipeline.spec import InvalidSpecError, read

LEAST: dict[str, Any] = {"region": "eu-central-1", "topic": "orders", "queue": "billing", "table": "invoices"}


def test_four_words_are_enough() -> None:
    spec = read(LEAST)
    assert (spec.hash_key.name, spec.hash_key.type) == ("Id", "S")
    assert (spec.account, spec.provider_config, spec.fifo, spec.dead_letter) == ("000000000000", "default", False, None)


def test_an_empty_dead_letter_takes_the_defaults() -> None:
    spec = read({**LEAST, "deadLetter": {}})
    assert spec.dead_letter is not None
    assert (spec.dead_letter_name, spec.dead_letter.max_receive_count) == ("billing-dlq", 5)


def test_numbers_may_come_as_protobuf_sends_them() -> None:
    assert read({**LEAST, "visibilityTimeoutSeconds": 30.0}).visibility_timeout_seconds == 30


def test_what_crossplane_adds_is_left_alone() -> None:
    assert read({**LEAST, "crossplane": {"compositionRef": {"name": "event-pipeline"}}}) == read(LEAST)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"region": "Frankfurt"}, "spec.region: "),
        ({"account": "12"}, "spec.account: "),
        ({"topic": "no spaces"}, "spec.topic: "),
        ({"queue": "q" * 81}, "spec.queue: "),
        ({"table": "ab"}, "spec.table: "),
        ({"visibilityTimeoutSeconds": 43201}, "spec.visibilityTimeoutSeconds: "),
        ({"messageRetentionSeconds": 59}, "spec.messageRetentionSeconds: "),
        ({"receiveWaitTimeSeconds": 21}, "spec.receiveWaitTimeSeconds: "),
        ({"deadLetter": {"maxReceiveCount": 0}}, "spec.deadLetter.maxReceiveCount: "),
        ({"deadLetter": {"name": "billing"}}, "spec.deadLetter.name: "),
        ({"queue": "q" * 77, "deadLetter": {}}, "spec.deadLetter.name: "),
        ({"queue": "q" * 76, "fifo": True}, "spec.queue: "),
        ({"topic": "t" * 252, "fifo": True}, "spec.topic: "),
        ({"hashKey": {"name": "Id", "type": "X"}}, "spec.hashKey.type: "),
        ({"rangeKey": {"name": "Id"}}, "spec.rangeKey.name: "),
        ({"filterPolicyScope": "Everything"}, "spec.filterPolicyScope: "),
        ({"tags": {"team": 1}}, "spec.tags.team: "),
        ({"deletionPolicy": "Keep"}, "spec.deletionPolicy: "),
    ],
)
def test_a_bad_field_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read({**LEAST, **change})
    assert str(caught.value).startswith(path)


def test_all_bad_fields_are_named_together() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read({"region": "x", "topic": "", "queue": "billing"})
    assert [one.split(":")[0] for one in str(caught.value).split("; ")] == ["spec.region", "spec.topic", "spec.table"]
