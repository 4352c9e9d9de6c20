# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each reader against moto: what was made is read back in the words of forProvider, and what was not made is None."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import boto3
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import (
    ExternalResource,
    Observed,
    made_by_crossplane,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info.collect import gather
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import CLIENTS, ENTRIES, READERS
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.kinds import KINDS
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.observe import Aws
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import differences
from ansible_collections.localcloud.stack.plugins.module_utils.drift.observe import observable, observe
from moto import mock_aws

SERVICES = (*sorted(set(CLIENTS.values())), "sts")
REGION = {"region": "eu-central-1"}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*"}],
    }
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
TAGS = [{"Key": "team", "Value": "blue"}]
EVERY_FIELD = yaml.safe_load((Path(__file__).parents[1] / "fixtures/aws_resources_every_field.yml").read_text())


def declared_fields():
    """By kind, the fields of forProvider that the lists can declare, references by what they become."""
    objects, problems = derive(EVERY_FIELD, Target("eu-central-1"))
    assert problems == []
    found = {}
    for one in objects:
        fields = {
            name if name.endswith("SecretRef") else name.removesuffix("Ref") for name in one["spec"]["forProvider"]
        }
        found.setdefault(f"{one['apiVersion'].split('.')[0]}/{one['kind']}", set()).update(fields)
    return found


DECLARED = declared_fields()


@pytest.fixture(scope="module")
def aws():
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        clients = Clients(Connection(region="eu-central-1", access_key="test", secret_key="test"))
        for service in SERVICES:
            clients.get(service)
        yield (
            clients,
            {
                **messages(clients),
                **data(clients),
                **storage(clients),
                **access(clients),
                **events(clients),
                **watching(clients),
            },
        )


def messages(clients):
    sns, sqs = clients.get("sns"), clients.get("sqs")
    topic = sns.create_topic(Name="orders", Attributes={"DisplayName": "Orders"}, Tags=TAGS)["TopicArn"]
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "45"}, tags={"team": "blue"})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    dead = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    policy = json.loads(DOCUMENT)
    policy["Statement"][0] |= {"Resource": arn, "Principal": "*"}
    source = sqs.create_queue(
        QueueName="source",
        Attributes={"RedrivePolicy": dead, "Policy": json.dumps(policy)},
    )["QueueUrl"]
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": '{"kind": ["order"]}'},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    sqs.create_queue(QueueName="orders.fifo", Attributes=fifo)
    return {
        "sns/Topic": (
            ExternalResource("sns/Topic", "orders", REGION),
            {"displayName": "Orders", "tags": {"team": "blue"}},
        ),
        "sns/TopicSubscription": (
            ExternalResource("sns/TopicSubscription", subscription, REGION),
            {"protocol": "sqs", "endpoint": arn, "rawMessageDelivery": True, "filterPolicy": '{"kind":["order"]}'},
        ),
        "sqs/Queue": (
            ExternalResource("sqs/Queue", url, {**REGION, "name": "orders"}),
            {"visibilityTimeoutSeconds": 45, "tags": {"team": "blue"}, "fifoQueue": False},
        ),
        "sqs/QueuePolicy": (
            ExternalResource("sqs/QueuePolicy", source, {"queueUrl": source}),
            {"policy": json.dumps(policy)},
        ),
        "sqs/QueueRedrivePolicy": (
            ExternalResource("sqs/QueueRedrivePolicy", source, {"queueUrl": source}),
            {"redrivePolicy": dead},
        ),
        "sqs/QueueRedriveAllowPolicy": (
            ExternalResource("sqs/QueueRedriveAllowPolicy", source, {"queueUrl": source}),
            {},
        ),
    }


def data(clients):
    dynamodb = clients.get("dynamodb")
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("id", "at", "who", "total")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-who",
                "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-total",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "total", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["state"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=TAGS,
    )
    dynamodb.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    dynamodb.update_continuous_backups(
        TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    table = {
        "hashKey": "id",
        "rangeKey": "at",
        "attribute": [{"name": one, "type": "S"} for one in ("who", "at", "id", "total")],
        "billingMode": "PAY_PER_REQUEST",
        "globalSecondaryIndex": [{"name": "by-who", "hashKey": "who", "projectionType": "ALL"}],
        "localSecondaryIndex": [
            {"name": "by-total", "rangeKey": "total", "projectionType": "INCLUDE", "nonKeyAttributes": ["state"]}
        ],
        "serverSideEncryption": [{"enabled": True}],
        "streamEnabled": True,
        "streamViewType": "NEW_IMAGE",
        "ttl": [{"attributeName": "expires", "enabled": True}],
        "pointInTimeRecovery": [{"enabled": True}],
        "tags": {"team": "blue"},
    }
    ssm, secrets, kms = clients.get("ssm"), clients.get("secretsmanager"), clients.get("kms")
    ssm.put_parameter(
        Name="/orders/limit",
        Value="5",
        Type="String",
        Tags=TAGS,
        Description="Most",
        AllowedPattern=r"\d",
        DataType="text",
    )
    secret = secrets.create_secret(Name="orders", SecretString="hush", Description="Key", Tags=TAGS)["ARN"]
    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=DENY)
    policy = json.loads(DOCUMENT)
    policy["Statement"][0] |= {"Principal": "*", "Action": "kms:*"}
    key = kms.create_key(
        Description="Orders",
        Tags=[{"TagKey": "team", "TagValue": "blue"}],
        Policy=json.dumps(policy),
        MultiRegion=True,
    )["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key)
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    return {
        "dynamodb/Table": (ExternalResource("dynamodb/Table", "orders", table), table),
        "ssm/Parameter": (
            ExternalResource("ssm/Parameter", "/orders/limit", {}),
            {
                "type": "String",
                "insecureValue": "5",
                "tags": {"team": "blue"},
                "description": "Most",
                "allowedPattern": r"\d",
                "dataType": "text",
            },
        ),
        "secretsmanager/Secret": (
            ExternalResource("secretsmanager/Secret", "orders", {"name": "orders"}),
            {"description": "Key", "tags": {"team": "blue"}},
        ),
        "secretsmanager/SecretPolicy": (
            ExternalResource("secretsmanager/SecretPolicy", "p", {"secretArn": secret}),
            {"policy": DENY},
        ),
        "secretsmanager/SecretVersion": (
            ExternalResource("secretsmanager/SecretVersion", "v", {"secretId": "orders"}),
            {},
        ),
        "kms/Key": (
            ExternalResource("kms/Key", key, {}),
            {
                "description": "Orders",
                "enableKeyRotation": True,
                "multiRegion": True,
                "policy": json.dumps(policy),
                "tags": {"team": "blue"},
            },
        ),
        "kms/Alias": (ExternalResource("kms/Alias", "orders", {}), {"targetKeyId": key}),
    }


def storage(clients):
    s3 = clients.get("s3")
    s3.create_bucket(Bucket="orders", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_tagging(Bucket="orders", Tagging={"TagSet": TAGS})
    s3.put_bucket_versioning(Bucket="orders", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket="orders",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket="orders", PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
    s3.put_bucket_lifecycle_configuration(
        Bucket="orders",
        LifecycleConfiguration={
            "Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}]
        },
    )
    s3.put_bucket_cors(
        Bucket="orders",
        CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 60}]},
    )
    policy = json.loads(DOCUMENT)
    policy["Statement"][0] |= {"Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*"}
    s3.put_bucket_policy(Bucket="orders", Policy=json.dumps(policy))
    parts = {
        "Versioning": {"versioningConfiguration": [{"status": "Enabled"}]},
        "ServerSideEncryptionConfiguration": {
            "rule": [{"applyServerSideEncryptionByDefault": [{"sseAlgorithm": "AES256"}]}]
        },
        "PublicAccessBlock": {
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        "LifecycleConfiguration": {
            "rule": [{"id": "old", "status": "Enabled", "filter": [{"prefix": "tmp/"}], "expiration": [{"days": 7}]}]
        },
        "CorsConfiguration": {"corsRule": [{"allowedMethods": ["GET"], "allowedOrigins": ["*"], "maxAgeSeconds": 60}]},
        "Policy": {"policy": json.dumps(policy)},
    }
    return {
        "s3/Bucket": (ExternalResource("s3/Bucket", "orders", REGION), {"tags": {"team": "blue"}}),
        **{
            f"s3/Bucket{one}": (ExternalResource(f"s3/Bucket{one}", "x", {"bucket": "orders"}), fields)
            for one, fields in parts.items()
        },
    }


def access(clients):
    iam = clients.get("iam")
    iam.create_role(RoleName="orders", AssumeRolePolicyDocument=TRUST, Description="Orders", Tags=TAGS)
    iam.put_role_permissions_boundary(RoleName="orders", PermissionsBoundary=BOUNDARY)
    iam.put_role_policy(RoleName="orders", PolicyName="inline", PolicyDocument=DOCUMENT)
    arn = iam.create_policy(PolicyName="orders", PolicyDocument=DOCUMENT, Tags=TAGS)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="orders", PolicyArn=arn)
    iam.create_user(UserName="orders", Path="/shop/", Tags=TAGS)
    iam.attach_user_policy(UserName="orders", PolicyArn=arn)
    key = iam.create_access_key(UserName="orders")["AccessKey"]["AccessKeyId"]
    iam.create_instance_profile(InstanceProfileName="orders", Path="/shop/", Tags=TAGS)
    iam.add_role_to_instance_profile(InstanceProfileName="orders", RoleName="orders")
    issuer = {"Url": "https://oidc.example/orders", "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": ["a" * 40]}
    oidc = iam.create_open_id_connect_provider(**issuer, Tags=TAGS)["OpenIDConnectProviderArn"]
    return {
        "iam/User": (
            ExternalResource("iam/User", "orders", {}),
            {"path": "/shop/", "tags": {"team": "blue"}},
        ),
        "iam/UserPolicyAttachment": (
            ExternalResource("iam/UserPolicyAttachment", "x", {"user": "orders", "policyArn": arn}),
            {},
        ),
        "iam/AccessKey": (ExternalResource("iam/AccessKey", key, {"user": "orders"}), {"status": "Active"}),
        "iam/InstanceProfile": (
            ExternalResource("iam/InstanceProfile", "orders", {}),
            {"path": "/shop/", "role": "orders", "tags": {"team": "blue"}},
        ),
        "iam/OpenIDConnectProvider": (
            ExternalResource("iam/OpenIDConnectProvider", oidc, {}),
            {
                "url": "https://oidc.example/orders",
                "clientIdList": ["sts.amazonaws.com"],
                "thumbprintList": ["a" * 40],
                "tags": {"team": "blue"},
            },
        ),
        "iam/Role": (
            ExternalResource("iam/Role", "orders", {}),
            {
                "assumeRolePolicy": TRUST,
                "description": "Orders",
                "permissionsBoundary": BOUNDARY,
                "tags": {"team": "blue"},
            },
        ),
        "iam/RolePolicy": (ExternalResource("iam/RolePolicy", "inline", {"role": "orders"}), {"policy": DOCUMENT}),
        "iam/RolePolicyAttachment": (
            ExternalResource("iam/RolePolicyAttachment", "x", {"role": "orders", "policyArn": arn}),
            {},
        ),
        "iam/Policy": (ExternalResource("iam/Policy", "orders", {}), {"policy": DOCUMENT, "tags": {"team": "blue"}}),
    }


def events(clients):
    client = clients.get("events")
    client.create_event_bus(Name="orders", Tags=TAGS)
    pattern = '{"source": ["shop"]}'
    client.put_rule(
        Name="orders", EventBusName="orders", EventPattern=pattern, State="DISABLED", Description="All", Tags=TAGS
    )
    queue = "arn:aws:sqs:eu-central-1:123456789012:orders"
    client.put_targets(
        Rule="orders",
        EventBusName="orders",
        Targets=[
            {
                "Id": "orders",
                "Arn": queue,
                "InputPath": "$.detail",
                "DeadLetterConfig": {"Arn": queue},
                "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60},
            }
        ],
    )
    return {
        "cloudwatchevents/Bus": (
            ExternalResource("cloudwatchevents/Bus", "orders", REGION),
            {"tags": {"team": "blue"}},
        ),
        "cloudwatchevents/Rule": (
            ExternalResource("cloudwatchevents/Rule", "orders", {**REGION, "eventBusName": "orders"}),
            {"eventPattern": pattern, "state": "DISABLED", "description": "All", "tags": {"team": "blue"}},
        ),
        "cloudwatchevents/Target": (
            ExternalResource(
                "cloudwatchevents/Target", "x", {"eventBusName": "orders", "rule": "orders", "targetId": "orders"}
            ),
            {
                "arn": queue,
                "inputPath": "$.detail",
                "deadLetterConfig": [{"arn": queue}],
                "retryPolicy": [{"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 60}],
            },
        ),
    }


def watching(clients):
    kinesis, logs, cloudwatch, ecr = (clients.get(one) for one in ("kinesis", "logs", "cloudwatch", "ecr"))
    kinesis.create_stream(StreamName="orders", ShardCount=2)
    kinesis.add_tags_to_stream(StreamName="orders", Tags={"team": "blue"})
    kinesis.increase_stream_retention_period(StreamName="orders", RetentionPeriodHours=48)
    logs.create_log_group(logGroupName="orders-more")
    logs.create_log_group(logGroupName="orders", tags={"team": "blue"})
    logs.put_retention_policy(logGroupName="orders", retentionInDays=30)
    alarm = {
        "metricName": "Age",
        "namespace": "AWS/SQS",
        "statistic": "Maximum",
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 0.5,
        "period": 60,
        "evaluationPeriods": 3,
        "treatMissingData": "notBreaching",
        "okActions": ["arn:aws:sns:eu-central-1:123456789012:orders"],
    }
    given = {
        ("OKActions" if name == "okActions" else name[0].upper() + name[1:]): value for name, value in alarm.items()
    }
    dimensions = [{"Name": "QueueName", "Value": "orders"}]
    cloudwatch.put_metric_alarm(AlarmName="orders", Dimensions=dimensions, Tags=TAGS, **given)
    ecr.create_repository(repositoryName="orders", imageTagMutability="IMMUTABLE", tags=TAGS)
    count = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}
    policy = json.dumps({"rules": [{"rulePriority": 1, "selection": count, "action": {"type": "expire"}}]})
    ecr.put_lifecycle_policy(repositoryName="orders", lifecyclePolicyText=policy)
    return {
        "kinesis/Stream": (
            ExternalResource("kinesis/Stream", "orders", REGION),
            {
                "shardCount": 2,
                "retentionPeriod": 48,
                "streamModeDetails": [{"streamMode": "PROVISIONED"}],
                "tags": {"team": "blue"},
            },
        ),
        "cloudwatchlogs/Group": (
            ExternalResource("cloudwatchlogs/Group", "orders", REGION),
            {"retentionInDays": 30, "tags": {"team": "blue"}},
        ),
        "cloudwatch/MetricAlarm": (
            ExternalResource("cloudwatch/MetricAlarm", "orders", REGION),
            {**alarm, "dimensions": {"QueueName": "orders"}, "tags": {"team": "blue"}},
        ),
        "ecr/Repository": (
            ExternalResource("ecr/Repository", "orders", REGION),
            {"imageTagMutability": "IMMUTABLE", "tags": {"team": "blue"}},
        ),
        "ecr/LifecyclePolicy": (
            ExternalResource("ecr/LifecyclePolicy", "x", {"repository": "orders"}),
            {"policy": policy},
        ),
    }


# moto drops this attribute of a queue; tests/integration reads it from the engines.
@pytest.mark.parametrize("kind", sorted(READERS.keys() - {"sqs/QueueRedriveAllowPolicy"}))
def test_what_was_made_is_read_back(aws, kind):
    clients, made = aws
    resource, expected = made[kind]
    (found,) = observe(clients, [resource]).found
    assert found is not None
    assert expected.keys() <= found.keys()
    assert differences(expected, found, observed=True) == []


@pytest.mark.parametrize("kind", sorted(READERS))
def test_what_was_not_made_is_none(aws, kind):
    clients, made = aws
    resource, _expected = made[kind]
    other = {name: str(value).replace("orders", "others") for name, value in resource.parameters.items()}
    name = resource.external_name.replace("orders", "others").replace("source", "others")
    if kind == "kms/Key":
        name = "00000000-0000-0000-0000-000000000000"
    if kind.startswith("sqs/"):
        other = {"queueUrl": "http://sqs/0/others", "name": "others"}
    assert observe(clients, [ExternalResource(kind, name, {**other, **REGION})]).found == [None]


# Read by a test below.
UNTOLD_BY_MOTO = {"kms/Key": {"rotationPeriodInDays"}}


@pytest.mark.parametrize("kind", [one for one in KINDS if one.entry], ids=lambda kind: kind.key)
def test_what_is_declared_is_read_or_named_as_unread(aws, kind):
    clients, made = aws
    resource, _expected = made[kind.key]
    (found,) = observe(clients, [resource]).found
    read = {*found, *kind.found_by, "region"} | UNTOLD_BY_MOTO.get(kind.key, set())
    assert DECLARED[kind.key] - read == kind.unobserved.keys()
    assert not kind.unobserved.keys() & read
    assert all(kind.unobserved.values())


@pytest.mark.parametrize("name", ENTRIES)
def test_every_field_of_an_entry_is_among_those(name):
    given = {field for entry in EVERY_FIELD[name] for field in entry}
    assert given == set(ENTRIES[name].model_fields)


# Kind, the list of localstack_info's facts, and which fact says the same as which field.
SAID_TWICE = [
    (
        "sns/Topic",
        "topics",
        {
            "display_name": "displayName",
            "fifo": "fifoTopic",
            "content_based_deduplication": "contentBasedDeduplication",
        },
    ),
    (
        "sqs/Queue",
        "queues",
        {
            "name": "name",
            "fifo": "fifoQueue",
            "delay_seconds": "delaySeconds",
            "receive_wait_seconds": "receiveWaitTimeSeconds",
            "max_message_bytes": "maxMessageSize",
            "visibility_timeout": "visibilityTimeoutSeconds",
            "retention_seconds": "messageRetentionSeconds",
            "deduplication_scope": "deduplicationScope",
            "throughput_limit": "fifoThroughputLimit",
        },
    ),
    ("dynamodb/Table", "tables", {"billing_mode": "billingMode", "deletion_protection": "deletionProtectionEnabled"}),
    ("ssm/Parameter", "parameters", {"type": "type", "description": "description", "tier": "tier", "kms_key": "keyId"}),
    ("secretsmanager/Secret", "secrets", {"name": "name", "description": "description", "kms_key": "kmsKeyId"}),
    (
        "kms/Key",
        "keys",
        {
            "description": "description",
            "usage": "keyUsage",
            "spec": "customerMasterKeySpec",
            "multi_region": "multiRegion",
            "rotation": "enableKeyRotation",
        },
    ),
    ("iam/Role", "roles", {"path": "path", "description": "description", "max_session_seconds": "maxSessionDuration"}),
    ("iam/Policy", "policies", {"path": "path"}),
]


@pytest.mark.parametrize(("kind", "listed", "same"), SAID_TWICE, ids=[kind for kind, _listed, _same in SAID_TWICE])
def test_facts_and_comparison_agree(aws, kind, listed, same):
    """What localstack_info tells of the same resource is what is compared."""
    clients, made = aws
    (found,) = observe(clients, [made[kind][0]]).found
    service = kind.split("/")[0]
    facts = gather(clients, Query((service,), names=["orders", "/orders/limit"]))[listed]
    (one,) = facts
    assert {fact: one[fact] for fact in same} == {fact: found[field] for fact, field in same.items()}


def test_attributes_of_fifo_queues_are_read(aws):
    clients, _made = aws
    (found,) = observe(clients, [ExternalResource("sqs/Queue", "orders.fifo", REGION)]).found
    assert (found["deduplicationScope"], found["fifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


@pytest.mark.parametrize(
    ("described", "fields"),
    [
        ({}, {"tableClass": "STANDARD", "serverSideEncryption": [{"enabled": False, "kmsKeyArn": None}]}),
        ({"TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"}}, {"tableClass": "STANDARD_INFREQUENT_ACCESS"}),
        # An emulator that leaves the summary out, and has no capacity either.
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 0}}, {"billingMode": "PAY_PER_REQUEST"}),
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 2}}, {"billingMode": "PROVISIONED", "readCapacity": 2}),
    ],
)  # fmt: skip
def test_what_a_table_does_not_tell_is_what_aws_means_by_that(described, fields):
    table = {"TableArn": "arn", "AttributeDefinitions": [], "KeySchema": [], **described}
    found = read("dynamodb/Table", {"describe_table": {"Table": table}}, {"tags": {}})
    assert {name: found[name] for name in fields} == fields


def test_a_bucket_whose_encryption_says_nothing_is_read():
    answer = {"ServerSideEncryptionConfiguration": {"Rules": [{"BucketKeyEnabled": False}]}}
    kind = "s3/BucketServerSideEncryptionConfiguration"
    for one, rules in ((answer, 1), ({"ServerSideEncryptionConfiguration": {}}, 0), ({}, 0)):
        assert len(read(kind, {"get_bucket_encryption": one}, {"bucket": "b"})["rule"]) == rules


@pytest.mark.parametrize("spec", ["RSA_2048", "HMAC_256"])
def test_kms_is_not_asked_how_a_key_rotates_that_can_not(spec):
    answer = {"KeyMetadata": {"KeySpec": spec, "KeyState": "Enabled"}}
    found = read("kms/Key", {"describe_key": answer}, {"description": ""})
    assert found["enableKeyRotation"] is False


@pytest.mark.parametrize(
    ("declared", "read_as"), [("Intelligent-Tiering", "Intelligent-Tiering"), ("Standard", "Advanced")]
)
def test_a_tier_that_aws_chooses_itself_is_no_difference(declared, read_as):
    answers = {"get_parameter": {"Parameter": {}}, "describe_parameters": {"Parameters": [{"Tier": "Advanced"}]}}
    assert read("ssm/Parameter", answers, {"tier": declared})["tier"] == read_as


def test_a_parameter_takes_no_further_request_for_what_is_not_declared():
    assert read("ssm/Parameter", {"get_parameter": {"Parameter": {"Type": "String"}}}, {"type": "String"})


class Answers:
    """A client that knows these answers and no others, but that nothing has tags."""

    def __init__(self, answers):
        self.answers = {"list_tags_for_resource": {}, "list_tags_of_resource": {}, "list_resource_tags": {}, **answers}
        self.exceptions = type("Exceptions", (), {"ClientError": RuntimeError})

    def can_paginate(self, operation):
        return False

    def __getattr__(self, operation):
        return lambda **_arguments: self.answers[operation]


def read(kind, answers, declared):
    """What a reader makes of these answers."""
    aws = type("Aws", (), {"get": lambda self, service: Answers(answers)})()
    return READERS[kind](aws, ExternalResource(kind, "name", declared, frozenset(declared)))


def test_what_has_no_name_yet_is_not_observed(aws):
    clients, _made = aws
    unnamed = ExternalResource("kms/Key", "", {})
    assert not observable(unnamed)
    assert observe(clients, [unnamed, ExternalResource("ec2/Instance", "i-1", {})]) == Observed(
        [{}, {}], sorted({unnamed.kind, "ec2/Instance"})
    )


def test_a_thing_takes_what_the_cluster_has_resolved():
    declared = {
        "apiVersion": "s3.aws.upbound.io/v1beta1",
        "kind": "BucketVersioning",
        "metadata": {"name": "orders"},
        "spec": {"forProvider": {"bucketRef": {"name": "orders"}}},
    }
    assert not observable(ExternalResource.of(declared, None))
    live = {"spec": {"forProvider": {"bucket": "orders-bucket"}}, "metadata": {}}
    assert observable(ExternalResource.of(declared, live))
    assert ExternalResource.of(declared, live).parameters["bucket"] == "orders-bucket"


def test_values_of_secrets_are_not_read(aws):
    clients, made = aws
    found = observe(clients, [made["secretsmanager/Secret"][0], made["secretsmanager/SecretVersion"][0]]).found
    assert "hush" not in str(found)


def test_crossplanes_tags_say_whose_it_is():
    obj = {"kind": "Topic", "metadata": {"name": "orders"}}
    tags = {"crossplane-name": "orders", "crossplane-kind": "topic.sns.aws.upbound.io"}
    assert made_by_crossplane({"tags": tags}, obj)
    assert not made_by_crossplane({"tags": {**tags, "crossplane-name": "other"}}, obj)
    assert not made_by_crossplane({}, obj)


def test_each_thing_is_looked_for_in_its_own_region(aws):
    clients, _made = aws
    clients.get("ssm", "us-east-1").put_parameter(Name="elsewhere", Value="x", Type="String")
    clients.get("sns", "us-east-1").create_topic(Name="elsewhere", Attributes={"DisplayName": "There"})
    there = {"region": "us-east-1"}
    resources = [
        ExternalResource("ssm/Parameter", "elsewhere", there),
        ExternalResource("ssm/Parameter", "elsewhere", REGION),
    ]
    resources += [ExternalResource("sns/Topic", "elsewhere", there), ExternalResource("sns/Topic", "elsewhere", {})]
    found = observe(clients, resources).found
    assert [one is not None for one in found] == [True, False, True, False]
    assert found[2]["displayName"] == "There"


def test_an_inline_policy_whose_role_is_not_known_yet_is_not_observed():
    assert not observable(ExternalResource("iam/RolePolicy", "inline", {}))


def test_tags_are_read_to_the_last_page(aws):
    """DynamoDB gives ten at once."""
    clients, made = aws
    dynamodb = clients.get("dynamodb")
    arn = dynamodb.describe_table(TableName="orders")["Table"]["TableArn"]
    more = [{"Key": f"t{number:02}", "Value": "x"} for number in range(30)]
    dynamodb.tag_resource(ResourceArn=arn, Tags=more)
    try:
        (found,) = observe(clients, [made["dynamodb/Table"][0]]).found
    finally:
        dynamodb.untag_resource(ResourceArn=arn, TagKeys=[one["Key"] for one in more])
    assert {one["Key"] for one in more} <= found["tags"].keys()


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}, {"filter": [{"prefix": ""}], "expiration": [{"days": 1}]}),
        (
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
            {"filter": [{"tag": [{"key": "a", "value": "b"}]}], "expiration": [{"expiredObjectDeleteMarker": True}]},
        ),
        (
            {
                "Filter": {"And": {"Prefix": "x/", "Tags": [{"Key": "a", "Value": "b"}]}},
                "NoncurrentVersionTransitions": [{"NoncurrentDays": 9, "StorageClass": "GLACIER"}],
            },
            {
                "filter": [{"and": [{"prefix": "x/", "tags": {"a": "b"}}]}],
                "noncurrentVersionTransition": [{"noncurrentDays": 9, "storageClass": "GLACIER"}],
            },
        ),
    ],
)  # fmt: skip
def test_lifecycle_rules_are_read_with_their_filter_and_all_actions(aws, rule, read):
    clients, _made = aws
    clients.get("s3").create_bucket(Bucket="rules", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    try:
        clients.get("s3").put_bucket_lifecycle_configuration(
            Bucket="rules", LifecycleConfiguration={"Rules": [{"ID": "one", "Status": "Enabled", **rule}]}
        )
        kind = "s3/BucketLifecycleConfiguration"
        (found,) = observe(clients, [ExternalResource(kind, "x", {"bucket": "rules", **REGION})]).found
    finally:
        clients.get("s3").delete_bucket(Bucket="rules")
    assert differences({"rule": [{"id": "one", **read}]}, found, observed=True) == []
    everything = {"rule": [{"id": "one", "filter": [{"prefix": "", "tag": [], "and": []}]}]}
    narrower = read["filter"] != [{"prefix": ""}]
    assert bool(differences(everything, found, observed=True)) == narrower


def test_a_subscription_that_its_topic_does_not_list_is_gone():
    """Of a topic that was deleted: LocalStack 4.14 goes on telling its attributes, also where the topic is there again."""
    arn = "arn:aws:sns:eu-central-1:000000000000:orders"

    class Sns:
        exceptions = boto3.client("sns", "eu-central-1").exceptions
        listed: ClassVar[list] = [{"SubscriptionArn": f"{arn}:1"}]

        def get_subscription_attributes(self, **_arguments):
            return {"Attributes": {"TopicArn": arn, "Protocol": "sqs"}}

        def can_paginate(self, operation):
            return False

        def list_subscriptions_by_topic(self, **arguments):
            asked.append(arguments["TopicArn"])
            return {"Subscriptions": self.listed}

    def read(*names):
        aws = Aws(SimpleNamespace(region="eu-central-1", get=lambda *_service: Sns()))
        return [
            READERS["sns/TopicSubscription"](aws, ExternalResource("sns/TopicSubscription", one, REGION))
            for one in names
        ]

    asked = []
    assert [one and one["protocol"] for one in read(f"{arn}:1", f"{arn}:2")] == ["sqs", None]
    assert asked == [arn], "a topic is asked once"
