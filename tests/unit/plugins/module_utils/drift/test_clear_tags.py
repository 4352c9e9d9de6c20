"""Tags that the provider leaves in AWS because another one has an empty value: which are to go, and that they go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY, CLIENTS
from ansible_collections.localcloud.stack.plugins.module_utils.drift.clear import (
    Setting,
    clear,
    is_known,
    tags_to_clear,
)
from moto import mock_aws

ARN = "arn:aws:sns:eu-central-1:000000000000:orders"
OWNED = {"f:tags": {".": {}, "f:team": {}, "f:more": {}}}
AWS = {"tags": {"team": "a", "more": "c", "added-by-others": "x"}}
LIST = [{"Key": "team", "Value": "a"}, {"Key": "more", "Value": "c"}]
MAP = {one["Key"]: one["Value"] for one in LIST}
ASSUMED = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
ALLOWED = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
Json = dict[str, Any]


def as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in tags}


def rules(client: Any) -> str:
    return str(client.put_rule(Name="orders", ScheduleExpression="rate(1 day)", Tags=LIST)["RuleArn"])


def queue(client: Any) -> str:
    client.create_queue(QueueName="orders", tags=MAP)
    return "arn:aws:sqs:eu-central-1:123456789012:orders"


def bucket(client: Any) -> str:
    client.create_bucket(Bucket="orders", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_tagging(Bucket="orders", Tagging={"TagSet": LIST})
    return "arn:aws:s3:::orders"


def parameter(name: str) -> Callable[[Any], str]:
    def make(client: Any) -> str:
        client.put_parameter(Name=name, Value="v", Type="String", Tags=LIST)
        return f"arn:aws:ssm:eu-central-1:123456789012:parameter/{name.removeprefix('/')}"

    return make


def table(client: Any) -> str:
    key = {
        "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "S"}],
    }
    made = client.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", Tags=LIST, **key)
    return str(made["TableDescription"]["TableArn"])


def stream(client: Any) -> str:
    client.create_stream(StreamName="orders", ShardCount=1)
    client.add_tags_to_stream(StreamName="orders", Tags=MAP)
    return "arn:aws:kinesis:eu-central-1:123456789012:stream/orders"


def group(client: Any) -> str:
    client.create_log_group(logGroupName="/orders", tags=MAP)
    return "arn:aws:logs:eu-central-1:123456789012:log-group:/orders"


def alarm(client: Any) -> str:
    client.put_metric_alarm(
        AlarmName="orders", MetricName="m", Namespace="n", ComparisonOperator="GreaterThanThreshold", Threshold=1,
        EvaluationPeriods=1, Period=60, Statistic="Sum", Tags=LIST,
    )  # fmt: skip
    return "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders"


# By kind: how it is made with two tags (its ARN), and how its tags are read.
CASES: dict[str, tuple[Callable[[Any], str], Callable[[Any, str], dict[str, str]]]] = {
    "sns/Topic": (
        lambda sns: str(sns.create_topic(Name="orders", Tags=LIST)["TopicArn"]),
        lambda sns, arn: as_map(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    ),
    "sqs/Queue": (queue, lambda sqs, arn: dict(sqs.list_queue_tags(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"])["Tags"])),
    "dynamodb/Table": (table, lambda dynamodb, arn: as_map(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])),
    "s3/Bucket": (bucket, lambda s3, arn: as_map(s3.get_bucket_tagging(Bucket="orders")["TagSet"])),
    "ssm/Parameter": (
        parameter("/orders/a"),
        lambda ssm, arn: as_map(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/orders/a")["TagList"]),
    ),
    "secretsmanager/Secret": (
        lambda secrets: str(secrets.create_secret(Name="orders", SecretString="s", Tags=LIST)["ARN"]),
        lambda secrets, arn: as_map(secrets.describe_secret(SecretId=arn)["Tags"]),
    ),
    "kms/Key": (
        lambda kms: str(kms.create_key(Tags=[{"TagKey": key, "TagValue": value} for key, value in MAP.items()])["KeyMetadata"]["Arn"]),
        lambda kms, arn: {one["TagKey"]: one["TagValue"] for one in kms.list_resource_tags(KeyId=arn)["Tags"]},
    ),
    "iam/Role": (
        lambda iam: str(iam.create_role(RoleName="orders", Path="/a/", AssumeRolePolicyDocument=ASSUMED, Tags=LIST)["Role"]["Arn"]),
        lambda iam, arn: as_map(iam.list_role_tags(RoleName="orders")["Tags"]),
    ),
    "iam/Policy": (
        lambda iam: str(iam.create_policy(PolicyName="orders", PolicyDocument=ALLOWED, Tags=LIST)["Policy"]["Arn"]),
        lambda iam, arn: as_map(iam.list_policy_tags(PolicyArn=arn)["Tags"]),
    ),
    "iam/User": (
        lambda iam: str(iam.create_user(UserName="orders", Path="/a/", Tags=LIST)["User"]["Arn"]),
        lambda iam, arn: as_map(iam.list_user_tags(UserName="orders")["Tags"]),
    ),
    "iam/InstanceProfile": (
        lambda iam: str(iam.create_instance_profile(InstanceProfileName="orders", Tags=LIST)["InstanceProfile"]["Arn"]),
        lambda iam, arn: as_map(iam.get_instance_profile(InstanceProfileName="orders")["InstanceProfile"]["Tags"]),
    ),
    "iam/OpenIDConnectProvider": (
        lambda iam: str(
            iam.create_open_id_connect_provider(Url="https://orders.example", ThumbprintList=["0" * 40], Tags=LIST)["OpenIDConnectProviderArn"]
        ),
        lambda iam, arn: as_map(iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"]),
    ),
    "cloudwatchevents/Rule": (rules, lambda events, arn: as_map(events.list_tags_for_resource(ResourceARN=arn)["Tags"])),
    "cloudwatchevents/Bus": (
        lambda events: str(events.create_event_bus(Name="orders", Tags=LIST)["EventBusArn"]),
        lambda events, arn: as_map(events.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    ),
    "kinesis/Stream": (stream, lambda kinesis, arn: as_map(kinesis.list_tags_for_stream(StreamName="orders")["Tags"])),
    "cloudwatchlogs/Group": (group, lambda logs, arn: dict(logs.list_tags_log_group(logGroupName="/orders")["tags"])),
    "cloudwatch/MetricAlarm": (alarm, lambda cloudwatch, arn: as_map(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])),
    "ecr/Repository": (
        lambda ecr: str(ecr.create_repository(repositoryName="orders", tags=LIST)["repository"]["repositoryArn"]),
        lambda ecr, arn: as_map(ecr.list_tags_for_resource(resourceArn=arn)["tags"]),
    ),
}  # fmt: skip


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Clients(Connection(region="eu-central-1", access_key="test", secret_key="test"))


@pytest.mark.parametrize(
    ("wanted", "owned", "arn", "expected"),
    [
        ({"team": "a", "empty": ""}, OWNED, ARN, ["tags.more"]),
        ({"empty": ""}, OWNED, ARN, ["tags.team", "tags.more"]),
        # The provider takes them away itself.
        ({"team": "a"}, OWNED, ARN, []),
        ({}, OWNED, ARN, []),
        # Never declared by us.
        ({"team": "a", "empty": ""}, {"f:tags": {"f:team": {}}}, ARN, []),
        ({"team": "a", "more": ""}, OWNED, ARN, []),
        ({"team": "a", "empty": ""}, OWNED, "", []),
    ],
)  # fmt: skip
def test_which_tags_are_to_go(wanted: dict[str, str], owned: Json, arn: str, expected: list[str]) -> None:
    found = tags_to_clear({"tags": wanted}, owned, "sns/Topic", arn, "eu-central-1", AWS)
    assert [one.field for one in found] == expected
    assert {(one.kind, one.name, one.region) for one in found} <= {("sns/Topic", arn, "eu-central-1")}


def test_each_kind_with_tags_has_a_way() -> None:
    tagged = {key for key, kind in BY_KEY.items() if "tags" in kind.compare}
    assert tagged == CASES.keys()
    assert all(is_known(kind, "tags.more") for kind in tagged)


@pytest.mark.parametrize("kind", CASES)
def test_one_tag_goes_and_the_others_stay(kind: str, clients: Clients) -> None:
    make, read = CASES[kind]
    client = clients.get(CLIENTS[kind.split("/", maxsplit=1)[0]], "eu-central-1")
    arn = make(client)
    setting = Setting(kind, arn, "eu-central-1", "tags.more")
    assert clear(clients, [setting], check_mode=True) == [setting]
    assert read(client, arn) == MAP
    assert clear(clients, [setting], check_mode=False) == [setting]
    assert read(client, arn) == {"team": "a"}


def test_the_name_of_a_parameter_without_a_path_has_no_slash(clients: Clients) -> None:
    ssm = clients.get("ssm", "eu-central-1")
    arn = parameter("orders")(ssm)
    clear(clients, [Setting("ssm/Parameter", arn, "eu-central-1", "tags.more")], check_mode=False)
    assert as_map(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="orders")["TagList"]) == {"team": "a"}
