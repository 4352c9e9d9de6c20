# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils import aws_gather
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import Clients, Connection, client_config
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError
from moto import mock_aws

CONNECTION = Connection(region="eu-central-1", access_key="test", secret_key="test")
ALL = ("sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam")


@pytest.fixture(scope="module")
def made():
    """Made once: making them costs more than all the rest."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        clients = Clients(CONNECTION)
        for service in ("sts", *ALL):
            clients.get(service)
        return clients


@pytest.fixture
def clients(made):
    with mock_aws():
        yield made


def fill(clients, items=3):
    topic = clients.get("sns").create_topic(Name="orders")["TopicArn"]
    sqs = clients.get("sqs")
    sqs.create_queue(QueueName="orders-dlq")
    dead = "arn:aws:sqs:eu-central-1:123456789012:orders-dlq"
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    arn = dead.removesuffix("-dlq")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": arn}],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sqs.send_message(QueueUrl=url, MessageBody="x")
    clients.get("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    dynamodb = clients.get("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(items):
        stamp = f"2026-01-0{number + 1}"
        dynamodb.put_item(TableName="orders", Item={"Id": {"S": str(number)}, "CreatedAt": {"S": stamp}})
    clients.get("s3").create_bucket(Bucket="orders", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    clients.get("ssm").put_parameter(Name="/orders/key", Value="hush-hush", Type="SecureString")
    clients.get("secretsmanager").create_secret(Name="orders/db", SecretString="hush-hush")
    key = clients.get("kms").create_key()["KeyMetadata"]["KeyId"]
    clients.get("kms").create_alias(AliasName="alias/orders", TargetKeyId=key)
    clients.get("iam").create_role(RoleName="orders", AssumeRolePolicyDocument="{}")


def test_everything_is_read(clients):
    fill(clients)
    found = aws_gather.gather(clients, aws_gather.Query(ALL, newest_items=2))
    assert found["account"]["id"] == "123456789012"
    assert found["health"] is None
    assert found["region"] == "eu-central-1"
    (topic,) = found["topics"]
    assert topic["name"] == "orders"
    (subscription,) = topic["subscriptions"]
    assert subscription["protocol"] == "sqs"
    assert subscription["raw"] is True
    queue, dead = found["queues"]
    assert queue["depth"] == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert queue["policy"]["Statement"][0]["Effect"] == "Allow"
    assert queue["redrive"]["dead_letter_queue"] == dead["name"] == "orders-dlq"
    (table,) = found["tables"]
    assert (table["status"], table["item_count"], table["billing_mode"]) == ("ACTIVE", 3, "PAY_PER_REQUEST")
    assert table["key_schema"] == [{"name": "Id", "key_type": "HASH", "type": "S"}]
    assert [item["Id"] for item in table["newest_items"]] == ["2", "1"]
    assert [bucket["name"] for bucket in found["buckets"]] == ["orders"]
    assert found["parameters"] == [{"name": "/orders/key", "type": "SecureString"}]
    assert [secret["name"] for secret in found["secrets"]] == ["orders/db"]
    (key,) = [key for key in found["keys"] if key["name"] == "orders"]
    assert (key["state"], key["arn"].rpartition("/")[2]) == ("Enabled", key["id"])
    assert [role["name"] for role in found["roles"]] == ["orders"]


def test_values_of_parameters_are_never_there(clients):
    fill(clients)
    assert "hush" not in json.dumps(aws_gather.gather(clients, aws_gather.Query(ALL, newest_items=9)))


def test_only_what_is_asked_for(clients):
    fill(clients)
    found = aws_gather.gather(clients, aws_gather.Query(("sqs",), names=["*-dlq"]))
    assert [queue["name"] for queue in found["queues"]] == ["orders-dlq"]
    assert "topics" not in found


@pytest.mark.parametrize(("how", "count"), [("exact", 3), ("none", None)])
def test_ways_to_count(clients, how, count):
    fill(clients)
    (table,) = aws_gather.gather(clients, aws_gather.Query(("dynamodb",), count_items=how))["tables"]
    assert table["item_count"] == count
    assert table["newest_items"] == []


def test_pages_are_read_to_the_end(clients):
    for number in range(105):  # SNS lists 100 a page
        clients.get("sns").create_topic(Name=f"topic-{number:03}")
    for number in range(53):  # SSM describes 50 a page at most
        clients.get("ssm").put_parameter(Name=f"/p/{number}", Value="v", Type="String")
    found = aws_gather.gather(clients, aws_gather.Query(("sns", "ssm")))
    assert len(found["topics"]) == 105
    assert len(found["parameters"]) == 53


def test_an_exact_count_adds_up_all_pages():
    class Scan:
        def paginate(self, **arguments):
            assert arguments == {"TableName": "t", "Select": "COUNT", "ConsistentRead": True}
            return [{"Count": 2}, {"Count": 3}]

    class Dynamodb:
        def get_paginator(self, operation):
            assert operation == "scan"
            return Scan()

    assert aws_gather._count(Dynamodb(), {"TableName": "t"}, aws_gather.Query(())) == 5


def test_what_has_gone_meanwhile_is_left_out(clients):
    sqs = clients.get("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    assert aws_gather.existing(sqs, "get_queue_attributes", QueueUrl=url + "x", AttributeNames=["All"]) is None
    assert aws_gather.each(lambda one: one or None, [1, 0, 2]) == [1, 2]


def test_one_services_failure_is_one_sentence(clients, monkeypatch):
    sqs = clients.get("sqs")
    error = sqs.exceptions.ClientError({"Error": {"Code": "NotImplemented", "Message": "no"}}, "ListQueues")

    def refuse(operation):
        raise error

    monkeypatch.setattr(sqs, "get_paginator", refuse)
    with pytest.raises(AwsError, match="cannot do reading SQS queues"):
        aws_gather.gather(clients, aws_gather.Query(ALL))


def test_an_answer_without_an_account_is_not_from_aws(clients, monkeypatch):
    monkeypatch.setattr(clients.get("sts"), "get_caller_identity", dict)
    with pytest.raises(AwsError, match="not as an AWS endpoint"):
        aws_gather.account(clients)


def test_an_endpoint_that_is_given_is_reached_without_proxies_and_by_path():
    config = client_config("http://localhost:4566")
    assert config.proxies == {}
    assert config.s3 == {"addressing_style": "path"}
    assert (config.connect_timeout, config.read_timeout, config.retries["mode"]) == (3, 10, "standard")
    assert client_config(None).proxies is None


def test_no_region_is_said_for_every_service_alike(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsError, match="There is no region"):
        Clients(CONNECTION._replace(region=None)).get("s3")


def test_an_endpoint_that_is_no_url():
    with pytest.raises(AwsError, match="endpoint_url is not a URL"):
        Clients(CONNECTION._replace(endpoint_url="localhost:4566")).get("sqs")


def test_empty_parameters_count_as_not_given():
    assert Connection.from_params({"region": "", "endpoint_url": None}) == Connection()
