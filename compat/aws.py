"""What the checks call AWS by: clients, names of their own, and what they made, which is removed at the end."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session

# So long a message or a record may take. Everything that waits for what must not come waits for QUIET_SECONDS.
ARRIVE_SECONDS = 15
QUIET_SECONDS = 2
STEP_SECONDS = 0.2
CONNECTIONS = 40


class Clients:
    """One client for each service, which all checks share."""

    def __init__(self, endpoint: str | None, region: str, attempts: int) -> None:
        self.endpoint, self.region = endpoint, region
        key = "test" if endpoint else None
        self._session: Any = boto3.Session(key, key, region_name=region)
        own: dict[str, Any] = {"s3": {"addressing_style": "path"}, "proxies": {}} if endpoint else {}
        self._config = Config(
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            **own,
        )
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, service: str) -> Any:
        """A service's client; made by one thread at a time, as boto3's sessions ask for."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._session.client(service, endpoint_url=self.endpoint, config=self._config)
            return self._made[service]

    def unchecked(self, service: str) -> Any:
        """A client that sends what boto3 would refuse itself."""
        with self._lock:
            config = self._config.merge(Config(parameter_validation=False))
            return self._session.client(service, endpoint_url=self.endpoint, config=config)

    def query(self, service: str, signed_for: str, body: Mapping[str, str]) -> bytes:
        """The answer to a request in the query protocol, which boto3 no longer speaks to every service that has it.

        C(signed_for): the service's name in signatures.
        """
        request = AWSRequest(
            method="POST",
            url=f"{self.get(service).meta.endpoint_url}/",
            data=urllib.parse.urlencode(body),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        SigV4Auth(self._session.get_credentials(), signed_for, self.region).add_auth(request)
        return bytes(URLLib3Session(proxies={} if self.endpoint else None).send(request.prepare()).content)

    def with_keys(self, service: str, access_key: str, secret_key: str, token: str | None = None) -> Any:
        """A client of another caller."""
        with self._lock:
            session: Any = boto3.Session(access_key, secret_key, token, self.region)
            return session.client(service, endpoint_url=self.endpoint, config=self._config)


class Aws:
    """One check's view of AWS."""

    def __init__(self, clients: Clients, account: str) -> None:
        self.clients, self.account, self.region = clients, account, clients.region
        self.prefix = f"compat-{uuid.uuid4().hex[:10]}"
        self._made = contextlib.ExitStack()
        self.left: list[str] = []

    def __getattr__(self, service: str) -> Any:
        return self.clients.get(service)

    def name(self, suffix: str = "a") -> str:
        return f"{self.prefix}-{suffix}"

    def clean(self) -> None:
        """Remove what was made, the last first. What can't be removed is in C(left)."""
        self._made.close()

    def afterwards(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Call this at the end. That it is gone already is fine."""

        def remove() -> None:
            try:
                call(**arguments)
            except (ClientError, BotoCoreError) as error:
                if not _is_gone(error):
                    self.left.append(f"{arguments}: {error}")

        self._made.callback(remove)

    # SQS

    def queue(self, suffix: str = "q", **attributes: Any) -> str:
        """A queue's URL."""
        given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
        url = self.sqs.create_queue(QueueName=self.name(suffix), Attributes=given)["QueueUrl"]
        self.afterwards(self.sqs.delete_queue, QueueUrl=url)
        return str(url)

    def fifo(self, suffix: str = "q", **attributes: Any) -> str:
        return self.queue(f"{suffix}.fifo", FifoQueue="true", **attributes)

    def queue_arn(self, url: str) -> str:
        return str(self.attributes(url, "QueueArn")["QueueArn"])

    def attributes(self, url: str, *names: str) -> dict[str, Any]:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"])
        return dict(answer.get("Attributes", {}))

    def receive(self, url: str, count: int = 1, seconds: float = ARRIVE_SECONDS, **more: Any) -> list[Any]:
        """Messages until there are C(count), or the time is over; they stay in the queue, hidden."""
        found: list[Any] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            wait = min(20, max(1, round(deadline - time.monotonic())))
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=wait,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
                **more,
            )
            found += answer.get("Messages", [])
        return found

    def take(self, url: str, count: int = 1, seconds: float = ARRIVE_SECONDS) -> list[str]:
        """Bodies of messages, which are deleted."""
        messages = self.receive(url, count, seconds)
        for one in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return [one["Body"] for one in messages]

    def quiet(self, url: str, seconds: float = QUIET_SECONDS) -> bool:
        """Whether no message comes."""
        return not self.receive(url, 1, seconds)

    # SNS

    def topic(self, suffix: str = "t", **attributes: str) -> str:
        """A topic's ARN."""
        arn = self.sns.create_topic(Name=self.name(suffix), Attributes=attributes)["TopicArn"]
        self.afterwards(self.sns.delete_topic, TopicArn=arn)
        return str(arn)

    def let_send(self, url: str, source: str, service: str = "sns") -> None:
        """Let a topic or rule send to a queue, as AWS asks for."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.queue_arn(url),
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def subscribe(self, topic: str, url: str, **attributes: Any) -> str:
        """A subscription's ARN; a queue's policy lets the topic send."""
        self.let_send(url, topic)
        given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
        arn = self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.queue_arn(url), Attributes=given, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        self.afterwards(self.sns.unsubscribe, SubscriptionArn=arn)
        return str(arn)

    # DynamoDB

    def table(self, suffix: str = "t", range_key: str | None = None, **more: Any) -> str:
        """The name of a table that is active; its hash key is `id`, a text."""
        name = self.name(suffix)
        keys = {"id": "HASH", **({range_key: "RANGE"} if range_key else {})}
        definitions = [{"AttributeName": key, "AttributeType": "S"} for key in keys] + more.pop("attributes", [])
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
            AttributeDefinitions=definitions,
            BillingMode=more.pop("billing", "PAY_PER_REQUEST"),
            **more,
        )
        self.afterwards(self.dynamodb.delete_table, TableName=name)
        self.until(lambda: self.described(name)["TableStatus"] == "ACTIVE", 60)
        return name

    def described(self, table: str) -> dict[str, Any]:
        return dict(self.dynamodb.describe_table(TableName=table)["Table"])

    def put(self, table: str, **item: Any) -> None:
        self.dynamodb.put_item(TableName=table, Item=typed(item))

    def item(self, table: str, **key: Any) -> dict[str, Any]:
        return dict(self.dynamodb.get_item(TableName=table, Key=typed(key), ConsistentRead=True).get("Item", {}))

    def records(self, stream: str, count: int = 1, seconds: float = ARRIVE_SECONDS) -> list[Any]:
        """Records of a table's stream from its begin, until there are C(count) or the time is over."""
        found: list[Any] = []

        def read() -> bool:
            found.clear()
            for shard in self.dynamodbstreams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
                found.extend(self._shard(stream, shard["ShardId"]))
            return len(found) >= count

        self.until(read, seconds)
        return found

    def _shard(self, stream: str, shard: str) -> list[Any]:
        place = {"StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.dynamodbstreams.get_shard_iterator(**place)["ShardIterator"]
        return list(self.dynamodbstreams.get_records(ShardIterator=iterator).get("Records", []))

    # S3

    def bucket(self, suffix: str = "b") -> str:
        name = self.name(suffix)
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region})
        self.afterwards(self.s3.delete_bucket, Bucket=name)
        self._made.callback(self._empty, name)
        return name

    def _empty(self, bucket: str) -> None:
        """Delete all versions and unfinished uploads."""
        with contextlib.suppress(ClientError, BotoCoreError):
            listed = self.s3.list_object_versions(Bucket=bucket)
            for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
                self.s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
            for upload in self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def body(self, bucket: str, key: str, **more: Any) -> bytes:
        return bytes(self.s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read())

    # Others

    def parameter(self, suffix: str = "p", value: str = "v", **more: Any) -> str:
        name = f"/{self.name(suffix)}"
        self.ssm.put_parameter(**{"Name": name, "Value": value, "Type": "String", **more})
        self.afterwards(self.ssm.delete_parameter, Name=name)
        return name

    def secret(self, suffix: str = "s", value: str = "v", **more: Any) -> str:
        name = self.name(suffix)
        self.secretsmanager.create_secret(Name=name, SecretString=value, **more)
        self.afterwards(self.secretsmanager.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
        return name

    def key(self, **more: Any) -> str:
        """The id of a key, which is scheduled for deletion at the end."""
        key = self.kms.create_key(**more)["KeyMetadata"]["KeyId"]
        self.afterwards(self.kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
        return str(key)

    def role(self, suffix: str = "r", **more: Any) -> str:
        """The name of a role that EC2 may take."""
        name = self.name(suffix)
        self.iam.create_role(
            **{"RoleName": name, "AssumeRolePolicyDocument": trust(Service="ec2.amazonaws.com"), **more}
        )
        self.afterwards(self.iam.delete_role, RoleName=name)
        return name

    def policy(self, suffix: str = "p", document: str | None = None, **more: Any) -> str:
        """A policy's ARN."""
        arn = self.iam.create_policy(PolicyName=self.name(suffix), PolicyDocument=document or allowing("sqs:*"), **more)
        self.afterwards(self.iam.delete_policy, PolicyArn=arn["Policy"]["Arn"])
        return str(arn["Policy"]["Arn"])

    def user(self, suffix: str = "u") -> tuple[str, str, str]:
        """A user without any permission, and its keys."""
        name = self.name(suffix)
        self.iam.create_user(UserName=name)
        self.afterwards(self.iam.delete_user, UserName=name)
        made = self.iam.create_access_key(UserName=name)["AccessKey"]
        self.afterwards(self.iam.delete_access_key, UserName=name, AccessKeyId=made["AccessKeyId"])
        return name, made["AccessKeyId"], made["SecretAccessKey"]

    def stream(self, suffix: str = "k", **more: Any) -> str:
        """The name of a Kinesis stream that is active."""
        name = self.name(suffix)
        self.kinesis.create_stream(StreamName=name, **(more or {"ShardCount": 1}))
        self.afterwards(self.kinesis.delete_stream, StreamName=name, EnforceConsumerDeletion=True)
        self.until(lambda: self.stream_summary(name)["StreamStatus"] == "ACTIVE", 60)
        return name

    def stream_summary(self, name: str) -> dict[str, Any]:
        return dict(self.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"])

    def bus(self, suffix: str = "bus") -> str:
        name = self.name(suffix)
        self.events.create_event_bus(Name=name)
        self.afterwards(self.events.delete_event_bus, Name=name)
        return name

    def rule(self, pattern: Mapping[str, Any], queue: str, bus: str | None = None, **target: Any) -> str:
        """The bus of a rule that sends what matches to a queue."""
        bus, name = bus or self.bus(), self.name("rule")
        arn = self.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
        self.afterwards(self.events.delete_rule, Name=name, EventBusName=bus)
        self.let_send(queue, arn, "events")
        goal = {"Id": "queue", "Arn": self.queue_arn(queue), **target}
        self.events.put_targets(Rule=name, EventBusName=bus, Targets=[goal])
        self.afterwards(self.events.remove_targets, Rule=name, EventBusName=bus, Ids=["queue"])
        return bus

    def send(self, bus: str, detail: Mapping[str, Any], source: str = "compat", kind: str = "made") -> Any:
        """Put one event; the answer."""
        event = {"EventBusName": bus, "Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
        return self.events.put_events(Entries=[event])

    def until(self, met: Callable[[], bool], seconds: float = ARRIVE_SECONDS) -> bool:
        """Whether a condition is met within the time."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not (is_met := met()) and time.monotonic() < deadline:
            pause.wait(STEP_SECONDS)
        return is_met


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB takes it: texts and whole numbers; a map is one that is typed already."""

    def one(value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return {"N": str(value)} if isinstance(value, int) else {"S": value}

    return {name: one(value) for name, value in item.items()}


def trust(**principal: Any) -> str:
    """A role's trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allowing(*actions: str, effect: str = "Allow", resource: str = "*") -> str:
    """A policy of IAM."""
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refused(call: Callable[..., Any], codes: str | Sequence[str], **arguments: Any) -> str | None:
    """None if AWS refuses a call with one of these errors; else what it does. Raises ClientError for an error of its own."""
    wanted = [codes] if isinstance(codes, str) else codes
    try:
        call(**arguments)
    except ClientError as error:
        if is_failure(error):
            raise
        code = code_of(error)
        return None if code in wanted else f"refused with {code} instead of {wanted[0]}"
    return "accepted"


def is_failure(error: ClientError) -> bool:
    """Whether this is an error of the service's own, which tells nothing of the request."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def code_of(error: ClientError) -> str:
    """An error's code as the documentation has it."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code.removeprefix("AWS.SimpleQueueService.").removesuffix("Exception") or "an error without a code"


def is_met(condition: Any, otherwise: str) -> str | None:
    """None if it is as it should be."""
    return None if condition else otherwise


def first(answers: Iterator[str | None]) -> str | None:
    """The first that is not as it should be."""
    return next((one for one in answers if one), None)


def _is_gone(error: Exception) -> bool:
    """Whether this says that nothing is left to remove."""
    code = code_of(error).lower() if isinstance(error, ClientError) else ""
    return any(
        word in code for word in ("notfound", "nosuch", "nonexistent", "doesnotexist", "entitynotexist", "invalidstate")
    )
