"""Day two, field by field: set, changed, taken out and set again, then changed and deleted outside Crossplane.

Many fields change in one run, as each run waits for the provider. What AWS has is read by boto3, not by our readers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.integration.test_declared import Tenant

ACCOUNT, REGION = "000000000000", "eu-central-1"
Aws = Callable[[str], Any]
Entry = dict[str, Any]
# What stands for a field that is left out.
OUT = object()


class Field(NamedTuple):
    """A field of an entry: its values in the first two stages, how AWS is asked, and what AWS says in all three."""

    entry: str
    name: str
    values: tuple[Any, Any]
    read: Callable[[Aws, str], Any]
    expected: tuple[Any, Any, Any]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def queue(attribute: str, suffix: str = "") -> Callable[[Aws, str], Any]:
    def read(aws: Aws, name: str) -> Any:
        sqs = aws("sqs")
        url = sqs.get_queue_url(QueueName=f"{name}{suffix}")["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get(attribute) or None

    return read


def topic(attribute: str) -> Callable[[Aws, str], Any]:
    return lambda aws, name: (
        aws("sns").get_topic_attributes(TopicArn=arn("sns", name))["Attributes"].get(attribute) or None
    )


def subscription(attribute: str) -> Callable[[Aws, str], Any]:
    def read(aws: Aws, name: str) -> Any:
        (one,) = aws("sns").list_subscriptions_by_topic(TopicArn=arn("sns", name))["Subscriptions"]
        known = aws("sns").get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        # SNS takes an empty filter for none; an emulator may keep it.
        return None if known.get(attribute) in ("", "{}") else known.get(attribute)

    return read


def topic_tags(aws: Aws, name: str) -> Any:
    listed = aws("sns").list_tags_for_resource(ResourceArn=arn("sns", name))["Tags"]
    others = ("crossplane-", "localcloud.dev/")
    return {one["Key"]: one["Value"] for one in listed if not one["Key"].startswith(others)}


def ttl(aws: Aws, name: str) -> Any:
    known = aws("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return known.get("AttributeName") if known["TimeToLiveStatus"] == "ENABLED" else None


def indexes(aws: Aws, name: str) -> Any:
    known = aws("dynamodb").describe_table(TableName=name)["Table"].get("GlobalSecondaryIndexes") or []
    return sorted(one["IndexName"] for one in known)


def rule(aws: Aws, name: str) -> Any:
    (one,) = aws("s3").get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    return one.get("Expiration", {}).get("Days"), one.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")


def cors(aws: Aws, name: str) -> Any:
    (one,) = aws("s3").get_bucket_cors(Bucket=name)["CORSRules"]
    # The provider always sends a number of seconds: 0 for none.
    return one.get("AllowedHeaders"), one.get("MaxAgeSeconds") or None


def parameter(aws: Aws, name: str) -> Any:
    return aws("ssm").get_parameter(Name=f"/{name}")["Parameter"]["Value"]


def parsed(read: Callable[[Aws, str], Any]) -> Callable[[Aws, str], Any]:
    def document(aws: Aws, name: str) -> Any:
        text = read(aws, name)
        return None if text is None else json.loads(text)

    return document


def senders(aws: Aws, name: str) -> Any:
    """Whether SNS may send, and what else is allowed."""
    document = parsed(queue("Policy"))(aws, name) or {"Statement": []}
    return sorted(one.get("Sid", "") for one in document["Statement"])


LIFECYCLE: Entry = {"id": "old", "prefix": "logs/", "noncurrent_expiration_days": 3}
CORS: Entry = {"allowed_origins": ["*"], "allowed_methods": ["GET"]}
CORS_SET: Entry = {**CORS, "allowed_headers": ["*"], "max_age_seconds": 5}
CORS_CHANGED: Entry = {**CORS, "allowed_headers": ["X"], "max_age_seconds": 6}
FILTERS = ({"flag": [1]}, {"flag": [True]})
INDEX = {"name": "by-A", "hash_key": {"name": "A", "type": "S"}}
FIELDS = [
    Field("topics", "display_name", ("Shown", "Other"), topic("DisplayName"), ("Shown", "Other", None)),
    Field("topics", "tags", ({"a": "x", "b": ""}, {"a": "y", "c": "z"}), topic_tags, ({"a": "x", "b": ""}, {"a": "y", "c": "z"}, {})),
    Field("queues", "visibility_timeout_seconds", (45, 46), queue("VisibilityTimeout"), ("45", "46", "30")),
    Field("queues", "message_retention_seconds", (86400, 86401), queue("MessageRetentionPeriod"), ("86400", "86401", "345600")),
    Field("queues", "delay_seconds", (7, 8), queue("DelaySeconds"), ("7", "8", "0")),
    Field("queues", "receive_wait_time_seconds", (5, 6), queue("ReceiveMessageWaitTimeSeconds"), ("5", "6", "0")),
    Field("queues", "max_message_size", (65536, 65537), queue("MaximumMessageSize"), ("65536", "65537", "262144")),
    Field("subscriptions", "raw_message_delivery", (True, True), subscription("RawMessageDelivery"), ("true", "true", "false")),
    Field("subscriptions", "filter_policy_scope", ("MessageBody", "MessageBody"), subscription("FilterPolicy"), (None, None, None)),
    Field("subscriptions", "filter_policy", FILTERS, parsed(subscription("FilterPolicy")), ({"flag": [1]}, {"flag": [True]}, None)),
    Field("tables", "ttl", ({"attribute": "A"}, {"attribute": "B"}), ttl, ("A", "B", None)),
    Field("tables", "global_indexes", ([INDEX], [{**INDEX, "name": "by-B"}]), indexes, (["by-A"], ["by-B"], [])),
    Field("buckets", "lifecycle", ([{**LIFECYCLE, "expiration_days": 9}], [{**LIFECYCLE, "expiration_days": 8}]), rule, ((9, 3), (8, 3), (None, 3))),
    Field("buckets", "cors", ([CORS_SET], [CORS_CHANGED]), cors, ((["*"], 5), (["X"], 6), (None, None))),
    Field("parameters", "value", ('["first","second"]', '["second","first"]'), parameter, ('["first","second"]', '["second","first"]', "[]")),
]  # fmt: skip
# Where a part of the field stays when the rest is taken out, or the entry needs it.
KEPT: Entry = {"lifecycle": [LIFECYCLE], "cors": [CORS], "value": "[]"}


def declared(name: str, stage: int) -> dict[str, Any]:
    """Everything in a stage: 0 set, 1 changed, 2 taken out."""
    entries: dict[str, Entry] = {
        "topics": {"name": name},
        "queues": {"name": name, **({"dead_letter": {"max_receive_count": 3 + stage}} if stage < 2 else {})},
        "subscriptions": {"topic": name, "queue": name},
        "tables": {"name": name, "hash_key": {"name": "Id", "type": "S"}, "deletion_protection": False},
        "buckets": {"name": name, "deletion_protection": False, "versioning": True},
        "parameters": {"name": f"/{name}"},
    }
    for field in FIELDS:
        value = field.values[stage] if stage < 2 else KEPT.get(field.name, OUT)
        if value is not OUT:
            entries[field.entry][field.name] = value
    return {f"aws_resources_{kind}": [entry] for kind, entry in entries.items()}


@pytest.fixture(scope="module")
def tenant(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path_factory.mktemp("changes"))
    yield one
    one.close()


def run(tenant: Tenant, *arguments: str, **settings: Any) -> Any:
    done = tenant.run(*arguments, aws_resources_timeout=300, **settings)
    assert done.code == 0, done.output
    return done


def assert_aws_has(tenant: Tenant, stage: int) -> None:
    aws, name = tenant.stack.client, tenant.name
    wrong = {
        f"{field.entry}.{field.name}": (found, field.expected[stage])
        for field in FIELDS
        if field.name != "filter_policy_scope" and (found := field.read(aws, name)) != field.expected[stage]
    }
    assert wrong == {}
    assert senders(aws, name) == ["TopicsSend"]
    dead = parsed(queue("RedrivePolicy"))(aws, name)
    expected = None if stage == 2 else {"deadLetterTargetArn": arn("sqs", f"{name}-dlq"), "maxReceiveCount": 3 + stage}
    assert dead == expected


@pytest.mark.parametrize("stage", [0, 1, 2, 0], ids=["set", "changed", "taken out", "set again"])
def test_each_stage_reaches_aws_and_is_no_change_afterwards(tenant: Tenant, stage: int) -> None:
    settings = declared(tenant.name, stage)
    predicted = tenant.run("--check", **settings)
    done = run(tenant, **settings)
    assert (predicted.changed != []) is (done.changed != []) is True
    assert_aws_has(tenant, stage)
    again = run(tenant, **settings)
    assert again.changed == [], again.result["difference"]["report"]


@contextmanager
def paused(tenant: Tenant) -> Iterator[None]:
    """The provider leaves these resources alone, which it may look at at any time after a change."""
    kinds = ("queues.sqs", "topics.sns", "parameters.ssm", "bucketlifecycleconfigurations.s3")
    names = [f"{kind}.aws.upbound.io/{tenant.name}" for kind in kinds]

    def annotate(annotation: str) -> None:
        for one in names:
            tenant.stack.kubectl("annotate", "--overwrite", one, annotation)

    annotate("crossplane.io/paused=true")
    for one in names:
        tenant.stack.kubectl(
            "wait",
            "--timeout=60s",
            "--for=jsonpath={.status.conditions[?(@.type=='Synced')].reason}=ReconcilePaused",
            one,
        )
    try:
        yield
    finally:
        annotate("crossplane.io/paused-")


def change_by_hand(aws: Aws, name: str) -> None:
    sqs, sns, s3 = aws("sqs"), aws("sns"), aws("s3")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "99", "RedrivePolicy": ""})
    sns.set_topic_attributes(TopicArn=arn("sns", name), AttributeName="DisplayName", AttributeValue="By hand")
    sns.untag_resource(ResourceArn=arn("sns", name), TagKeys=["b"])
    everything = {"ID": "old", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 9}}
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={"Rules": [{**everything, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}]},
    )
    aws("ssm").put_parameter(Name=f"/{name}", Value="[]", Overwrite=True)


def test_what_is_changed_outside_crossplane_is_named_and_repaired(tenant: Tenant) -> None:
    aws, name = tenant.stack.client, tenant.name
    settings = declared(name, 0)
    with paused(tenant):
        change_by_hand(aws, name)
        checked = tenant.run(entry="check", **settings)
        predicted = tenant.run("--check", **settings)
    assert checked.code != 0
    assert predicted.changed != []
    parts = ["visibilityTimeoutSeconds", "redrivePolicy", "displayName", "tags.b", "insecureValue", "rule[0].filter"]
    assert [part for part in parts if part not in checked.output] == [], checked.output
    run(tenant, **settings)
    assert_aws_has(tenant, 0)
    assert run(tenant, **settings).changed == []


def test_what_is_deleted_outside_crossplane_comes_back_whole(tenant: Tenant) -> None:
    aws, name = tenant.stack.client, tenant.name
    settings = declared(name, 0)
    aws("sns").delete_topic(TopicArn=arn("sns", name))
    aws("sqs").delete_queue(QueueUrl=aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])
    aws("dynamodb").delete_table(TableName=name)
    aws("ssm").delete_parameter(Name=f"/{name}")
    aws("s3").delete_bucket_cors(Bucket=name)
    checked = tenant.run(entry="check", **settings)
    assert checked.code != 0
    for kind in ("Topic", "Queue", "Table", "Parameter", "BucketCorsConfiguration"):
        assert f"{kind}/" in checked.output
    assert run(tenant, **settings).changed != []
    assert_aws_has(tenant, 0)
    assert run(tenant, **settings).changed == []


def test_what_aws_cannot_change_back_is_refused_at_once(tenant: Tenant) -> None:
    """The same table, made again with another key."""
    aws, name = tenant.stack.client, tenant.name
    settings = declared(name, 0)
    dynamodb = aws("dynamodb")
    dynamodb.delete_table(TableName=name)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Other", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Other", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "crossplane-name", "Value": name}],
    )
    try:
        refused = tenant.run(**settings)
        assert (refused.code != 0, refused.changed) == (True, []), refused.output
        assert "Nothing was changed" in refused.output
    finally:
        dynamodb.delete_table(TableName=name)
