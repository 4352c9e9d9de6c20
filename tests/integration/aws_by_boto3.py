"""What AWS has of the resources in every_field.yml, and their removal, by boto3 alone: it shares nothing with the role's readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

ACCOUNT, REGION = "000000000000", "eu-central-1"
Aws = Callable[[str], Any]


class Field(NamedTuple):
    """How AWS is asked for a field, and what it says where the field is set, changed and taken out."""

    name: str
    read: Callable[[Aws, str], Any]
    expected: tuple[Any, Any, Any]


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def url(aws: Aws, name: str) -> str:
    found: str = aws("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return found


def queue(attribute: str) -> Callable[[Aws, str], Any]:
    def read(aws: Aws, name: str) -> Any:
        known = aws("sqs").get_queue_attributes(QueueUrl=url(aws, name), AttributeNames=["All"])["Attributes"]
        return known.get(attribute) or None

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


def lifecycle(suffix: str) -> Callable[[Aws, str], Any]:
    """Days until an object goes, and until an old version does, by rule."""

    def read(aws: Aws, name: str) -> Any:
        try:
            rules = aws("s3").get_bucket_lifecycle_configuration(Bucket=f"{name}{suffix}")["Rules"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
                raise
            return {}
        return {
            one["ID"]: (
                one.get("Expiration", {}).get("Days"),
                one.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
            )
            for one in rules
        }

    return read


def cors(aws: Aws, name: str) -> Any:
    (one,) = aws("s3").get_bucket_cors(Bucket=f"{name}-items")["CORSRules"]
    # The provider always sends a number of seconds: 0 for none.
    return one.get("AllowedHeaders"), one.get("MaxAgeSeconds") or None


def parameter(aws: Aws, name: str) -> Any:
    return aws("ssm").get_parameter(Name=f"/{name}/plain")["Parameter"]["Value"]


def parsed(read: Callable[[Aws, str], Any]) -> Callable[[Aws, str], Any]:
    def document(aws: Aws, name: str) -> Any:
        text = read(aws, name)
        return None if text is None else json.loads(text)

    return document


def statements(aws: Aws, name: str) -> Any:
    document = parsed(queue("Policy"))(aws, name) or {"Statement": []}
    return sorted(one.get("Sid", "") for one in document["Statement"])


def dead_letters(aws: Aws, name: str) -> Any:
    redrive = parsed(queue("RedrivePolicy"))(aws, name)
    return redrive and (
        redrive["deadLetterTargetArn"].rpartition(":")[2].removeprefix(name),
        redrive["maxReceiveCount"],
    )


def alias(aws: Aws, name: str) -> Any:
    key = aws("kms").describe_key(KeyId=f"alias/{name}-a")["KeyMetadata"]["KeyId"]
    return aws("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


FIRST_TAGS, SECOND_TAGS = {"team": "a", "empty": ""}, {"team": "b", "more": "c"}
PARAMETER = ('["first","second"]', '["second","first"]')
FIELDS = [
    Field("topic's display name", topic("DisplayName"), ("Shown", "Other", None)),
    Field("topic's tags", topic_tags, (FIRST_TAGS, SECOND_TAGS, {})),
    Field("queue's visibility", queue("VisibilityTimeout"), ("45", "46", "30")),
    Field("queue's retention", queue("MessageRetentionPeriod"), ("86400", "86401", "345600")),
    Field("queue's delay", queue("DelaySeconds"), ("7", "8", "0")),
    Field("queue's wait", queue("ReceiveMessageWaitTimeSeconds"), ("5", "6", "0")),
    Field("queue's message size", queue("MaximumMessageSize"), ("65536", "65537", "262144")),
    Field("queue's dead letters", dead_letters, (("-dlq", 3), ("-dlq", 4), None)),
    Field(
        "queue's policy",
        statements,
        (["Own", "RulesSend", "TopicsSend"], ["Own", "RulesSend", "TopicsSend"], ["TopicsSend"]),
    ),
    Field("subscription's raw delivery", subscription("RawMessageDelivery"), ("true", "true", "false")),
    Field(
        "subscription's filter",
        parsed(subscription("FilterPolicy")),
        ({"flag": [1]}, {"flag": [True], "other": [{"prefix": "x"}]}, None),
    ),
    Field("table's TTL", ttl, ("A", "B", None)),
    Field("table's indexes", indexes, (["by-A"], ["by-B"], [])),
    Field("bucket's rules", lifecycle(""), ({"old": (9, 3)}, {"old": (8, None), "uploads": (None, None)}, {})),
    Field("a part of a rule", lifecycle("-items"), ({"old": (9, 3)}, {"old": (8, 3)}, {"old": (None, 3)})),
    Field("a part of CORS", cors, ((["*"], 5), (["X"], 6), (None, None))),
    Field("parameter's order", parameter, (PARAMETER[0], *PARAMETER)),
    # Without a word, a symmetric key is rotated.
    Field("key's rotation", alias, (True, False, True)),
]


def wrong(aws: Aws, name: str, stage: int) -> dict[str, tuple[Any, Any]]:
    """What AWS has, and should have, where that differs in this stage."""
    return {
        field.name: (found, field.expected[stage])
        for field in FIELDS
        if (found := field.read(aws, name)) != field.expected[stage]
    }


def delete_everything(aws: Aws, name: str, lists: set[str]) -> None:
    """Take away in AWS what is in these lists, but for keys, which AWS only schedules for deletion."""
    for kind, act in DELETE.items():
        if kind in lists:
            act(aws, name)


def _delete_queues(aws: Aws, name: str) -> None:
    for one in (name, f"{name}-dlq", f"{name}-lost"):
        aws("sqs").delete_queue(QueueUrl=url(aws, one))


def _delete_table(aws: Aws, name: str) -> None:
    aws("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    aws("dynamodb").delete_table(TableName=name)


def _delete_buckets(aws: Aws, name: str) -> None:
    for one in (name, f"{name}-items"):
        aws("s3").delete_bucket(Bucket=one)


def _delete_parameters(aws: Aws, name: str) -> None:
    aws("ssm").delete_parameters(Names=[f"/{name}/plain", f"/{name}/list"])


def _delete_role(aws: Aws, name: str) -> None:
    iam = aws("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for one in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=one["PolicyArn"])
    iam.delete_role(RoleName=name)


def _delete_user(aws: Aws, name: str) -> None:
    iam = aws("iam")
    for one in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=name, PolicyArn=one["PolicyArn"])
    iam.delete_user(UserName=name)


def _delete_profile(aws: Aws, name: str) -> None:
    iam = aws("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)


def _delete_oidc_provider(aws: Aws, name: str) -> None:
    listed = aws("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    (found,) = [one["Arn"] for one in listed if f"/{name}.example" in one["Arn"]]
    aws("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=found)


def _rules(aws: Aws, name: str) -> Iterator[tuple[str, str]]:
    """The rules by name and bus."""
    yield name, name
    yield f"{name}-nightly", "default"


def _delete_rules(aws: Aws, name: str) -> None:
    events = aws("events")
    for rule, bus in _rules(aws, name):
        targets = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        if targets:
            events.remove_targets(Rule=rule, EventBusName=bus, Ids=[one["Id"] for one in targets])
        events.delete_rule(Name=rule, EventBusName=bus)


DELETE: dict[str, Callable[[Aws, str], Any]] = {
    "topics": lambda aws, name: aws("sns").delete_topic(TopicArn=arn("sns", name)),
    "queues": _delete_queues,
    "tables": _delete_table,
    "buckets": _delete_buckets,
    "parameters": _delete_parameters,
    "secrets": lambda aws, name: aws("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True),
    "instance_profiles": _delete_profile,
    "roles": _delete_role,
    "users": _delete_user,
    "policies": lambda aws, name: aws("iam").delete_policy(PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{name}"),
    "oidc_providers": _delete_oidc_provider,
    "event_rules": _delete_rules,
    "event_buses": lambda aws, name: aws("events").delete_event_bus(Name=name),
    "streams": lambda aws, name: aws("kinesis").delete_stream(StreamName=name),
    "log_groups": lambda aws, name: aws("logs").delete_log_group(logGroupName=f"/{name}"),
    "alarms": lambda aws, name: aws("cloudwatch").delete_alarms(AlarmNames=[name]),
}


def unprotect(aws: Aws, name: str) -> None:
    """A table that a stage that failed may have left protected, or not there."""
    with suppress(ClientError):
        aws("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
