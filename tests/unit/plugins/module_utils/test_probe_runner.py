# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace

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
            attributes = {name: one["Value"] for name, one in envelope["MessageAttributes"].items()}
            assert event["attributes"] == {name: str(value) for name, value in attributes.items()}
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
    figures = world.prober(replace(REQUEST, topic=world.topic, queue=None)).run()["latency_ms"]
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


def refused(world, request=REQUEST):
    """Nothing is published, in check mode neither."""
    with pytest.raises(AwsError, match="Nothing was published") as caught:
        world.prober(request).run()
    with pytest.raises(AwsError, match="Nothing was published"):
        world.prober(request).check()
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert world.naps == []
    return caught.value


def test_no_subscription(world):
    world.sns.unsubscribe(SubscriptionArn=world.subscription)
    assert refused(world).details["lost_at"] == "subscription"


def filter_by(world, policy, scope="MessageAttributes"):
    for name, value in (("FilterPolicyScope", scope), ("FilterPolicy", json.dumps(policy))):
        world.sns.set_subscription_attributes(
            SubscriptionArn=world.subscription, AttributeName=name, AttributeValue=value
        )


def test_an_event_that_a_filter_drops_is_not_sent(world):
    filter_by(world, {"kind": ["a"]})
    error = refused(world, replace(REQUEST, message_attributes={"kind": "b"}))
    assert error.details["lost_at"] == "subscription"
    assert "filter policy on kind drops the event" in error.message
    assert "Give matching message_attributes" in error.message


def test_an_event_that_a_filter_of_bodies_drops_is_not_sent(world):
    filter_by(world, {"kind": ["a"]}, "MessageBody")
    assert "probe by a topic that is not filtered" in refused(world).message


@pytest.mark.parametrize("given", [None, {"kind": "a", "size": 7}])
def test_attributes_that_pass_the_filter_are_given_or_found(world, given):
    filter_by(world, {"kind": ["a"], "size": [{"numeric": [">", 6]}]})
    world.consumer = world.consume
    result = world.prober(replace(REQUEST, message_attributes=given)).run()
    assert result["message_attributes"]["kind"] == "a"
    assert result["message_attributes"]["size"] == 7
    assert result["statistics"]["arrived"] == 1


def test_no_policy(world):
    other = world.sqs.create_queue(QueueName="other")["QueueUrl"]
    world.sns.subscribe(TopicArn=world.topic, Protocol="sqs", Endpoint=world.queue_arn.replace("orders", "other"))

    def drop():  # moto doesn't look at policies: take away what AWS wouldn't have let in
        for message in world.sqs.receive_message(QueueUrl=other).get("Messages", []):
            world.sqs.delete_message(QueueUrl=other, ReceiptHandle=message["ReceiptHandle"])

    world.consumer = drop
    error = lost(world, replace(REQUEST, queue="other"))
    assert error.details["lost_at"] == "topic_to_queue"
    assert error.details["evidence"]["policy_allows"] is False


def test_without_the_queues_name_nothing_more_is_said(world):
    error = lost(world, replace(REQUEST, queue=None))
    assert error.details["lost_at"] == "unknown"
    assert "evidence" not in error.details


def test_an_item_that_comes_at_the_last_moment_is_removed_too(world, monkeypatch):
    prober = world.prober()
    diagnose = prober._diagnose

    def late(*arguments):
        try:
            return diagnose(*arguments)
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
        (replace(REQUEST, topic="order"), r"Topic order does not exist \(there is orders\)"),
        (replace(REQUEST, table="ordres"), r"Table ordres does not exist \(there is orders\)"),
        (replace(REQUEST, queue="oders"), r"Queue oders does not exist \(there is orders\)"),
        (replace(REQUEST, table="wrong-key"), r"Table wrong-key has the keys pk \(HASH, S\)"),
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
    assert found == {
        "topic_arn": world.topic,
        "table": "orders",
        "queue_url": world.queue,
        "message_attributes": {"encoding": "application/json", "trace": "true"},
    }
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_many_events_are_counted_and_measured(world):
    world.consumer = world.consume  # ten whenever the prober sleeps
    result = world.prober(replace(REQUEST, count=23)).run()
    figures = result["statistics"]
    assert (figures["sent"], figures["arrived"], figures["lost"], figures["duplicated"]) == (23, 23, 0, 0)
    assert figures["total_ms"] == {"p50": 100, "p95": 150, "max": 150}
    assert result["latency_ms"]["consumer_to_table"] == 4
    assert result["cleanup"] == {"deleted": True, "late_arrival_possible": False, "note": "Its items were removed."}
    assert world.items() == 0


def test_a_rate_spreads_the_events(world):
    world.consumer = world.consume
    result = world.prober(replace(REQUEST, count=11, rate=10)).run()
    assert result["statistics"]["arrived"] == 11
    assert 1.0 <= world.now < 1.2


def test_events_that_are_missing_are_told_by_station(world):
    def some():
        if world.now < 0.1:
            world.consume()

    world.consumer = some
    error = lost(world, replace(REQUEST, count=15))
    assert error.details["stations"] == {"published": 15, "waiting_in_queue": 5, "in_flight": 0, "in_table": 10}
    assert "5 of the 15 events" in error.message
    assert "Stations: published 15, waiting in queue 5, in flight 0, in table 10." in error.message
    assert error.details["statistics"]["lost"] == 5
    assert world.items() == 0


def test_an_item_written_twice_is_a_duplicate(world, monkeypatch):
    world.consumer = world.consume
    prober = world.prober()
    end = prober._end
    monkeypatch.setattr(prober, "_travel", lambda way, where: (travel(way, where), again(way))[0])
    travel = Prober._travel.__get__(prober)

    def again(way):
        world.dynamodb.update_item(
            TableName="orders",
            Key=way.events[0].key,
            UpdateExpression="SET Trace.StoredAt = :later",
            ExpressionAttributeValues={":later": {"N": "6000"}},
        )

    assert end is not None
    assert prober.run()["statistics"]["duplicated"] == 1


def test_a_refused_event_is_told_and_the_others_are_removed(world, monkeypatch):
    publish_batch = world.sns.publish_batch

    def refuse_one(**arguments):
        refused, *others = arguments["PublishBatchRequestEntries"]
        publish_batch(**{**arguments, "PublishBatchRequestEntries": others})
        return {"Failed": [{"Id": refused["Id"], "Code": "Throttled", "Message": "slow down"}]}

    monkeypatch.setattr(world.sns, "publish_batch", refuse_one)
    with pytest.raises(AwsError, match=r"refused 1 of 3 events sent at once \(Throttled: slow down\)") as caught:
        world.prober(replace(REQUEST, count=3)).run()
    assert caught.value.details["published"] is True


def test_an_event_whose_publishing_broke_off_is_removed_if_it_came(world, monkeypatch):
    publish = world.sns.publish

    def break_off(**arguments):
        publish(**arguments)
        world.consume()
        raise world.sns.exceptions.ClientError({"Error": {"Code": "InternalError", "Message": "no"}}, "Publish")

    monkeypatch.setattr(world.sns, "publish", break_off)
    with pytest.raises(AwsError, match="failed by itself at publishing") as caught:
        world.prober().run()
    assert caught.value.details["published"] is False
    assert world.items() == 0


UNTIL_QUEUE = Request("orders", queue="orders", until="queue", timeout=5)


def messages(world):
    attributes = world.sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["All"])["Attributes"]
    return attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]


@pytest.mark.parametrize("raw", [False, True])
def test_a_queue_may_be_the_end_and_keeps_what_others_sent(world, raw):
    world.sns.set_subscription_attributes(
        SubscriptionArn=world.subscription, AttributeName="RawMessageDelivery", AttributeValue=str(raw).lower()
    )
    world.sqs.send_message(QueueUrl=world.queue, MessageBody="somebody else's")
    result = world.prober(replace(UNTIL_QUEUE, count=12)).run()
    figures = result["statistics"]
    assert (figures["arrived"], figures["lost"], figures["duplicated"], figures["out_of_order"]) == (12, 0, 0, None)
    assert result["latency_ms"]["consumer_to_table"] is None
    assert result["table"] is None
    assert messages(world) == ("1", "0")


def test_a_message_delivered_twice_is_a_duplicate(world, monkeypatch):
    publish = world.sns.publish
    monkeypatch.setattr(world.sns, "publish", lambda **arguments: (publish(**arguments), publish(**arguments))[0])
    assert world.prober(UNTIL_QUEUE).run()["statistics"]["duplicated"] == 1
    assert messages(world) == ("0", "0")


def test_a_fifo_way_keeps_the_order(world):
    topic = world.sns.create_topic(Name="o.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    world.sqs.create_queue(QueueName="o.fifo", Attributes={"FifoQueue": "true"})
    world.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=world.queue_arn.replace("orders", "o.fifo"), ReturnSubscriptionArn=True
    )
    request = Request("o.fifo", queue="o.fifo", until="queue", timeout=5, count=12, message_group_id="one")
    figures = world.prober(request).run()["statistics"]
    assert (figures["arrived"], figures["duplicated"], figures["out_of_order"]) == (12, 0, 0)


def test_a_queue_that_somebody_reads_is_left_alone(world):
    world.sqs.send_message(QueueUrl=world.queue, MessageBody="x")
    world.sqs.receive_message(QueueUrl=world.queue)
    with pytest.raises(AwsError, match="1 that somebody works on") as caught:
        world.prober(UNTIL_QUEUE).run()
    assert caught.value.details["lost_at"] == "queue_to_consumer"


def test_what_never_gets_into_the_queue_is_told(world, monkeypatch):
    monkeypatch.setattr(world.sns, "publish", lambda **arguments: {})
    with pytest.raises(AwsError, match="did not reach queue orders within 0.1 s") as caught:
        world.prober(replace(UNTIL_QUEUE, timeout=0.1)).run()
    assert caught.value.details["lost_at"] == "topic_to_queue"
    assert caught.value.details["stations"]["received"] == 0
    assert "may still arrive in queue orders" in caught.value.message


def test_all_that_is_wrong_with_a_request_is_said_at_once(world):
    with pytest.raises(AwsError) as caught:
        world.prober(Request("orders", count=0, rate=0, timeout=0, message_attributes={"trace": "x", "a": {}}))
    for words in (
        "table is missing",
        "count is 0",
        "rate is 0",
        "timeout is 0",
        "has trace",
        "message_attributes.a is {}",
    ):
        assert words in caught.value.message
