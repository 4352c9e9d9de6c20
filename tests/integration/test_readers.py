"""localstack_info and event_probe against what runs: each test makes its own resources and deletes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info.collect import gather
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import health_facts
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import ids_in
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request
from ansible_collections.localcloud.stack.plugins.module_utils.probe.runner import Prober

SERVICES = ("sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
GRANT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}


@pytest.fixture
def clients(stack: Any) -> Clients:
    return Clients(
        Connection(
            endpoint_url=stack.env["AWS_ENDPOINT_URL"], region="eu-central-1", access_key="test", secret_key="test"
        )
    )


class Chain:
    """A topic, a queue subscribed to it with a dead-letter queue, and a table, all of the same name."""

    def __init__(self, stack: Any, name: str, later: Callable[..., Any], fifo: bool = False) -> None:
        self.stack, self.name, self.later = stack, f"{name}.fifo" if fifo else name, later
        self.sns, self.sqs, self.dynamodb = map(stack.client, ("sns", "sqs", "dynamodb"))
        self.table = name
        topic_kind = {"FifoTopic": "true"} if fifo else {}
        queue_kind = {"FifoQueue": "true"} if fifo else {}
        self.topic = self.sns.create_topic(Name=self.name, Attributes=topic_kind)["TopicArn"]
        later(self.sns.delete_topic, TopicArn=self.topic)
        self.dead, self.dead_arn = self._queue(f"{name}-dead.fifo" if fifo else f"{name}-dead", queue_kind)
        self.queue, self.queue_arn = self._queue(self.name, queue_kind | self.redrive(5))
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        later(self.dynamodb.delete_table, TableName=name)
        self.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def _queue(self, name: str, attributes: dict[str, str]) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.later(self.sqs.delete_queue, QueueUrl=url)
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": found["QueueArn"],
                }
            ],
        }
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return url, found["QueueArn"]

    def redrive(self, receives: int) -> dict[str, str]:
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": receives})}

    def subscribe(self, **attributes: str) -> None:
        self.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=self.queue_arn,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )

    def consume(self, store: bool = True) -> None:
        """Copies events from the queue into the table until the test ends, or, without storing, lets them die."""
        stop = threading.Event()
        consumer = threading.Thread(target=self._copy, args=(stop, store))
        consumer.start()
        self.later(consumer.join)
        self.later(stop.set)

    def _copy(self, stop: threading.Event, store: bool) -> None:
        sqs, dynamodb = self.stack.client("sqs"), self.stack.client("dynamodb")
        while not stop.is_set():
            answer = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                if store:
                    dynamodb.put_item(TableName=self.table, Item={"Id": {"S": ids_in(message["Body"]).pop()}})
                    sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def request(self, **more: Any) -> Request:
        return Request(**{"topic": self.name, "queue": self.name, "table": self.table, "timeout": 240, **more})

    def items(self) -> int:
        return int(self.dynamodb.scan(TableName=self.table, Select="COUNT", ConsistentRead=True)["Count"])

    def waiting(self, queue: str) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def chain(stack: Any, name: str, later: Callable[..., Any]) -> Chain:
    return Chain(stack, name, later)


@pytest.fixture
def fifo(stack: Any, name: str, later: Callable[..., Any]) -> Chain:
    return Chain(stack, name, later, fifo=True)


@pytest.fixture
def probe(clients: Clients) -> Callable[[Request], dict[str, Any]]:
    return lambda request: dict(Prober(clients, request, clients.endpoint_url).run())


def test_a_fifo_way_ends_in_the_table(fifo: Chain, probe: Any) -> None:
    fifo.subscribe()
    fifo.consume()
    figures = probe(fifo.request(count=12, message_group_id="one"))["statistics"]
    assert (figures["arrived"], figures["lost"]) == (12, 0)
    assert fifo.items() == 0


def test_a_fifo_way_that_ends_in_the_queue_keeps_the_order(fifo: Chain, probe: Any) -> None:
    fifo.subscribe()
    figures = probe(fifo.request(until="queue", count=30, message_group_id="one"))["statistics"]
    assert (figures["arrived"], figures["duplicated"], figures["out_of_order"]) == (30, 0, 0)
    assert fifo.waiting(fifo.queue) == 0


def test_raw_delivery_to_the_table_and_the_queue(chain: Chain, probe: Any) -> None:
    chain.subscribe(RawMessageDelivery="true")
    assert probe(chain.request(until="queue"))["latency_ms"]["total"] > 0
    chain.consume()
    assert probe(chain.request())["statistics"]["arrived"] == 1


def test_a_filter_that_matches_is_passed_by_itself_or_by_what_is_given(chain: Chain, probe: Any) -> None:
    chain.subscribe(FilterPolicy=json.dumps({"kind": ["a", "b"], "size": [{"numeric": [">", 6]}]}))
    found = probe(chain.request(until="queue"))
    assert (found["message_attributes"]["kind"], found["statistics"]["arrived"]) == ("a", 1)
    given = {"kind": "b", "size": 8}
    assert probe(chain.request(until="queue", message_attributes=given))["statistics"]["arrived"] == 1


def test_the_module_and_the_emulator_agree_on_what_a_filter_drops(chain: Chain, probe: Any) -> None:
    chain.subscribe(FilterPolicy=json.dumps({"kind": ["a"]}))
    with pytest.raises(AwsError, match="filter policy on kind drops the event") as caught:
        probe(chain.request(until="queue", message_attributes={"kind": "b"}))
    assert caught.value.details["lost_at"] == "subscription"
    attributes = {"kind": {"DataType": "String", "StringValue": "b"}}
    chain.sns.publish(TopicArn=chain.topic, Message="x", MessageAttributes=attributes)
    # What is sent afterwards and passes arrives alone.
    assert probe(chain.request(until="queue"))["statistics"]["arrived"] == 1
    assert chain.waiting(chain.queue) == 0


def test_two_hundred_events_at_once(chain: Chain, probe: Any) -> None:
    chain.subscribe()
    for _time in range(2):
        chain.consume()
    figures = probe(chain.request(count=200))["statistics"]
    assert (figures["sent"], figures["arrived"], figures["lost"]) == (200, 200, 0)
    assert 0 < figures["total_ms"]["p50"] <= figures["total_ms"]["p95"] <= figures["total_ms"]["max"]
    assert chain.items() == 0


def test_two_hundred_events_through_the_stacks_own_consumer(stack: Any, probe: Any) -> None:
    topic, name = "justtrack-dev-devops-producer-events", "justtrack-dev-devops-consumer-events"
    result = probe(Request(topic=topic, queue=name, table=name, timeout=240, count=200))
    figures = result["statistics"]
    assert (figures["arrived"], figures["lost"], figures["duplicated"]) == (200, 0, 0)
    assert result["latency_ms"]["consumer_to_table"] is not None
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(name)
    assert "Item" not in table.get_item(Key={"Id": f"{result['id']}-199"}, ConsistentRead=True)


def test_others_messages_are_given_back(chain: Chain, probe: Any) -> None:
    chain.subscribe()
    chain.sqs.send_message(QueueUrl=chain.queue, MessageBody="somebody else's")
    assert probe(chain.request(until="queue", count=15))["statistics"]["arrived"] == 15
    answer = chain.sqs.receive_message(QueueUrl=chain.queue, WaitTimeSeconds=5)
    assert [message["Body"] for message in answer["Messages"]] == ["somebody else's"]


@pytest.mark.parametrize(
    ("consumer", "timeout", "lost_at", "station"),
    [(False, 2, "queue_to_consumer", "waiting_in_queue"), (True, 10, "consumer_to_table", "in_dead_letter_queue")],
)
def test_where_an_event_got_stuck(
    chain: Chain, probe: Any, consumer: bool, timeout: int, lost_at: str, station: str
) -> None:
    chain.subscribe()
    if consumer:
        attributes = {**chain.redrive(1), "VisibilityTimeout": "1"}
        chain.sqs.set_queue_attributes(QueueUrl=chain.queue, Attributes=attributes)
        chain.consume(store=False)
    with pytest.raises(AwsError, match="did not reach table") as caught:
        probe(chain.request(timeout=timeout))
    details = caught.value.details
    assert (details["lost_at"], details["stations"][station], details["stations"]["in_table"]) == (lost_at, 1, 0)
    assert f"{station.replace('_', ' ')} 1" in caught.value.message


class Archive:
    """A bucket and a second queue beside a chain, for consumers of the chain's queue."""

    def __init__(self, chain: Chain, later: Callable[..., Any]) -> None:
        self.chain = chain
        self.s3 = chain.stack.client("s3")
        self.bucket = chain.name
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        later(self.s3.delete_bucket, Bucket=self.bucket)  # which is refused if anything is left in it
        self.out, _arn = chain._queue(f"{chain.name}-out", {})

    def consume(self, use: Callable[[str], Any]) -> None:
        """Use what comes into the queue until the test ends."""
        stop = threading.Event()
        consumer = threading.Thread(target=self._work, args=(stop, use))
        consumer.start()
        self.chain.later(consumer.join)
        self.chain.later(stop.set)

    def _work(self, stop: threading.Event, use: Callable[[str], Any]) -> None:
        sqs = self.chain.stack.client("sqs")
        while not stop.is_set():
            answer = sqs.receive_message(QueueUrl=self.chain.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                use(message["Body"])
                sqs.delete_message(QueueUrl=self.chain.queue, ReceiptHandle=message["ReceiptHandle"])

    def request(self, **more: Any) -> Request:
        to_bucket = {"until": "bucket", "bucket": self.bucket, "prefix": "in/"}
        body = {"orderId": "${id}", "no": "${number}"}
        return Request(**{"queue": self.chain.name, "body": body, "timeout": 240, **to_bucket, **more})


@pytest.fixture
def archive(chain: Chain, later: Callable[..., Any]) -> Archive:
    return Archive(chain, later)


@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize("topic", [False, True])
def test_events_that_end_in_a_bucket_leave_nothing(archive: Archive, probe: Any, topic: bool, versions: bool) -> None:
    if topic:
        archive.chain.subscribe()
    if versions:
        archive.s3.put_bucket_versioning(Bucket=archive.bucket, VersioningConfiguration={"Status": "Enabled"})

    def store(body: str) -> None:
        event_id = ids_in(body).pop()
        # Every other event is known by the object's key only.
        key, content = (
            (f"in/{event_id}", b"") if event_id.endswith(("1", "3", "5")) else (f"in/x{event_id[-2:]}", body.encode())
        )
        archive.s3.put_object(Bucket=archive.bucket, Key=key, Body=content)

    archive.consume(store)
    result = probe(archive.request(count=12, **({"topic": archive.chain.name} if topic else {})))
    assert (result["statistics"]["arrived"], result["statistics"]["duplicated"]) == (12, 0)
    assert result["cleanup"]["kept"] == [] and result["cleanup"]["deleted"] is True


def test_events_that_end_in_another_queue(archive: Archive, probe: Any) -> None:
    sqs = archive.chain.stack.client("sqs")
    archive.consume(lambda body: sqs.send_message(QueueUrl=archive.out, MessageBody=f"invoice for {body}"))
    request = {
        "until": "queue",
        "destination_queue": f"{archive.chain.name}-out",
        "body": "<order id='${id}'/>",
        "count": 11,
    }
    assert probe(archive.request(**request))["statistics"]["arrived"] == 11
    assert archive.chain.waiting(archive.out) == archive.chain.waiting(archive.chain.queue) == 0


def test_an_object_that_does_not_come_is_told_by_hop(archive: Archive, probe: Any) -> None:
    with pytest.raises(AwsError, match="did not reach bucket") as caught:
        probe(archive.request(timeout=2))
    assert caught.value.details["lost_at"] == "queue_to_consumer"
    archive.consume(lambda _body: None)
    with pytest.raises(AwsError, match="did not reach bucket") as caught:
        probe(archive.request(timeout=10))
    assert caught.value.details["lost_at"] == "consumer_to_bucket"


def make_everything(stack: Any, name: str, later: Callable[..., Any]) -> None:
    s3, ssm, secrets, kms, iam = map(stack.client, ("s3", "ssm", "secretsmanager", "kms", "iam"))
    make_bucket(s3, name, later)
    ssm.put_parameter(Name=f"/test/{name}", Value="hush-parameter", Type="SecureString")
    later(ssm.delete_parameter, Name=f"/test/{name}")
    ssm.put_parameter(Name=f"/test/plain/{name}", Value="seven", Type="String")
    later(ssm.delete_parameter, Name=f"/test/plain/{name}")
    secrets.create_secret(Name=name, SecretString="hush-secret")
    later(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    later(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    later(kms.delete_alias, AliasName=f"alias/{name}")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    later(iam.delete_role, RoleName=name)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(GRANT))["Policy"]["Arn"]
    later(iam.delete_policy, PolicyArn=policy)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    later(iam.detach_role_policy, RoleName=name, PolicyArn=policy)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(GRANT))
    later(iam.delete_role_policy, RoleName=name, PolicyName="own")


def make_bucket(s3: Any, name: str, later: Callable[..., Any]) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    later(s3.delete_bucket, Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [cors]})


def has_streams(clients: Clients) -> bool:
    """LocalStack's streams need kinesis-local, which it downloads when it is first asked for one; a node has no way out."""
    return bool(health_facts(str(clients.endpoint_url))["engine"] == "ministack")


def make_rich_table(dynamodb: Any, name: str, later: Callable[..., Any], stream: bool) -> None:
    kind = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"} if stream else {"StreamEnabled": False}
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("Id", "CreatedAt")],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=kind,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-time",
                "KeySchema": [{"AttributeName": "CreatedAt", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    later(dynamodb.delete_table, TableName=name)
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    ttl = {"Enabled": True, "AttributeName": "ExpiresAt"}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)


def test_all_kinds_are_read(stack: Any, clients: Clients, chain: Chain, name: str, later: Callable[..., Any]) -> None:
    chain.subscribe(FilterPolicy='{"kind": ["a"]}', RawMessageDelivery="true")
    make_everything(stack, name, later)
    make_rich_table(chain.dynamodb, f"{name}-rich", later, has_streams(clients))
    found = gather(clients, Query(SERVICES, names=[f"*{name}*"], parameter_values=True))
    assert found["errors"] == []
    assert "hush" not in json.dumps(found)
    assert_messaging(found, name)
    rich = found["tables"][1]
    assert [index["name"] for index in rich["global_indexes"]] == ["by-time"]
    assert rich["ttl"]["attribute"] == "ExpiresAt"
    assert (rich["stream"] or {}).get("view_type") == ("NEW_IMAGE" if has_streams(clients) else None)
    (bucket,) = found["buckets"]
    assert (bucket["region"], bucket["versioning"], bucket["encryption"]["algorithm"]) == (
        "eu-central-1",
        "Enabled",
        "AES256",
    )
    assert bucket["public_access_block"]["block_public_acls"] is True
    assert [rule["ID"] for rule in bucket["lifecycle"]] == ["old"]
    assert bucket["cors"][0]["AllowedMethods"] == ["GET"]
    assert [(one["type"], one["value"]) for one in found["parameters"]] == [("SecureString", None), ("String", "seven")]
    assert [secret["name"] for secret in found["secrets"]] == [name]
    assert [(key["aliases"], key["state"]) for key in found["keys"]] == [([name], "Enabled")]
    assert_identity(found, name)


def assert_messaging(found: dict[str, Any], name: str) -> None:
    (topic,) = found["topics"]
    (subscription,) = topic["subscriptions"]
    assert (subscription["filter_policy"], subscription["raw"]) == ({"kind": ["a"]}, True)
    queue, dead = found["queues"]
    assert (queue["name"], dead["name"], queue["redrive"]["dead_letter_queue"]) == (
        name,
        f"{name}-dead",
        f"{name}-dead",
    )
    assert [table["name"] for table in found["tables"]] == [name, f"{name}-rich"]


def assert_identity(found: dict[str, Any], name: str) -> None:
    (role,) = found["roles"]
    (policy,) = found["policies"]
    assert (role["trust"], policy["document"]) == (TRUST, GRANT)
    assert role["attached_policies"] == [policy["arn"]]
    assert role["inline_policies"] == {"own": GRANT}


def test_pages_are_read_to_the_end(stack: Any, clients: Clients, name: str, later: Callable[..., Any]) -> None:
    sns, ssm = stack.client("sns"), stack.client("ssm")
    for number in range(103):  # SNS lists 100 a page
        arn = sns.create_topic(Name=f"{name}-{number:03}")["TopicArn"]
        later(sns.delete_topic, TopicArn=arn)
    for number in range(53):  # SSM describes 50 a page at most
        ssm.put_parameter(Name=f"/{name}/{number:02}", Value="v", Type="String")
        later(ssm.delete_parameter, Name=f"/{name}/{number:02}")
    found = gather(clients, Query(("sns", "ssm"), names=[f"*{name}*"]))
    assert len({one["name"] for one in found["topics"]}) == 103
    assert len({one["name"] for one in found["parameters"]}) == 53
