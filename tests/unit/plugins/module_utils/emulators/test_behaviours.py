"""Which declared resources rest on what an emulator does not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import (
    FEATURES,
    HURTS,
    Feature,
    Known,
    gaps,
    nearest,
    places,
    read_known,
    title,
)
from hypothesis import given
from hypothesis import strategies as st

KNOWN = read_known(Path(__file__).resolve().parents[5] / "engines")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def behaviour(*features: str) -> dict[str, Any]:
    return {"does": "", "source": "", "hurts": "lost", "without": "messages are lost", "features": list(features)}


TWO = Known(
    {
        "sqs.dead_letter.moves": behaviour("queues.dead_letter"),
        "sqs.dead_letter.redrive": behaviour("queues.dead_letter"),
        "sqs.delay.queue": behaviour("queues.delay_seconds"),
        "sqs.batch.ids": behaviour(),
    },
    {
        ("localstack", "4.14.0"): {
            "sqs.dead_letter.moves": None,
            "sqs.dead_letter.redrive": None,
            "sqs.batch.ids": "accepted",
        },
        ("ministack", "1.5.33"): {
            "sqs.dead_letter.moves": "it stays",
            "sqs.dead_letter.redrive": "it stays",
            "sqs.delay.queue": "it comes at once",
        },
    },
)
QUEUES = {
    "queues": [{"name": "a"}, {"name": "b", "dead_letter": {}}, {"name": "c", "dead_letter": {"max_receive_count": 3}}]
}


def test_a_gap_has_path_engine_consequence_and_who_does_it() -> None:
    (gap,), note, _refused = gaps(QUEUES, "ministack", "1.5.33", TWO)
    # An empty map means the defaults.
    assert gap.paths == ("aws_resources_queues[1].dead_letter", "aws_resources_queues[2].dead_letter")
    assert gap.message == (
        "aws_resources_queues[1].dead_letter, aws_resources_queues[2].dead_letter: on MiniStack 1.5.33 messages are lost "
        "(sqs.dead_letter.moves, sqs.dead_letter.redrive: it stays). LocalStack 4.14.0 does it."
    )
    assert note == ""


def test_many_paths_make_no_long_message() -> None:
    (gap,), _note, _refused = gaps(
        {"queues": [{"name": f"q{one}", "delay_seconds": 5} for one in range(1000)]}, "ministack", "", TWO
    )
    assert len(gap.paths) == 1000
    assert "aws_resources_queues[9].delay_seconds and 990 more: on MiniStack 1.5.33" in gap.message
    assert len(gap.message) < 700


def test_what_no_engine_does_is_said_so() -> None:
    (gap,), _note, _refused = gaps({"queues": [{"name": "a", "delay_seconds": 5}]}, "ministack", "1.5.33", TWO)
    assert gap.message.endswith("(sqs.delay.queue: it comes at once). No engine that was measured does it.")


@pytest.mark.parametrize("engine", ["localstack", "aws"])
def test_nothing_is_said_where_nothing_is_lost(engine: str) -> None:
    assert gaps(QUEUES, engine, "4.14.0", TWO) == ([], "", [])


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("1.5.33", "1.5.33"),
        ("", "1.10.2"),
        ("1.9.9", "1.5.33"),
        ("2.0.0", "1.10.2"),
        ("1.0.0", "1.5.33"),
        # Words are no numbers: the newest is likelier than the oldest.
        ("latest", "1.10.2"),
        ("dev", "1.10.2"),
        ("nightly-2026-11-01", "1.10.2"),
    ],
)
def test_of_a_version_that_was_not_measured_the_nearest_is_taken(version: str, taken: str) -> None:
    known = Known({}, {("ministack", "1.10.2"): {}, ("ministack", "1.5.33"): {}, ("moto", "5.2.5"): {}})
    assert nearest("ministack", version, known) == taken
    assert nearest("floci", version, known) is None


def test_the_nearest_version_is_said() -> None:
    found, note, _refused = gaps(QUEUES, "ministack", "1.6.0", TWO)
    assert note == "MiniStack 1.6.0 has not been measured; what MiniStack 1.5.33 does is taken for it."
    assert ": on MiniStack 1.6.0 messages" in found[0].message
    assert gaps({"queues": [{"name": "a"}]}, "ministack", "1.6.0", TWO) == ([], "", [])


def test_an_engine_that_was_not_measured_is_said() -> None:
    found, note, _refused = gaps(QUEUES, "floci", "1.7.0", TWO)
    assert found == []
    assert (
        note
        == "What Floci 1.7.0 does as AWS does has not been measured: LocalStack 4.14.0, MiniStack 1.5.33 have been."
    )
    assert title("other") == "other"


@pytest.mark.parametrize(
    ("feature", "declared", "paths"),
    [
        ("queues", {"queues": [{"name": "a"}]}, ["aws_resources_queues[0]"]),
        ("queues.fifo", {"queues": [{"name": "a"}, {"name": "b.fifo"}]}, ["aws_resources_queues[1]"]),
        ("tables.ttl", {"tables": [{"ttl": {"attribute": "Until"}}]}, ["aws_resources_tables[0].ttl"]),
        ("keys.asymmetric", {"keys": [{"key_spec": "RSA_2048"}]}, ["aws_resources_keys[0].key_spec"]),
        ("keys.asymmetric", {"keys": [{"key_spec": "SYMMETRIC_DEFAULT"}]}, []),
        ("parameters.secure", {"parameters": [{"type": "SecureString"}]}, ["aws_resources_parameters[0].type"]),
        (
            "event_rules.targets.input",
            {"event_rules": [{"targets": [{"queue": "a"}, {"queue": "b", "input": "{}"}]}]},
            ["aws_resources_event_rules[0].targets[1].input"],
        ),
        ("subscriptions", {"subscriptions": [{"topic": "a", "queue": "b"}]}, ["aws_resources_subscriptions[0]"]),
        (
            "subscriptions.unfiltered",
            {"subscriptions": [{"topic": "a", "filter_policy": {"a": ["b"]}}, {"topic": "a"}, {"filter_policy": {}}]},
            ["aws_resources_subscriptions[1]", "aws_resources_subscriptions[2]"],
        ),
    ],
)
def test_a_feature_is_found_where_it_is_declared(feature: str, declared: dict[str, Any], paths: list[str]) -> None:
    assert list(places(FEATURES[feature], declared)) == paths


@pytest.mark.parametrize(
    ("policy", "uses"),
    [
        ({"kind": ["a"]}, ()),
        ({"kind": [{"wildcard": "a*"}]}, ("wildcard",)),
        ({"order": {"kind": [{"anything-but": {"suffix": "x"}}]}}, ("anything_but", "anything_but_suffix", "suffix")),
        ({"$or": [{"a": [1]}, {"b": [{"cidr": "10.0.0.0/8"}]}]}, ("$or", "cidr", "number")),
        ({"end": [None, True]}, ("null",)),
        ('{"kind": [{"prefix": "a"}]}', ("prefix",)),
        ("no JSON", ()),
    ],
)
def test_operators_and_values_of_a_filter_policy_are_found(policy: object, uses: tuple[str, ...]) -> None:
    declared = {"subscriptions": [{"filter_policy": policy}]}
    prefix = "subscriptions.filter_policy."
    found = [
        name.removeprefix(prefix)
        for name in FEATURES
        if name.startswith(prefix) and any(places(FEATURES[name], declared))
    ]
    assert sorted(found) == sorted(uses)


PIPELINES = {
    "extra_manifests": [
        {"kind": "Other", "spec": {"queue": "x"}},
        {
            "kind": "EventPipeline",
            "spec": {
                "topic": "t",
                "queue": "q",
                "table": "a",
                "fifo": True,
                "deadLetter": {},
                "filterPolicy": {"a": [{"suffix": "b"}]},
            },
        },
        {"kind": "EventPipeline", "spec": {"topic": "t", "queue": "q", "table": "a", "rawMessageDelivery": True}},
    ]
}
ONE = "aws_resources_extra_manifests[1].spec"
TWO_OF_THEM = "aws_resources_extra_manifests[2].spec"


@pytest.mark.parametrize(
    ("feature", "paths"),
    [
        ("queues", [f"{ONE}.queue", f"{TWO_OF_THEM}.queue"]),
        ("topics.fifo", [f"{ONE}.topic"]),
        ("queues.dead_letter", [f"{ONE}.deadLetter"]),
        ("queues.content_based_deduplication", [f"{ONE}.fifo"]),
        ("subscriptions", [f"{ONE}.topic", f"{TWO_OF_THEM}.topic"]),
        ("subscriptions.unfiltered", [f"{TWO_OF_THEM}.topic"]),
        ("subscriptions.filter_policy.suffix", [f"{ONE}.filterPolicy"]),
        ("subscriptions.raw_message_delivery", [f"{TWO_OF_THEM}.rawMessageDelivery"]),
        ("tables", [f"{ONE}.table", f"{TWO_OF_THEM}.table"]),
        ("buckets", []),
    ],
)
def test_a_feature_of_an_event_pipeline_is_found_at_its_field(feature: str, paths: list[str]) -> None:
    assert list(places(FEATURES[feature], PIPELINES)) == paths


def test_a_gap_of_an_event_pipeline_has_its_path() -> None:
    (gap,), _note, refused = gaps(PIPELINES, "ministack", "1.5.33", TWO)
    assert gap.message.startswith(f"{ONE}.deadLetter: on MiniStack 1.5.33 messages are lost")
    assert refused == []


@pytest.mark.parametrize(
    ("engine", "version", "declared", "told"),
    [
        (
            "floci",
            "1.7.0",
            {"subscriptions": [{"topic": "a", "queue": "b"}]},
            "aws_resources_subscriptions[0]: would never be ready on Floci 1.7.0: it answers FilterPolicyScope",
        ),
        ("floci", "1.7.0", {"subscriptions": [{"topic": "a", "filter_policy": {"a": ["b"]}}]}, ""),
        ("floci", "1.7.0", PIPELINES, f"{TWO_OF_THEM}.topic: would never be ready on Floci 1.7.0"),
        (
            "floci",
            "",
            {"secrets": [{"name": "a", "policy": {}}, {"name": "b", "policy": {"Statement": []}}]},
            "aws_resources_secrets[1].policy",
        ),
        (
            "moto",
            "",
            QUEUES,
            "aws_resources_queues[1].dead_letter, aws_resources_queues[2].dead_letter: would never be ready on moto: it does",
        ),
        ("moto", "", {"queues": [{"name": "a"}]}, ""),
        ("ministack", "1.5.33", QUEUES, ""),
        ("other", "1", QUEUES, ""),
        ("aws", "", QUEUES, ""),
    ],
)
def test_what_would_never_be_ready_is_told(engine: str, version: str, declared: dict[str, Any], told: str) -> None:
    refused = gaps(declared, engine, version, TWO).refused
    assert len(refused) == bool(told)
    assert told in "".join(refused)


@given(
    st.lists(
        JSON
        | st.fixed_dictionaries(
            {
                "kind": st.just("EventPipeline"),
                "spec": st.dictionaries(
                    st.sampled_from(["topic", "fifo", "queue", "deadLetter", "filterPolicy"]), JSON
                ),
            }
        )
    )
)
def test_whatever_is_a_manifest_raises_nothing(manifests: list[Any]) -> None:
    for feature in FEATURES.values():
        list(places(feature, {"extra_manifests": manifests}))


@given(JSON, st.sampled_from(sorted(FEATURES)))
def test_whatever_is_declared_raises_nothing(value: Any, name: str) -> None:
    feature: Feature = FEATURES[name]
    field, rest = (*feature.field.split("[].", 1), "")[:2]
    inner: Any = [{rest: value}] if rest else value
    for entries in (value, [value], [{field: inner}], [{field: value}]):
        list(places(feature, {feature.entries: entries}))


def test_every_feature_is_of_a_list_and_every_kind_of_harm_is_used() -> None:
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import ENTRIES

    for feature in FEATURES.values():
        fields = ENTRIES[feature.entries].model_fields
        assert not feature.field or feature.field.split("[]")[0] in fields
    assert {one["hurts"] for one in KNOWN.contract.values()} == set(HURTS)


def test_a_dead_letter_queue_of_a_subscription_is_warned_of_on_ministack() -> None:
    declared = {"subscriptions": [{"topic": "a", "queue": "b", "dead_letter_queue": "c"}]}
    assert any("dead_letter_queue: " in one.message for one in gaps(declared, "ministack", "", KNOWN).found)
    assert gaps(declared, "localstack", "", KNOWN).found == []


def test_ttl_is_warned_of_where_items_never_go() -> None:
    declared = {"tables": [{"name": "a", "ttl": {"attribute": "Until"}}]}
    for engine in ("localstack", "ministack"):
        ids = {name for one in gaps(declared, engine, "", KNOWN).found for name in one.behaviours}
        outcomes = KNOWN.outcomes[engine, nearest(engine, "", KNOWN) or ""]
        assert ids == {name for name in ("dynamodb.ttl.expires", "dynamodb.ttl.keeps_others") if outcomes[name]}


@pytest.mark.parametrize("engine", ["localstack", "ministack"])
def test_plain_resources_are_nothing_to_warn_of(engine: str) -> None:
    declared = {
        "topics": [{"name": "a"}],
        "queues": [{"name": "b", "visibility_timeout_seconds": 30}],
        "subscriptions": [{"topic": "a", "queue": "b", "filter_policy": {"kind": ["made"]}}],
        "tables": [{"name": "c", "hash_key": {"name": "Id", "type": "S"}, "global_indexes": [{}]}],
        "buckets": [{"name": "d", "versioning": True, "cors": []}],
        "parameters": [{"name": "/a", "value": "b"}],
        "secrets": [{"name": "e"}],
        "keys": [{"name": "f"}],
    }
    assert gaps(declared, engine, "", KNOWN).found == []
