# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json
from dataclasses import replace

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.probe import bucket
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import make_events
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request
from ansible_collections.localcloud.stack.plugins.module_utils.probe.runner import Prober, Time
from moto import mock_aws

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
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
    destination = prober._destination
    monkeypatch.setattr(prober, "_travel", lambda run, *more: (travel(run, *more), again(run))[0])
    travel = Prober._travel.__get__(prober)

    def again(run):
        world.dynamodb.update_item(
            TableName="orders",
            Key=run.events[0].key(),
            UpdateExpression="SET Trace.StoredAt = :later",
            ExpressionAttributeValues={":later": {"N": "6000"}},
        )

    assert destination is not None
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
    with pytest.raises(AwsError, match="1 in flight") as caught:
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


class Archive:
    """A consumer of the queue that writes to a bucket, or sends to another queue."""

    def __init__(self, world, bucket="archive"):
        self.world = world
        self.s3 = world.clients.get("s3")
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.out = world.sqs.create_queue(QueueName="out")["QueueUrl"]

    def put(self, key, body):
        self.s3.put_object(Bucket="archive", Key=key, Body=body)

    def consume(self, use):
        def work():
            answer = self.world.sqs.receive_message(QueueUrl=self.world.queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                use(message["Body"])
                self.world.sqs.delete_message(QueueUrl=self.world.queue, ReceiptHandle=message["ReceiptHandle"])

        self.world.consumer = work

    def keys(self):
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket="archive").get("Contents", [])]


@pytest.fixture
def archive(world):
    return Archive(world)


OWN = {"orderId": "${id}", "no": "${number}"}
TO_BUCKET = Request(queue="orders", until="bucket", bucket="archive", prefix="in/", body=OWN, timeout=5)


def test_a_queue_may_be_the_beginning_and_a_bucket_the_end(world, archive):
    archive.put("in/before.json", "{}")
    archive.put("elsewhere", "{}")

    def store(body):
        document = json.loads(body)
        assert set(document) == {"orderId", "no"}
        archive.put(f"in/{document['no']}.json", body)

    archive.consume(store)
    result = world.prober(replace(TO_BUCKET, count=12)).run()
    assert (result["topic_arn"], result["table"], result["bucket"]) == (None, None, "archive")
    assert (result["queue_url"], result["message_attributes"]) == (world.queue, {})
    figures = result["statistics"]
    assert (figures["sent"], figures["arrived"], figures["duplicated"], figures["out_of_order"]) == (12, 12, 0, None)
    assert list(result["latency_ms"]) == [
        "publish",
        "topic_to_queue",
        "queue_to_consumer",
        "consumer_to_bucket",
        "total",
    ]
    assert result["cleanup"] == {
        "deleted": True,
        "late_arrival_possible": False,
        "note": "Its objects were removed.",
        "kept": [],
    }
    assert archive.keys() == ["elsewhere", "in/before.json"]


def test_a_topic_may_end_in_a_bucket_where_the_key_holds_the_id(world, archive):
    def store(body):
        event_id = json.loads(json.loads(body)["Message"])["orderId"]
        archive.put(f"in/{event_id}.json.gz", b"\x1f\x8b")
        archive.put(f"in/copy-{event_id}", b"")

    archive.consume(store)
    result = world.prober(replace(TO_BUCKET, topic="orders")).run()
    assert (result["statistics"]["arrived"], result["statistics"]["duplicated"]) == (1, 1)
    assert archive.keys() == []


def test_an_object_with_others_data_is_left_and_named(world, archive):
    archive.put("in/log.jsonl", '{"orderId": "theirs"}\n')

    def store(body):
        archive.put("in/log.jsonl", '{"orderId": "theirs"}\n' + body)
        archive.put("in/batch.json", json.dumps([json.loads(body), {"orderId": "theirs"}]))

    archive.consume(store)
    result = world.prober(TO_BUCKET).run()
    assert result["cleanup"] == {
        "deleted": False,
        "late_arrival_possible": False,
        "note": "Left were in/batch.json, in/log.jsonl, which were there before or hold others' data as well.",
        "kept": ["in/batch.json", "in/log.jsonl"],
    }
    assert archive.keys() == ["in/batch.json", "in/log.jsonl"]


def test_no_version_of_an_object_is_left(world, archive):
    archive.s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    archive.consume(lambda body: archive.put("in/x", body))
    world.prober(TO_BUCKET).run()
    found = archive.s3.list_object_versions(Bucket="archive")
    assert found.get("Versions", []) == found.get("DeleteMarkers", []) == []


def test_an_object_that_does_not_come_is_told_by_hop(world, archive):
    archive.consume(lambda body: None)
    with pytest.raises(
        AwsError, match=r"sent to queue orders, did not reach bucket archive \(prefix in/\) within 5 s"
    ) as caught:
        world.prober(TO_BUCKET).run()
    assert caught.value.details["lost_at"] == "consumer_to_bucket"
    assert caught.value.details["stations"] == {"published": 1, "waiting_in_queue": 0, "in_flight": 0, "in_bucket": 0}
    assert "aws s3 ls --recursive s3://archive/in/" in caught.value.message
    world.consumer = lambda: None
    with pytest.raises(AwsError) as caught:
        world.prober(TO_BUCKET).run()
    assert caught.value.details["lost_at"] == "queue_to_consumer"


def test_an_object_that_comes_at_the_last_moment_is_removed_too(world, archive, monkeypatch):
    prober = world.prober(TO_BUCKET)
    diagnose = prober._diagnose
    monkeypatch.setattr(
        prober,
        "_diagnose",
        lambda run, result: (diagnose(run, result), archive.put("in/late", run.events[0].message))[0],
    )
    with pytest.raises(AwsError) as caught:
        prober.run()
    assert caught.value.details["cleanup"]["late_arrival_possible"] is False
    assert archive.keys() == []


def test_an_object_that_cannot_be_removed_is_a_failure(world, archive, monkeypatch):
    archive.consume(lambda body: archive.put("in/x", body))

    def refuse(**arguments):
        raise archive.s3.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObject")

    monkeypatch.setattr(archive.s3, "delete_object", refuse)
    with pytest.raises(
        AwsError, match=r"but its objects could not be removed .* delete-object --bucket archive --key in/x"
    ):
        world.prober(TO_BUCKET).run()


def test_a_bucket_with_too_many_objects_or_none_at_all_is_told_before_anything_is_sent(world, archive, monkeypatch):
    monkeypatch.setattr(bucket, "MOST_OBJECTS", 2)
    for number in range(3):
        archive.put(f"in/{number}", "x")
    for request, says in (
        (TO_BUCKET, "has more than 2 objects, .* Nothing was published. Give the prefix"),
        (replace(TO_BUCKET, bucket="archiv"), r"Bucket archiv does not exist \(there is archive\)"),
    ):
        for act in (Prober.check, Prober.run):
            with pytest.raises(AwsError, match=says):
                act(world.prober(request))
    assert messages(world) == ("0", "0")
    assert world.prober(replace(TO_BUCKET, prefix="in/1")).check()["bucket"] == "archive"


@pytest.mark.parametrize("topic", ["orders", None])
def test_another_queue_may_be_the_end(world, archive, topic):
    archive.consume(lambda body: world.sqs.send_message(QueueUrl=archive.out, MessageBody=f"invoice for {body}"))
    request = Request(
        topic, queue="orders", until="queue", destination_queue="out", body="order ${id}", timeout=5, count=3
    )
    result = world.prober(request).run()
    assert (result["statistics"]["arrived"], result["destination_queue_url"]) == (3, archive.out)
    assert result["latency_ms"]["consumer_to_queue"] is None
    world.consumer = lambda: None
    with pytest.raises(
        AwsError, match=f"sent to {'topic' if topic else 'queue'} orders, did not reach queue out"
    ) as caught:
        world.prober(replace(request, timeout=0.1)).run()
    assert caught.value.details["lost_at"] == "queue_to_consumer"


def test_a_queue_may_be_beginning_and_end(world):
    result = world.prober(Request(queue="orders", until="queue", timeout=5, count=11)).run()
    assert (result["statistics"]["arrived"], result["latency_ms"]["topic_to_queue"]) == (11, None)
    assert messages(world) == ("0", "0")


def test_a_fifo_queue_that_events_are_sent_to_keeps_the_order(world):
    world.sqs.create_queue(QueueName="o.fifo", Attributes={"FifoQueue": "true"})
    request = Request(queue="o.fifo", until="queue", timeout=5, count=12, message_group_id="one")
    figures = world.prober(request).run()["statistics"]
    assert (figures["arrived"], figures["out_of_order"]) == (12, 0)


def test_a_table_may_have_a_key_of_another_name(world):
    world.make_table("invoices", key="orderId")

    def store(body):
        document = json.loads(body)
        item = {"orderId": {"S": document["orderId"]}, "no": {"N": str(document["no"])}}
        world.dynamodb.put_item(TableName="invoices", Item=item)

    Archive(world).consume(store)
    request = Request(queue="orders", table="invoices", key="orderId", body=OWN, timeout=5)
    for count in (1, 3):
        assert world.prober(replace(request, count=count)).run()["statistics"]["arrived"] == count
    assert world.dynamodb.scan(TableName="invoices")["Count"] == 0
    with pytest.raises(AwsError, match="text hash key Id alone"):
        world.prober(replace(request, key="Id")).check()


def test_what_a_filter_of_bodies_drops_of_an_own_body_is_not_sent(world, archive):
    filter_by(world, {"kind": ["a"]}, "MessageBody")
    request = replace(TO_BUCKET, topic="orders")
    assert "filter policy on kind drops the event" in refused(world, request).message
    archive.consume(lambda body: archive.put("in/x", body))
    assert world.prober(replace(request, body={**OWN, "kind": "a"})).run()["statistics"]["arrived"] == 1


def test_large_messages_go_in_smaller_requests(world, archive, monkeypatch):
    sizes = []
    send = world.sqs.send_message_batch
    monkeypatch.setattr(
        world.sqs, "send_message_batch", lambda **more: (sizes.append(len(more["Entries"])), send(**more))[1]
    )
    archive.consume(lambda body: archive.put(f"in/{json.loads(body)['no']}", body))
    world.prober(replace(TO_BUCKET, count=7, body={**OWN, "fill": "x" * 60_000})).run()
    assert sizes == [4, 3]


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("{ID}", False),
        ('{"id": "ID",\n "x": 1}', False),
        ('[{"id": "ID"}]', False),
        ('[{"id": "ID"}, {"id": "x"}]', True),
        ('{"id": "ID"}\n{"id": "ID"}\n', False),
        ('{"id": "ID"}\n{"id": "x"}\n', True),
        ("id,name\nID,x", True),
        ("ID OTHER", True),
    ],
)
def test_whether_an_object_holds_something_else(text, others):
    own, other = (one.id for one in make_events(1, {}, NOW) + make_events(1, {}, NOW))
    assert bucket.holds_others(text.replace("ID", own).replace("OTHER", other), {own}) is others
