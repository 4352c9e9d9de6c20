"""The managed resources of a pipeline."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud_event_pipeline.resources import Pipeline, resources
from localcloud_event_pipeline.spec import InvalidSpecError, read

LEAST: dict[str, Any] = {"region": "eu-central-1", "topic": "orders", "queue": "billing", "table": "invoices"}


def made(owner: str = "", **change: Any) -> dict[str, dict[str, Any]]:
    return resources(Pipeline(read({**LEAST, **change}), owner))


def parameters(name: str, **change: Any) -> dict[str, Any]:
    found: dict[str, Any] = made(**change)[name]["spec"]["forProvider"]
    return found


def test_a_plain_pipeline_has_four_resources() -> None:
    assert {name: one["kind"] for name, one in made().items()} == {
        "topic": "Topic",
        "queue": "Queue",
        "subscription": "TopicSubscription",
        "table": "Table",
    }


def test_the_queue_lets_only_its_topic_send() -> None:
    (statement,) = json.loads(parameters("queue")["policy"])["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == "arn:aws:sqs:eu-central-1:000000000000:billing"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": ["arn:aws:sns:eu-central-1:000000000000:orders"]}}


def test_the_account_is_in_every_arn() -> None:
    made_there = json.dumps(made(account="123456789012", deadLetter={}))
    assert "arn:aws:sqs:eu-central-1:123456789012:billing" in made_there
    assert "000000000000" not in made_there


def test_the_subscription_refers_to_the_topic_and_names_the_queue() -> None:
    assert parameters("subscription") == {
        "region": "eu-central-1",
        "protocol": "sqs",
        "topicArnRef": {"name": "orders"},
        "endpoint": "arn:aws:sqs:eu-central-1:000000000000:billing",
        "rawMessageDelivery": False,
    }


def test_a_filter_policy_is_sent_as_json() -> None:
    found = parameters("subscription", filterPolicy={"kind": ["order"]}, filterPolicyScope="MessageBody")
    assert json.loads(found["filterPolicy"]) == {"kind": ["order"]}
    assert found["filterPolicyScope"] == "MessageBody"


def test_a_dead_letter_queue_is_made_and_used() -> None:
    found = made(deadLetter={"maxReceiveCount": 3, "messageRetentionSeconds": 600})
    assert json.loads(found["queue"]["spec"]["forProvider"]["redrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:eu-central-1:000000000000:billing-dlq",
        "maxReceiveCount": 3,
    }
    dead = found["dead-letter-queue"]["spec"]["forProvider"]
    assert (dead["name"], dead["messageRetentionSeconds"]) == ("billing-dlq", 600)
    assert json.loads(dead["redriveAllowPolicy"])["sourceQueueArns"] == [
        "arn:aws:sqs:eu-central-1:000000000000:billing"
    ]


def test_fifo_names_and_flags_are_everywhere() -> None:
    found = made(fifo=True, deadLetter={})
    assert found["topic"]["metadata"]["annotations"] == {"crossplane.io/external-name": "orders.fifo"}
    assert found["topic"]["spec"]["forProvider"]["fifoTopic"] is True
    for name, queue in (("queue", "billing.fifo"), ("dead-letter-queue", "billing-dlq.fifo")):
        assert found[name]["spec"]["forProvider"]["name"] == queue
        assert found[name]["spec"]["forProvider"]["fifoQueue"] is True
    assert found["subscription"]["spec"]["forProvider"]["endpoint"].endswith(":billing.fifo")
    assert found["subscription"]["spec"]["forProvider"]["topicArnRef"] == {"name": found["topic"]["metadata"]["name"]}


def test_a_range_key_is_an_attribute_too() -> None:
    found = parameters("table", rangeKey={"name": "At", "type": "N"})
    assert found["attribute"] == [{"name": "Id", "type": "S"}, {"name": "At", "type": "N"}]
    assert (found["hashKey"], found["rangeKey"]) == ("Id", "At")


def test_every_resource_has_owner_policy_config_and_tags() -> None:
    found = made("mine", deletionPolicy="Orphan", providerConfig="other", tags={"team": "a"}, deadLetter={})
    for one in found.values():
        assert one["metadata"]["labels"] == {"localcloud.dev/owner": "mine"}
        assert one["spec"]["deletionPolicy"] == "Orphan"
        assert one["spec"]["providerConfigRef"] == {"name": "other"}
        assert one["spec"]["forProvider"].get("tags") == (None if one["kind"] == "TopicSubscription" else {"team": "a"})


def test_without_an_owner_there_is_no_label() -> None:
    assert all("labels" not in one["metadata"] for one in made().values())


def test_aws_names_become_object_names() -> None:
    assert made(table="My_Table.v1")["table"]["metadata"]["name"] == "my-table.v1"


def test_arns_have_the_regions_partition() -> None:
    assert parameters("subscription", region="cn-north-1")["endpoint"].startswith("arn:aws-cn:sqs:cn-north-1:")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"filterPolicy": {}}, "spec.filterPolicy: is empty"),
        ({"filterPolicy": {"kind": "order"}}, "spec.filterPolicy: 'kind' must have a list of values"),
        ({"tags": {"a*": "b"}}, "spec.tags: 'a*': allowed are letters"),
        ({"tags": {"Localcloud.dev/Owner": "x"}}, "spec.tags: the key 'Localcloud.dev/Owner' is set by the role"),
    ],
)
def test_what_the_lists_refuse_is_named_by_its_path_in_the_spec(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        made(**change)
    assert str(caught.value).startswith(problem)
