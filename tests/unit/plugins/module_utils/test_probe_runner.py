# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.probe_runner import Prober, Request, Time
from moto import mock_aws

REQUEST = Request("orders", "orders", "orders", timeout=5)


class World:
    """AWS by moto, a clock that only moves by sleeping, and a consumer that works while the prober sleeps."""

    def __init__(self, clients):
        self.clients = clients
        self.sns, self.sqs, self.dynamodb = (self.clients.get(name) for name in ("sns", "sqs", "dynamodb"))
        self.now = 0.0
        self.naps = []
        self.consumer = lambda: None
        self.topic = self.sns.create_topic(Name="orders")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        self.queue_arn = "arn:aws:sqs:eu-central-1:123456789012:orders"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.queue_arn,
        }
        self.sqs.set_queue_attributes(
            QueueUrl=self.queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
        )
        self.subscription = self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=self.queue_arn)[
            "SubscriptionArn"
        ]
        self.make_table("orders")

    def make_table(self, name, key="Id"):
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds
        self.consumer()

    def prober(self, request=REQUEST):
        return Prober(self.clients, request, None, Time(lambda: self.now, self.sleep, lambda: 1_000.0))

    def consume(self, trace=True, store=True):
        for message in self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            if not store:
                continue
            envelope = json.loads(message["Body"])
            event = json.loads(envelope["Message"])
            assert event["attributes"] == {name: one["Value"] for name, one in envelope["MessageAttributes"].items()}
            body = json.loads(event["body"])
            item = {
                "Id": {"S": body["Id"]},
                "Number": {"N": str(body["Number"])},
                "CreatedAt": {"S": body["CreatedAt"]},
            }
            if trace:
                stamps = {"PublishedAt": 5001, "QueuedAt": 5003, "ReceivedAt": 5010, "StoredAt": 5014}
                item["Trace"] = {"M": {name: {"N": str(stamp)} for name, stamp in stamps.items()}}
            self.dynamodb.put_item(TableName="orders", Item=item)
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def items(self):
        return self.dynamodb.scan(TableName="orders", Select="COUNT")["Count"]


@pytest.fixture(scope="module")
def clients():
    """Made once: making them costs more than all the rest."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        made = Clients(Connection(region="eu-central-1", access_key="test", secret_key="test"))
        for service in ("sns", "sqs", "dynamodb"):
            made.get(service)
        return made


@pytest.fixture
def world(clients):
    with mock_aws():
        yield World(clients)


def test_an_event_that_arrives_is_measured_and_removed(world):
    world.consumer = world.consume
    result = world.prober().run()
    assert result["published"] is True
    assert result["topic_arn"] == world.topic
    assert result["latency_ms"] == {
        "publish": 0,
        "topic_to_queue": 2,
        "queue_to_consumer": 7,
        "consumer_to_table": 4,
        "total": 50,
    }
    assert result["cleanup"] == {"deleted": True, "late_arrival_possible": False, "note": "Its item was removed."}
    assert world.items() == 0


def test_a_foreign_consumer_writes_no_trace(world):
    world.consumer = lambda: world.consume(trace=False)
    figures = world.prober(REQUEST._replace(topic=world.topic, queue=None)).run()["latency_ms"]
    assert figures["queue_to_consumer"] is None
    assert figures["total"] == 50


def test_polling_grows_slowly_and_ends_in_time(world):
    with pytest.raises(AwsError, match="did not reach table orders within 5 s"):
        world.prober().run()
    assert world.naps[0] == 0.05
    assert max(world.naps) <= 0.5
    assert sum(world.naps) == pytest.approx(5)


def lost(world, request=REQUEST):
    with pytest.raises(AwsError) as caught:
        world.prober(request).run()
    assert caught.value.details["cleanup"]["late_arrival_possible"] is True
    assert caught.value.details["id"] in caught.value.message
    assert "aws dynamodb delete-item --table-name orders" in caught.value.message
    return caught.value


def test_no_consumer(world):
    error = lost(world)
    assert error.details["lost_at"] == "queue_to_consumer"
    assert error.details["evidence"]["depth"]["visible"] == 1
    assert "consumer does not read; likely it is not running" in error.message


def test_a_consumer_that_fails(world):
    world.consumer = lambda: world.consume(store=False)
    error = lost(world)
    assert error.details["lost_at"] == "consumer_to_table"
    assert error.details["evidence"]["depth"]["in_flight"] == 1


def test_no_subscription(world):
    world.sns.unsubscribe(SubscriptionArn=world.subscription)
    assert lost(world).details["lost_at"] == "subscription"


def test_no_policy(world):
    other = world.sqs.create_queue(QueueName="other")["QueueUrl"]
    world.sns.subscribe(TopicArn=world.topic, Protocol="sqs", Endpoint=world.queue_arn.replace("orders", "other"))

    def drop():  # moto doesn't look at policies: take away what AWS wouldn't have let in
        for message in world.sqs.receive_message(QueueUrl=other).get("Messages", []):
            world.sqs.delete_message(QueueUrl=other, ReceiptHandle=message["ReceiptHandle"])

    world.consumer = drop
    error = lost(world, REQUEST._replace(queue="other"))
    assert error.details["lost_at"] == "topic_to_queue"
    assert error.details["evidence"]["policy_allows"] is False


def test_without_the_queues_name_nothing_more_is_said(world):
    error = lost(world, REQUEST._replace(queue=None))
    assert error.details["lost_at"] == "unknown"
    assert "evidence" not in error.details


def test_an_item_that_comes_at_the_last_moment_is_removed_too(world, monkeypatch):
    prober = world.prober()
    diagnose = prober._diagnose

    def late(result):
        try:
            return diagnose(result)
        finally:
            world.consume()

    monkeypatch.setattr(prober, "_diagnose", late)
    with pytest.raises(AwsError) as caught:
        prober.run()
    assert caught.value.details["cleanup"]["deleted"] is True
    assert world.items() == 0


def test_an_item_that_cannot_be_removed_is_a_failure(world, monkeypatch):
    world.consumer = world.consume

    def refuse(**arguments):
        raise world.dynamodb.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteItem")

    monkeypatch.setattr(world.dynamodb, "delete_item", refuse)
    with pytest.raises(AwsError, match="reached table orders, but its item could not be removed") as caught:
        world.prober().run()
    assert "delete-item" in caught.value.message
    assert caught.value.details["cleanup"]["deleted"] is False


def test_an_interruption_cleans_up_too(world):
    def interrupt():
        world.consume()
        raise KeyboardInterrupt

    world.consumer = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.prober().run()
    assert world.items() == 0


def test_reading_that_fails_midway_cleans_up_too(world, monkeypatch):
    def refuse(**arguments):
        raise world.dynamodb.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetItem")

    monkeypatch.setattr(world.dynamodb, "get_item", refuse)
    with pytest.raises(AwsError, match="denies reading table orders") as caught:
        world.prober().run()
    assert caught.value.details["published"] is True


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (REQUEST._replace(topic="order"), r"Topic order does not exist \(there is orders\)"),
        (REQUEST._replace(table="ordres"), r"Table ordres does not exist \(there is orders\)"),
        (REQUEST._replace(queue="oders"), r"Queue oders does not exist \(there is orders\)"),
        (REQUEST._replace(table="wrong-key"), r"Table wrong-key has the keys pk \(HASH, S\)"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_published(world, request_, says):
    world.make_table("wrong-key", key="pk")
    with pytest.raises(AwsError, match=says):
        world.prober(request_).run()
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_a_check_publishes_nothing(world):
    found = world.prober().check()
    assert found == {"topic_arn": world.topic, "table": "orders", "queue_url": world.queue}
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
