# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource
from ansible_collections.localcloud.stack.plugins.module_utils.drift.clear import Setting, clear, to_clear
from botocore.exceptions import ClientError
from moto import mock_aws

QUEUE = ExternalResource("sqs/Queue", "https://sqs/000000000000/orders", {"name": "orders", "region": "eu-central-1"})
SUBSCRIPTION = ExternalResource(
    "sns/TopicSubscription", "arn:aws:sns:eu-central-1:000000000000:events:orders", {"region": "eu-central-1"}
)
TABLE = ExternalResource("dynamodb/Table", "orders", {"region": "eu-central-1"})
RULE = ExternalResource("cloudwatchevents/Rule", "nightly", {"region": "eu-central-1", "eventBusName": "orders"})
ON = [{"attributeName": "Until", "enabled": True}]


@pytest.mark.parametrize(
    ("resource", "declared", "owned", "aws", "fields"),
    [
        (QUEUE, {}, {"f:redrivePolicy": {}}, {"redrivePolicy": "{}", "policy": "{}"}, ["redrivePolicy"]),
        (QUEUE, {}, {"f:redrivePolicy": {}, "f:policy": {}}, {"redrivePolicy": "{}", "policy": "{}"}, ["policy", "redrivePolicy"]),
        (QUEUE, {"redrivePolicy": "x"}, {"f:redrivePolicy": {}}, {"redrivePolicy": "{}"}, []),
        (QUEUE, {}, {"f:redrivePolicy": {}}, {"redrivePolicy": None}, []),
        (QUEUE, {}, {"f:redrivePolicy": {}}, None, []),
        # Never declared: somebody else's.
        (QUEUE, {}, {"f:delaySeconds": {}}, {"redrivePolicy": "{}"}, []),
        (SUBSCRIPTION, {"redrivePolicy": ""}, {"f:redrivePolicy": {}}, {"redrivePolicy": "{}"}, ["redrivePolicy"]),
        (SUBSCRIPTION, {"redrivePolicy": "{}"}, {"f:redrivePolicy": {}}, {"redrivePolicy": "{}"}, []),
        (SUBSCRIPTION, {"redrivePolicy": ""}, {"f:redrivePolicy": {}}, {}, []),
        (RULE, {"description": ""}, {"f:description": {}}, {"description": "Old"}, ["description"]),
        (RULE, {"description": "New"}, {"f:description": {}}, {"description": "Old"}, []),
        (TABLE, {}, {"f:ttl": {}}, {"ttl": ON}, ["ttl"]),
        (TABLE, {"ttl": [{"enabled": False}]}, {}, {"ttl": ON}, ["ttl"]),
        (TABLE, {"ttl": {"enabled": False}}, {}, {"ttl": ON}, ["ttl"]),
        (TABLE, {"ttl": [{"attributeName": "Other", "enabled": True}]}, {}, {"ttl": ON}, ["ttl"]),
        (TABLE, {"ttl": ON}, {"f:ttl": {}}, {"ttl": ON}, []),
        (TABLE, {"ttl": [{"enabled": False}]}, {"f:ttl": {}}, {"ttl": [{"enabled": False}]}, []),
    ],
)  # fmt: skip
def test_what_is_to_go(resource, declared, owned, aws, fields):
    found = to_clear(declared, owned, resource, aws)
    assert [one.field for one in found] == fields
    assert {one.name for one in found} <= {"orders", SUBSCRIPTION.external_name, "orders/nightly"}


@pytest.fixture
def clients(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Clients(Connection(region="eu-central-1", access_key="test", secret_key="test"))


def test_a_queue_loses_its_redrive_policy_and_keeps_the_rest(clients):
    sqs = clients.get("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive, "DelaySeconds": "7"})["QueueUrl"]
    setting = Setting("sqs/Queue", "orders", "eu-central-1", "redrivePolicy")
    assert clear(clients, [setting], check_mode=True) == [setting]
    assert "RedrivePolicy" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert clear(clients, [setting], check_mode=False) == [setting]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes.get("RedrivePolicy") or None, attributes["DelaySeconds"]) == (None, "7")
    assert clear(clients, [setting], check_mode=False) == []
    assert clear(clients, [setting._replace(name="nowhere")], check_mode=False) == []


def test_a_rule_loses_its_description_and_keeps_the_rest(clients):
    events = clients.get("events")
    events.create_event_bus(Name="orders")
    pattern = json.dumps({"source": ["shop"]})
    events.put_rule(Name="paid", EventBusName="orders", EventPattern=pattern, State="DISABLED", Description="Old")
    setting = Setting("cloudwatchevents/Rule", "orders/paid", "eu-central-1", "description")
    assert clear(clients, [setting], check_mode=True) == [setting]
    assert clear(clients, [setting], check_mode=False) == [setting]
    known = events.describe_rule(Name="paid", EventBusName="orders")
    assert (known.get("Description") or None, known["EventPattern"], known["State"]) == (None, pattern, "DISABLED")
    assert clear(clients, [setting], check_mode=False) == []


@pytest.fixture
def subscription(clients):
    """A subscription with a redrive policy, to be cleared."""
    sns = clients.get("sns")
    topic = sns.create_topic(Name="events")["TopicArn"]
    queues = "arn:aws:sqs:eu-central-1:123456789012"
    redrive = json.dumps({"deadLetterTargetArn": f"{queues}:dead"})
    found = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"{queues}:orders", Attributes={"RedrivePolicy": redrive}
    )
    return Setting("sns/TopicSubscription", found["SubscriptionArn"], "eu-central-1", "redrivePolicy")


def test_a_subscription_loses_its_redrive_policy(clients, subscription):
    sns = clients.get("sns")
    assert clear(clients, [subscription], check_mode=True) == [subscription]
    assert sns.get_subscription_attributes(SubscriptionArn=subscription.name)["Attributes"]["RedrivePolicy"]
    assert clear(clients, [subscription], check_mode=False) == [subscription]
    assert not sns.get_subscription_attributes(SubscriptionArn=subscription.name)["Attributes"].get("RedrivePolicy")
    assert clear(clients, [subscription], check_mode=False) == []


@pytest.mark.parametrize(
    ("account", "code", "goes"),
    [
        ("000000000000", "InvalidParameter", True),
        ("000000000000", "AuthorizationError", False),
        ("123456789012", "InvalidParameter", False),
    ],
)
def test_a_subscription_goes_where_an_emulator_can_not_take_its_policy_away(clients, monkeypatch, account, code, goes):
    setting = Setting("sns/TopicSubscription", f"arn:aws:sns:eu-central-1:{account}:events:one", "", "redrivePolicy")
    sns, gone = clients.get("sns"), []

    def refuse(**_arguments):
        raise ClientError({"Error": {"Code": code}}, "SetSubscriptionAttributes")

    monkeypatch.setattr(sns, "get_subscription_attributes", lambda **_: {"Attributes": {"RedrivePolicy": "{}"}})
    monkeypatch.setattr(sns, "set_subscription_attributes", refuse)
    monkeypatch.setattr(sns, "unsubscribe", lambda **arguments: gone.append(arguments["SubscriptionArn"]))
    with nullcontext() if goes else pytest.raises(AwsError, match="clearing redrivePolicy"):
        clear(clients, [setting], check_mode=False)
    assert gone == ([setting.name] if goes else [])


def test_a_tables_ttl_is_turned_off(clients):
    dynamodb = clients.get("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    on = {"Enabled": True, "AttributeName": "Until"}
    dynamodb.update_time_to_live(TableName="orders", TimeToLiveSpecification=on)
    setting = Setting("dynamodb/Table", "orders", "", "ttl")
    assert clear(clients, [setting], check_mode=False) == [setting]
    described = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] == "DISABLED"
    assert clear(clients, [setting], check_mode=False) == []


def test_a_tables_indexes_are_deleted(clients):
    dynamodb = clients.get("dynamodb")
    index = {"KeySchema": [{"AttributeName": "A", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Id", "A")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[{"IndexName": name, **index} for name in ("by-A", "by-A-too")],
    )
    setting = Setting("dynamodb/Table", "orders", "", "globalSecondaryIndex")
    assert clear(clients, [setting], check_mode=True) == [setting]
    assert len(dynamodb.describe_table(TableName="orders")["Table"]["GlobalSecondaryIndexes"]) == 2
    assert clear(clients, [setting], check_mode=False) == [setting]
    assert not dynamodb.describe_table(TableName="orders")["Table"].get("GlobalSecondaryIndexes")
    assert clear(clients, [setting], check_mode=False) == []


def test_a_key_loses_its_description(clients):
    kms = clients.get("kms")
    key = kms.create_key(Description="Old")["KeyMetadata"]["KeyId"]
    setting = Setting("kms/Key", key, "eu-central-1", "description")
    assert to_clear(
        {}, {"f:description": {}}, ExternalResource("kms/Key", key, {"region": "eu-central-1"}), {"description": "Old"}
    ) == [setting]
    assert clear(clients, [setting], check_mode=True) == [setting]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "Old"
    assert clear(clients, [setting], check_mode=False) == [setting]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""
    assert clear(clients, [setting], check_mode=False) == []
