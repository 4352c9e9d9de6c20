"""Every service that the blueprints use works in the emulator, and localstack_info sees what is made there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info.collect import gather

SERVICES = ("sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_all_services_of_the_blueprints(stack: Any, name: str, later: Callable[..., Any]) -> None:
    s3, ssm, secrets, kms, iam, sts = map(stack.client, ("s3", "ssm", "secretsmanager", "kms", "iam", "sts"))
    assert sts.get_caller_identity()["Account"] == "000000000000"

    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    later(s3.delete_bucket, Bucket=name)
    s3.put_object(Bucket=name, Key="a/b", Body=io.BytesIO(b"content"))
    later(s3.delete_object, Bucket=name, Key="a/b")
    assert s3.get_object(Bucket=name, Key="a/b")["Body"].read() == b"content"

    ssm.put_parameter(Name=f"/test/{name}", Value="hush-parameter", Type="SecureString")
    later(ssm.delete_parameter, Name=f"/test/{name}")
    assert ssm.get_parameter(Name=f"/test/{name}", WithDecryption=True)["Parameter"]["Value"] == "hush-parameter"

    secrets.create_secret(Name=name, SecretString="hush-secret")
    later(secrets.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "hush-secret"

    key = kms.create_key()["KeyMetadata"]["KeyId"]
    later(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    later(kms.delete_alias, AliasName=f"alias/{name}")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"content")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"content"

    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    later(iam.delete_role, RoleName=name)

    connection = Connection(
        endpoint_url=stack.env["AWS_ENDPOINT_URL"], region="eu-central-1", access_key="test", secret_key="test"
    )
    found = gather(Clients(connection), Query(SERVICES, names=[f"*{name}"], count_items="none"))
    seen = {
        kind: [one["name"] for one in found[kind]] for kind in ("buckets", "parameters", "secrets", "keys", "roles")
    }
    assert seen == {
        "buckets": [name],
        "parameters": [f"/test/{name}"],
        "secrets": [name],
        "keys": [name],
        "roles": [name],
    }
    assert "hush" not in json.dumps(found)
