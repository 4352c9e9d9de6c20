"""The role aws_resources alone: one of every kind with most of its options, really there, unchanged by a second run, removed.

Scenario `default` does so with cluster-scoped kinds, `existing` with namespaced ones.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PLAYBOOK = Path(__file__).parent / "resources.yml"
NAME = "localcloud-test"
ACCOUNT = "000000000000"
REGION = "eu-central-1"
SECRETS = {"password": "pa55word", "database": "da7abase"}
Play = Callable[..., str]


def changed(output: str) -> int:
    """How many tasks have changed something."""
    (count,) = re.findall(r"changed=(\d+)", output)
    return int(count)


@pytest.fixture(scope="module")
def play(request: pytest.FixtureRequest, stack: Any) -> Iterator[Play]:
    """Run the playbook and return what it prints; the resources go with the tests."""
    namespace = f"{NAME}-resources"
    stack.kubectl("create", "namespace", namespace)
    values = [f"--from-literal={key}={value}" for key, value in SECRETS.items()]
    stack.kubectl("-n", namespace, "create", "secret", "generic", NAME, *values)

    states: list[str] = []

    def run(state: str = "present") -> str:
        states.append(state)
        settings = {
            "test_kubeconfig": stack.facts["kubeconfig"],
            "test_context": stack.facts["context"],
            "test_namespace": namespace,
            "test_state": state,
            "aws_resources_scope": request.config.getoption("--scope"),
            "aws_resources_timeout": 400,
        }
        command = ["ansible-playbook", str(PLAYBOOK), "-e", json.dumps(settings)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        yield run
    finally:
        if states[-1:] != ["absent"]:
            run("absent")
        stack.kubectl("delete", "namespace", namespace, "--wait")


@pytest.fixture(scope="module")
def first(play: Play) -> str:
    """What the first run prints. It has waited until all are Ready."""
    return play()


@pytest.fixture
def aws(first: str, stack: Any) -> Callable[[str], Any]:
    """Clients for what the first run has made."""
    assert changed(first) == 1
    return stack.client


def queue_attributes(aws: Callable[[str], Any], name: str) -> dict[str, Any]:
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def test_no_secret_is_printed(first: str) -> None:
    assert not any(value in first for value in SECRETS.values())


def test_a_second_run_changes_nothing(first: str, play: Play) -> None:
    assert changed(play()) == 0


def test_topics(aws: Callable[[str], Any]) -> None:
    sns = aws("sns")
    orders, steps = arn("sns", f"{NAME}-orders"), arn("sns", f"{NAME}-steps.fifo")
    attributes = sns.get_topic_attributes(TopicArn=orders)["Attributes"]
    assert (attributes["DisplayName"], attributes["KmsMasterKeyId"]) == ("Orders", f"alias/{NAME}/data")
    tags = {one["Key"]: one["Value"] for one in sns.list_tags_for_resource(ResourceArn=orders)["Tags"]}
    assert {"project": NAME, "stage": "orders"}.items() <= tags.items()
    attributes = sns.get_topic_attributes(TopicArn=steps)["Attributes"]
    assert (attributes["FifoTopic"], attributes["ContentBasedDeduplication"]) == ("true", "true")


def test_subscriptions(aws: Callable[[str], Any]) -> None:
    sns = aws("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=arn("sns", f"{NAME}-orders"))["Subscriptions"]
    arns = {one["Endpoint"].rpartition(":")[2]: one["SubscriptionArn"] for one in listed}
    found = {name: sns.get_subscription_attributes(SubscriptionArn=one)["Attributes"] for name, one in arns.items()}
    billing, audit = found[f"{NAME}-billing"], found[f"{NAME}-audit"]
    assert json.loads(billing["FilterPolicy"]) == {
        "event": ["paid", {"prefix": "refund"}],
        "amount": [{"numeric": [">=", 100]}],
    }
    assert billing["RawMessageDelivery"] == "true"
    assert json.loads(billing["RedrivePolicy"]) == {"deadLetterTargetArn": arn("sqs", f"{NAME}-lost")}
    assert json.loads(audit["FilterPolicy"]) == {"order": {"country": ["DE", "AT"]}}
    assert audit["FilterPolicyScope"] == "MessageBody"


def test_queues(aws: Callable[[str], Any]) -> None:
    billing = queue_attributes(aws, f"{NAME}-billing")
    expected = {
        "VisibilityTimeout": "45",
        "MessageRetentionPeriod": "86400",
        "DelaySeconds": "1",
        "ReceiveMessageWaitTimeSeconds": "5",
        "MaximumMessageSize": "65536",
    }
    assert {name: billing[name] for name in expected} == expected
    derived, own = json.loads(billing["Policy"])["Statement"]
    assert derived["Condition"] == {"ArnEquals": {"aws:SourceArn": [arn("sns", f"{NAME}-orders")]}}
    assert own["Sid"] == "Own"
    redrive = json.loads(billing["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (arn("sqs", f"{NAME}-billing-dlq"), 3)


def test_dead_letter_queues(aws: Callable[[str], Any]) -> None:
    for name, source in ((f"{NAME}-billing-dlq", f"{NAME}-billing"), (f"{NAME}-lost", f"{NAME}-audit")):
        assert json.loads(queue_attributes(aws, name)["RedriveAllowPolicy"]) == {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [arn("sqs", source)],
        }
    assert queue_attributes(aws, f"{NAME}-steps-dlq.fifo")["FifoQueue"] == "true"
    assert queue_attributes(aws, f"{NAME}-billing-dlq")["MessageRetentionPeriod"] == "1209600"


def test_what_fails_goes_to_the_dead_letter_queue(aws: Callable[[str], Any], eventually: Callable[..., Any]) -> None:
    """A message that is filtered in, then received too often."""
    sqs = aws("sqs")
    source, lost = (sqs.get_queue_url(QueueName=f"{NAME}-{one}")["QueueUrl"] for one in ("billing", "billing-dlq"))
    attributes = {
        "event": {"DataType": "String", "StringValue": "refund-1"},
        "amount": {"DataType": "Number", "StringValue": "120"},
    }
    refused = {**attributes, "event": {"DataType": "String", "StringValue": "created"}}
    for message, wanted in (("refused", refused), ("wanted", attributes)):
        aws("sns").publish(TopicArn=arn("sns", f"{NAME}-orders"), Message=message, MessageAttributes=wanted)

    def receive(url: str) -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, WaitTimeSeconds=0)
        return [one["Body"] for one in answer.get("Messages", [])]

    seen: list[str] = []

    def failed() -> list[str]:
        seen.extend(receive(source))
        return receive(lost)

    assert eventually(failed) == ["wanted"]
    assert set(seen) == {"wanted"}


def test_fifo_queues(aws: Callable[[str], Any]) -> None:
    steps = queue_attributes(aws, f"{NAME}-steps.fifo")
    assert (steps["FifoQueue"], steps["ContentBasedDeduplication"]) == ("true", "true")
    assert (steps["DeduplicationScope"], steps["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


def test_tables(aws: Callable[[str], Any]) -> None:
    dynamodb = aws("dynamodb")
    table = dynamodb.describe_table(TableName=f"{NAME}_Orders")["Table"]
    assert {one["AttributeName"]: one["KeyType"] for one in table["KeySchema"]} == {"Id": "HASH", "At": "RANGE"}
    indexes = {one["IndexName"]: one for one in table["GlobalSecondaryIndexes"]}
    assert sorted(indexes) == ["by-customer", "by-state"]
    assert indexes["by-customer"]["Projection"]["ProjectionType"] == "INCLUDE"
    assert sorted(indexes["by-customer"]["Projection"]["NonKeyAttributes"]) == ["State", "Total"]
    assert indexes["by-state"]["Projection"]["ProjectionType"] == "KEYS_ONLY"
    assert [one["IndexName"] for one in table["LocalSecondaryIndexes"]] == ["by-total"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    ttl = dynamodb.describe_time_to_live(TableName=f"{NAME}_Orders")["TimeToLiveDescription"]
    assert (ttl["AttributeName"], ttl["TimeToLiveStatus"]) == ("Until", "ENABLED")
    backups = dynamodb.describe_continuous_backups(TableName=f"{NAME}_Orders")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    provisioned = dynamodb.describe_table(TableName=f"{NAME}_Provisioned")["Table"]["ProvisionedThroughput"]
    assert (provisioned["ReadCapacityUnits"], provisioned["WriteCapacityUnits"]) == (2, 3)


def test_buckets(aws: Callable[[str], Any]) -> None:
    s3, files = aws("s3"), {"Bucket": f"{NAME}-files"}
    assert s3.get_bucket_versioning(**files)["Status"] == "Enabled"
    assert s3.get_bucket_versioning(Bucket=f"{NAME}-plain")["Status"] == "Suspended"
    (rule,) = s3.get_bucket_encryption(**files)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": arn("kms", f"alias/{NAME}/data"),
    }
    assert rule["BucketKeyEnabled"] is True
    block = s3.get_public_access_block(**files)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    block = s3.get_public_access_block(Bucket=f"{NAME}-plain")["PublicAccessBlockConfiguration"]
    assert [name for name, value in block.items() if not value] == ["RestrictPublicBuckets"]
    rules = {one["ID"]: one for one in s3.get_bucket_lifecycle_configuration(**files)["Rules"]}
    assert rules["old"]["Filter"]["Prefix"] == "logs/"
    assert rules["old"]["Expiration"]["Days"] == 30
    assert rules["old"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    assert rules["old"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2
    both = rules["cold"]["Filter"]["And"]
    assert (both["Prefix"], both["Tags"]) == ("archive/", [{"Key": "class", "Value": "cold"}])
    assert rules["cold"]["Transitions"][0]["StorageClass"] == "GLACIER"
    assert rules["tagged"]["Status"] == "Disabled"
    (cors,) = s3.get_bucket_cors(**files)["CORSRules"]
    assert (cors["AllowedOrigins"], sorted(cors["AllowedMethods"])) == (["https://shop.example"], ["GET", "PUT"])
    assert cors["MaxAgeSeconds"] == 600
    (statement,) = json.loads(s3.get_bucket_policy(**files)["Policy"])["Statement"]
    assert statement["Sid"] == "OnlyTls"
    tags = {one["Key"]: one["Value"] for one in s3.get_bucket_tagging(**files)["TagSet"]}
    assert {"project": NAME, "stage": "test"}.items() <= tags.items()


def test_parameters(aws: Callable[[str], Any]) -> None:
    ssm = aws("ssm")
    names = [f"/{NAME}/{one}" for one in ("url", "regions", "password")]
    found = {one["Name"]: one for one in ssm.get_parameters(Names=names, WithDecryption=True)["Parameters"]}
    assert [found[name]["Type"] for name in names] == ["String", "StringList", "SecureString"]
    values = [found[name]["Value"] for name in names]
    assert values == ["https://shop.example/?a=1&b=2", "eu-central-1,eu-west-1", SECRETS["password"]]


def test_secrets(aws: Callable[[str], Any]) -> None:
    manager = aws("secretsmanager")
    assert manager.get_secret_value(SecretId=f"{NAME}/database")["SecretString"] == SECRETS["database"]
    described = manager.describe_secret(SecretId=f"{NAME}/database")
    assert described["Description"] == "The database's password"
    assert described["KmsKeyId"]
    policy = json.loads(manager.get_resource_policy(SecretId=f"{NAME}/database")["ResourcePolicy"])
    assert policy["Statement"][0]["Sid"] == "Read"
    # MiniStack gives it a first version without a value, AWS and LocalStack none.
    with suppress(manager.exceptions.ResourceNotFoundException):
        assert "SecretString" not in manager.get_secret_value(SecretId=f"{NAME}/empty")


def test_keys(aws: Callable[[str], Any]) -> None:
    kms = aws("kms")
    key = kms.describe_key(KeyId=f"alias/{NAME}/data")["KeyMetadata"]
    assert (key["Description"], key["KeyState"]) == ("For the data of the test", "Enabled")
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True


def test_roles_and_policies(aws: Callable[[str], Any]) -> None:
    iam = aws("iam")
    policy = f"arn:aws:iam::{ACCOUNT}:policy/{NAME}/{NAME}-read"
    assert iam.get_policy(PolicyArn=policy)["Policy"]["Path"] == f"/{NAME}/"
    role = iam.get_role(RoleName=f"{NAME}-irsa")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}
    assert statement["Condition"]["StringEquals"][f"{issuer}:sub"] == "system:serviceaccount:shop:api"
    assert role["MaxSessionDuration"] == 7200
    attached = iam.list_attached_role_policies(RoleName=f"{NAME}-irsa")["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [policy]
    inline = iam.get_role_policy(RoleName=f"{NAME}-irsa", PolicyName="send")["PolicyDocument"]
    assert inline["Statement"][0]["Action"] == "sqs:SendMessage"
    pods = iam.get_role(RoleName=f"{NAME}-pods")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert pods["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert iam.get_user(UserName=f"{NAME}-extra")["User"]["Path"] == f"/{NAME}/"


def test_users_issuers_and_instance_profiles(aws: Callable[[str], Any], stack: Any) -> None:
    iam = aws("iam")
    attached = iam.list_attached_user_policies(UserName=f"{NAME}-deploy")["AttachedPolicies"]
    assert {one["PolicyName"] for one in attached} == {f"{NAME}-read", "ReadOnlyAccess"}
    (key,) = iam.list_access_keys(UserName=f"{NAME}-deploy")["AccessKeyMetadata"]
    secret = json.loads(
        stack.kubectl("-n", f"{NAME}-resources", "get", "secret", f"{NAME}-access-key", "-o", "jsonpath={.data}")
    )
    assert base64.b64decode(secret["username"]).decode() == key["AccessKeyId"]
    assert len(base64.b64decode(secret["password"])) == 40
    issuer = iam.get_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{NAME}.example/id/ABC"
    )
    assert issuer["ClientIDList"] == ["sts.amazonaws.com"]
    profile = iam.get_instance_profile(InstanceProfileName=f"{NAME}-worker")["InstanceProfile"]
    assert [one["RoleName"] for one in profile["Roles"]] == [f"{NAME}-lambda"]


def test_everything_is_removed(aws: Callable[[str], Any], play: Play, stack: Any) -> None:
    """Last, as the other tests look at what it takes away. Objects in a bucket don't keep an emulator's from going."""
    aws("s3").put_object(Bucket=f"{NAME}-files", Key="left", Body=b"behind")
    play("absent")
    assert stack.kubectl("get", "managed", "-A", "-l", f"localcloud.dev/owner={NAME}", "-o", "name") == ""
    assert [one for one in aws("sns").list_topics()["Topics"] if NAME in one["TopicArn"]] == []
    assert aws("sqs").list_queues(QueueNamePrefix=NAME).get("QueueUrls", []) == []
    assert [one for one in aws("dynamodb").list_tables()["TableNames"] if NAME in one] == []
    assert [one for one in aws("s3").list_buckets()["Buckets"] if NAME in one["Name"]] == []
    assert [one for one in aws("ssm").describe_parameters()["Parameters"] if NAME in one["Name"]] == []
    assert [one for one in aws("secretsmanager").list_secrets()["SecretList"] if NAME in one["Name"]] == []
    assert [one for one in aws("kms").list_aliases()["Aliases"] if NAME in one["AliasName"]] == []
    iam = aws("iam")
    assert [one for one in iam.list_roles()["Roles"] if NAME in one["RoleName"]] == []
    assert [one for one in iam.list_policies(Scope="Local")["Policies"] if NAME in one["PolicyName"]] == []
    assert [one for one in iam.list_users()["Users"] if NAME in one["UserName"]] == []
    assert [one for one in iam.list_instance_profiles()["InstanceProfiles"] if NAME in one["InstanceProfileName"]] == []
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert [one for one in listed if NAME in one["Arn"]] == []
