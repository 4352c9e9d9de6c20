"""Secrets Manager: values, versions, deletion."""

from __future__ import annotations

import json
import re
import uuid

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "secretsmanager/latest/userguide/"
API = "secretsmanager/latest/apireference/"


@behaviour(
    "secretsmanager.value.stages",
    "A new value is AWSCURRENT and the one before AWSPREVIOUS",
    source=GUIDE + "whats-in-a-secret.html",
    hurts="lost",
    without="a rotated secret's former value is lost, or the new one is not current",
    features=["secrets"],
)
def stages(aws: Aws) -> str | None:
    name = aws.secret(value="old")
    aws.secretsmanager.put_secret_value(SecretId=name, SecretString="new")
    found = [
        aws.secretsmanager.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"]
        for stage in ("AWSCURRENT", "AWSPREVIOUS")
    ]
    return is_met(found == ["new", "old"], "the stages have other values")


@behaviour(
    "secretsmanager.value.move_stage",
    "UpdateSecretVersionStage makes another version AWSCURRENT",
    source=API + "API_UpdateSecretVersionStage.html",
    hurts="wrong",
    without="after a rotation the old value stays current",
)
def move_stage(aws: Aws) -> str | None:
    name = aws.secret(value="old")
    old = aws.secretsmanager.get_secret_value(SecretId=name)["VersionId"]
    new = aws.secretsmanager.put_secret_value(SecretId=name, SecretString="new", VersionStages=["PENDING"])["VersionId"]
    moved = {"VersionStage": "AWSCURRENT", "MoveToVersionId": new, "RemoveFromVersionId": old}
    aws.secretsmanager.update_secret_version_stage(SecretId=name, **moved)
    found = aws.secretsmanager.get_secret_value(SecretId=name)["SecretString"]
    return is_met(found == "new", "the old value stays current")


@behaviour(
    "secretsmanager.value.token",
    "PutSecretValue with the same token and value makes one version, with another value it is refused",
    source=API + "API_PutSecretValue.html",
    hurts="wrong",
    without="a repeated rotation makes another version",
)
def token(aws: Aws) -> str | None:
    name, token = aws.secret(), str(uuid.uuid4())
    given = {"SecretId": name, "ClientRequestToken": token}
    ids = {aws.secretsmanager.put_secret_value(SecretString="new", **given)["VersionId"] for _time in range(2)}
    if ids != {token}:
        return "another version is made"
    return refused(aws.secretsmanager.put_secret_value, "ResourceExists", SecretString="other", **given)


@behaviour(
    "secretsmanager.value.binary",
    "A binary secret comes back as bytes",
    source=API + "API_GetSecretValue.html",
    hurts="lost",
    without="binary secrets are damaged",
)
def binary(aws: Aws) -> str | None:
    name = aws.name("s")
    aws.secretsmanager.create_secret(Name=name, SecretBinary=b"\x00\xff")
    aws.afterwards(aws.secretsmanager.delete_secret, SecretId=name, ForceDeleteWithoutRecovery=True)
    found = aws.secretsmanager.get_secret_value(SecretId=name).get("SecretBinary")
    return is_met(found == b"\x00\xff", "the value differs")


@behaviour(
    "secretsmanager.delete.window",
    "A secret within its recovery window can't be read, and comes back by RestoreSecret",
    source=GUIDE + "manage_delete-secret.html",
    hurts="lost",
    without="a secret that was deleted by mistake does not come back",
    features=["secrets.recovery_window_days"],
)
def window(aws: Aws) -> str | None:
    name = aws.secret(value="a")
    aws.secretsmanager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    seen = refused(aws.secretsmanager.get_secret_value, "InvalidRequest", SecretId=name)
    aws.secretsmanager.restore_secret(SecretId=name)
    value = aws.secretsmanager.get_secret_value(SecretId=name)["SecretString"]
    return seen or is_met(value == "a", "another value comes back")


@behaviour(
    "secretsmanager.delete.create_again",
    "CreateSecret within the recovery window is refused with InvalidRequestException",
    source=API + "API_CreateSecret.html",
    hurts="wrong",
    without="a program that restores a secret on InvalidRequestException does not find out that it is to",
    features=["secrets.recovery_window_days"],
)
def create_again(aws: Aws) -> str | None:
    name = aws.secret()
    aws.secretsmanager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    return refused(aws.secretsmanager.create_secret, "InvalidRequest", Name=name, SecretString="b")


@behaviour(
    "secretsmanager.create.twice",
    "CreateSecret of a secret that is there is refused",
    source=API + "API_CreateSecret.html",
    hurts="lost",
    without="two owners of one name overwrite each other",
)
def create_twice(aws: Aws) -> str | None:
    return refused(aws.secretsmanager.create_secret, "ResourceExists", Name=aws.secret(), SecretString="b")


@behaviour(
    "secretsmanager.arn.suffix",
    "A secret's ARN ends in a hyphen and six characters, and both ARN and name find it",
    source=API + "API_CreateSecret.html",
    hurts="differs",
    without="policies by a secret's ARN can't be tried",
)
def arn(aws: Aws) -> str | None:
    name = aws.secret(value="a")
    found = aws.secretsmanager.describe_secret(SecretId=name)["ARN"]
    if not re.fullmatch(re.escape(name) + r"-\w{6}", found.rpartition(":")[2]):
        return "the ARN has another end"
    value = aws.secretsmanager.get_secret_value(SecretId=found)["SecretString"]
    return is_met(value == "a", "the ARN finds another secret")


@behaviour(
    "secretsmanager.policy.read",
    "A secret's policy is read back",
    source=API + "API_GetResourcePolicy.html",
    hurts="differs",
    without="a secret's policy is not stored",
    features=["secrets.policy"],
)
def policy(aws: Aws) -> str | None:
    name = aws.secret()
    document = _denying()
    aws.secretsmanager.put_resource_policy(SecretId=name, ResourcePolicy=document)
    found = aws.secretsmanager.get_resource_policy(SecretId=name).get("ResourcePolicy")
    return is_met(found and json.loads(found) == json.loads(document), "the policy is not stored")


@behaviour(
    "secretsmanager.policy.enforced",
    "A secret's policy that denies reading refuses it",
    source=GUIDE + "auth-and-access_resource-policies.html",
    hurts="open",
    without="a secret's policy is stored and not enforced",
    features=["secrets.policy"],
)
def policy_enforced(aws: Aws) -> str | None:
    name = aws.secret()
    aws.secretsmanager.put_resource_policy(SecretId=name, ResourcePolicy=_denying())
    return refused(aws.secretsmanager.get_secret_value, "AccessDenied", SecretId=name)


@behaviour(
    "secretsmanager.tags.read",
    "A secret's tags are read back and found by ListSecrets' filter",
    source=API + "API_ListSecrets.html",
    hurts="differs",
    without="secrets can't be found by their owner",
)
def tags(aws: Aws) -> str | None:
    name = aws.secret(Tags=[{"Key": aws.name("key"), "Value": "1"}])
    listed = aws.secretsmanager.list_secrets(Filters=[{"Key": "tag-key", "Values": [aws.name("key")]}])["SecretList"]
    return is_met([one["Name"] for one in listed] == [name], f"{len(listed)} secrets are found")


def _denying() -> str:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
