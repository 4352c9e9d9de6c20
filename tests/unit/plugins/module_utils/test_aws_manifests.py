"""Managed resources from plain lists, and the problems of lists that AWS would refuse."""

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws_manifests import Target, manifests, problems

TARGET = Target("eu-central-1", "000000000000", "default", "localcloud-1", {"environment": "dev"})
DECLARED = {
    "topics": [{"name": "events"}, {"name": "other"}],
    "queues": [{"name": "work", "visibility_timeout_seconds": 45}, {"name": "lonely"}],
    "subscriptions": [{"topic": "events", "queue": "work"}],
    "tables": [{"name": "Items", "hash_key": {"name": "Id", "type": "S"}, "range_key": {"name": "At", "type": "N"}}],
}


def made(kind: str, name: str) -> dict:
    (found,) = [one for one in manifests(DECLARED, TARGET) if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def test_everything_declared_is_made() -> None:
    kinds = sorted(one["kind"] for one in manifests(DECLARED, TARGET))
    assert kinds == ["Queue", "Queue", "Table", "Topic", "Topic", "TopicSubscription"]


def test_every_object_is_ours_and_in_the_region() -> None:
    for one in manifests(DECLARED, TARGET):
        assert one["metadata"]["labels"] == {"localcloud.dev/owner": "localcloud-1"}
        assert one["spec"]["forProvider"]["region"] == "eu-central-1"
        assert one["spec"]["providerConfigRef"] == {"name": "default"}


def test_exactly_the_subscribed_topic_may_send() -> None:
    policy = json.loads(made("Queue", "work")["spec"]["forProvider"]["policy"])
    (statement,) = policy["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == "arn:aws:sqs:eu-central-1:000000000000:work"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": ["arn:aws:sns:eu-central-1:000000000000:events"]}}


def test_a_queue_without_subscription_has_no_policy() -> None:
    assert "policy" not in made("Queue", "lonely")["spec"]["forProvider"]


def test_options_become_fields() -> None:
    assert made("Queue", "work")["spec"]["forProvider"]["visibilityTimeoutSeconds"] == 45


def test_a_subscription_names_both_ends() -> None:
    parameters = made("TopicSubscription", "events.work")["spec"]["forProvider"]
    assert parameters["topicArnRef"] == {"name": "events"}
    assert parameters["endpoint"] == "arn:aws:sqs:eu-central-1:000000000000:work"
    assert parameters["rawMessageDelivery"] is False


def test_a_table_keeps_its_own_name_and_declares_its_keys() -> None:
    table = made("Table", "items")
    assert table["metadata"]["annotations"]["crossplane.io/external-name"] == "Items"
    assert table["spec"]["forProvider"]["attribute"] == [{"name": "Id", "type": "S"}, {"name": "At", "type": "N"}]
    assert (table["spec"]["forProvider"]["hashKey"], table["spec"]["forProvider"]["rangeKey"]) == ("Id", "At")


def test_a_good_declaration_has_no_problems() -> None:
    assert problems(DECLARED) == []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"tables": [{"name": "two words"}]}, r"aws_resources_tables[0].name: 'two words' is refused by AWS"),
        ({"tables": [{"name": "ab"}]}, "3 to 255"),
        ({"topics": [{"name": "a"}, {"name": "a"}]}, "aws_resources_topics[1].name: 'a' is declared twice"),
        ({"queues": [{"name": "q" * 81}]}, "1 to 80"),
        ({"queues": ["plain"]}, "aws_resources_queues[0]: must be a map with 'name'"),
        ({"queues": [{"name": 5}]}, "5 is refused"),
        (
            {"subscriptions": [{"topic": "none", "queue": "none"}]},
            "aws_resources_subscriptions[0].topic: 'none' is not in",
        ),
        ({"tables": [{"name": "abc"}]}, "aws_resources_tables[0].hash_key: must be a map"),
        ({"tables": [{"name": "abc", "hash_key": {"name": "Id", "type": "X"}}]}, "'X' is none of S, N, B"),
    ],
)
def test_problems_have_their_path(declared: dict, message: str) -> None:
    assert any(message in one for one in problems(declared)), problems(declared)


def test_all_problems_are_reported_together() -> None:
    found = problems({"topics": [{"name": "a b"}], "queues": [{"name": ""}], "tables": [{"name": "!"}]})
    assert len(found) == 3
