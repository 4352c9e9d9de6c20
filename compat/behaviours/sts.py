"""STS: the caller's identity, and roles that are assumed."""

from __future__ import annotations

from compat.aws import Aws, is_met, refused, trust
from compat.contract import Contract

behaviour = Contract()
API = "STS/latest/APIReference/"


@behaviour(
    "sts.caller.identity",
    "GetCallerIdentity tells a user's account and ARN",
    source=API + "API_GetCallerIdentity.html",
    hurts="differs",
    without="a program can't tell as whom it runs",
)
def identity(aws: Aws) -> str | None:
    name, key, secret = aws.user()
    found = ""

    def told() -> bool:
        nonlocal found
        found = aws.clients.with_keys("sts", key, secret).get_caller_identity()["Arn"]
        return found.endswith(f":user/{name}")

    return is_met(told(), "the ARN is another's")


@behaviour(
    "sts.role.identity",
    "A caller that assumed a role has the role's session as its ARN",
    source=API + "API_AssumeRole.html",
    hurts="differs",
    without="a program can't tell which role it has",
)
def role(aws: Aws) -> str | None:
    name = aws.role(AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{aws.account}:root"))
    arn = aws.iam.get_role(RoleName=name)["Role"]["Arn"]
    taken = aws.sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    other = aws.clients.with_keys("sts", taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])
    found = other.get_caller_identity()["Arn"]
    return is_met(found.endswith(f":assumed-role/{name}/session"), "the ARN is another's")


@behaviour(
    "sts.role.trust",
    "A role whose trust policy does not name the caller can't be taken",
    source=API + "API_AssumeRole.html",
    hurts="open",
    without="trust policies are not enforced: every caller may take every role",
    features=["roles"],
)
def untrusted(aws: Aws) -> str | None:
    arn = aws.iam.get_role(RoleName=aws.role())["Role"]["Arn"]
    return refused(aws.sts.assume_role, "AccessDenied", RoleArn=arn, RoleSessionName="session")


@behaviour(
    "sts.role.absent",
    "A role that does not exist can't be taken",
    source=API + "API_AssumeRole.html",
    hurts="accepted",
    without="a role's wrong name is not noticed",
)
def absent(aws: Aws) -> str | None:
    arn = f"arn:aws:iam::{aws.account}:role/{aws.name('absent')}"
    return refused(aws.sts.assume_role, ("AccessDenied", "NoSuchEntity"), RoleArn=arn, RoleSessionName="session")


@behaviour(
    "sts.role.duration",
    "A session longer than the role's MaxSessionDuration is refused",
    source=API + "API_AssumeRole.html",
    hurts="accepted",
    without="a session that AWS refuses passes",
)
def duration(aws: Aws) -> str | None:
    name = aws.role(AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{aws.account}:root"), MaxSessionDuration=3600)
    arn = aws.iam.get_role(RoleName=name)["Role"]["Arn"]
    return refused(aws.sts.assume_role, "Validation", RoleArn=arn, RoleSessionName="session", DurationSeconds=7200)


@behaviour(
    "sts.web_identity.invalid",
    "AssumeRoleWithWebIdentity with a token that is none is refused",
    source=API + "API_AssumeRoleWithWebIdentity.html",
    hurts="open",
    without="a service account's token is not checked",
)
def web_identity(aws: Aws) -> str | None:
    arn = aws.iam.get_role(RoleName=aws.role())["Role"]["Arn"]
    given = {"RoleArn": arn, "RoleSessionName": "session", "WebIdentityToken": "no-token"}
    return refused(aws.sts.assume_role_with_web_identity, ("InvalidIdentityToken", "AccessDenied"), **given)
