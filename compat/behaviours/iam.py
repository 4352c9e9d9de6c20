"""IAM: roles, policies, users, and whether they decide anything."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError
from botocore.session import get_session

from compat.aws import Aws, allowing, is_met, refused, trust
from compat.contract import Contract

behaviour = Contract()
GUIDE = "IAM/latest/UserGuide/"
API = "IAM/latest/APIReference/"


@behaviour(
    "iam.policy.encoded",
    "GetPolicyVersion gives the document URL-encoded",
    source=API + "API_GetPolicyVersion.html",
    hurts="differs",
    without="a policy with + or % is read back as another",
)
def encoded(aws: Aws) -> str | None:
    # boto3 decodes it; what was sent is asked for before that.
    document = allowing("s3:GetObject", resource="arn:aws:s3:::a/50%25+1")
    arn = aws.policy(document=document)
    raw: list[str] = []
    client: Any = get_session().create_client(
        "iam",
        region_name=aws.region,
        endpoint_url=aws.clients.endpoint,
        aws_access_key_id="test" if aws.clients.endpoint else None,
        aws_secret_access_key="test" if aws.clients.endpoint else None,
    )
    client.meta.events.register(
        "response-received.iam", lambda **told: raw.append(told["response_dict"]["body"].decode())
    )
    client.get_policy_version(PolicyArn=arn, VersionId="v1")
    return is_met("%7B" in raw[0].upper(), "the document is not encoded")


@behaviour(
    "iam.policy.versions",
    "A policy has at most five versions, and the default one counts",
    source=GUIDE + "access_policies_managed-versioning.html",
    hurts="accepted",
    without="a sixth version passes here and is refused on AWS",
)
def versions(aws: Aws) -> str | None:
    arn = aws.policy()
    for number in range(4):
        aws.iam.create_policy_version(PolicyArn=arn, PolicyDocument=allowing(f"sqs:Get{number}"))
        aws.afterwards(aws.iam.delete_policy_version, PolicyArn=arn, VersionId=f"v{number + 2}")
    return refused(aws.iam.create_policy_version, "LimitExceeded", PolicyArn=arn, PolicyDocument=allowing("sqs:a"))


@behaviour(
    "iam.policy.attached",
    "A policy that is attached is not deleted",
    source=API + "API_DeletePolicy.html",
    hurts="accepted",
    without="a policy that is in use is deleted",
)
def attached(aws: Aws) -> str | None:
    role, arn = aws.role(), aws.policy()
    aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    aws.afterwards(aws.iam.detach_role_policy, RoleName=role, PolicyArn=arn)
    return refused(aws.iam.delete_policy, "DeleteConflict", PolicyArn=arn)


@behaviour(
    "iam.policy.malformed",
    "A policy that is no policy is refused",
    source=API + "API_CreatePolicy.html",
    hurts="accepted",
    without="a mistake in a policy is noticed on AWS only",
)
def malformed(aws: Aws) -> str | None:
    aws.afterwards(aws.iam.delete_policy, PolicyArn=f"arn:aws:iam::{aws.account}:policy/{aws.name('p')}")
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}]}
    )
    return refused(aws.iam.create_policy, "MalformedPolicyDocument", PolicyName=aws.name("p"), PolicyDocument=document)


@behaviour(
    "iam.role.delete_conflict",
    "A role with a policy is not deleted",
    source=API + "API_DeleteRole.html",
    hurts="accepted",
    without="a role with policies is deleted",
)
def delete_conflict(aws: Aws) -> str | None:
    role, arn = aws.role(), aws.policy()
    aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    aws.afterwards(aws.iam.detach_role_policy, RoleName=role, PolicyArn=arn)
    return refused(aws.iam.delete_role, "DeleteConflict", RoleName=role)


@behaviour(
    "iam.role.read",
    "A role's trust policy, path, description and longest session are read back",
    source=API + "API_GetRole.html",
    hurts="differs",
    without="a role reads otherwise than it was written",
    features=["roles.max_session_seconds"],
)
def role(aws: Aws) -> str | None:
    wanted: dict[str, Any] = {"Path": "/team/", "Description": "d", "MaxSessionDuration": 7200}
    found = aws.iam.get_role(RoleName=aws.role(**wanted))["Role"]
    document = found["AssumeRolePolicyDocument"]
    document = json.loads(unquote(document)) if isinstance(document, str) else document
    wrong = [name for name, value in wanted.items() if found.get(name) != value]
    wrong += [] if document == json.loads(trust(Service="ec2.amazonaws.com")) else ["AssumeRolePolicyDocument"]
    return is_met(not wrong, f"{', '.join(wrong)} differ")


@behaviour(
    "iam.role.boundary",
    "A role's permissions boundary is read back",
    source=GUIDE + "access_policies_boundaries.html",
    hurts="differs",
    without="a role's permissions boundary is not read back",
    features=["roles.permissions_boundary"],
)
def boundary(aws: Aws) -> str | None:
    arn = aws.policy()
    found = aws.iam.get_role(RoleName=aws.role(PermissionsBoundary=arn))["Role"]
    return is_met(
        found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") == arn, "the boundary is not read back"
    )


@behaviour(
    "iam.role.tags_case",
    "Tag keys that differ in case only are refused",
    source=GUIDE + "id_tags.html",
    hurts="accepted",
    without="tags that AWS refuses pass",
)
def tags_case(aws: Aws) -> str | None:
    tags = [{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}]
    aws.afterwards(aws.iam.delete_role, RoleName=aws.name("r"))
    given = {"RoleName": aws.name("r"), "AssumeRolePolicyDocument": trust(Service="ec2.amazonaws.com"), "Tags": tags}
    return refused(aws.iam.create_role, "InvalidInput", **given)


@behaviour(
    "iam.access.denied",
    "A user without a policy may do nothing",
    source=GUIDE + "reference_policies_evaluation-logic.html",
    hurts="open",
    without="permissions are not enforced: every caller may do everything",
    features=["policies", "roles.policies", "roles.inline_policies", "users"],
)
def denied(aws: Aws) -> str | None:
    _name, key, secret = aws.user()
    other = aws.clients.with_keys("sqs", key, secret)
    seen: list[str | None] = []

    def told() -> bool:
        # On AWS a new key is not known at once.
        seen.append(refused(other.list_queues, ("AccessDenied", "AccessDeniedException")))
        return seen[-1] is None or seen[-1] == "accepted"

    aws.until(told)
    return seen[-1]


@behaviour(
    "iam.access.wrong_signature",
    "A request signed with a wrong secret key is refused",
    source=GUIDE + "reference_sigv.html",
    hurts="open",
    without="signatures are not checked: every client that reaches the engine may do everything",
    features=["users"],
)
def wrong_signature(aws: Aws) -> str | None:
    _name, key, secret = aws.user()
    other = aws.clients.with_keys("sts", key, secret[::-1])
    return refused(other.get_caller_identity, ("SignatureDoesNotMatch", "InvalidClientTokenId"))


@behaviour(
    "iam.simulate.decides",
    "SimulatePrincipalPolicy tells what a role may do",
    source=API + "API_SimulatePrincipalPolicy.html",
    hurts="missing",
    without="what a role may do can't be asked for",
)
def simulate(aws: Aws) -> str | None:
    role = aws.role()
    policy = {"RoleName": role, "PolicyName": "p"}
    aws.iam.put_role_policy(PolicyDocument=allowing("sqs:SendMessage"), **policy)
    aws.afterwards(aws.iam.delete_role_policy, **policy)
    arn = aws.iam.get_role(RoleName=role)["Role"]["Arn"]
    actions = ["sqs:SendMessage", "sqs:DeleteQueue"]
    told = aws.iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)["EvaluationResults"]
    found = {one["EvalActionName"]: one["EvalDecision"] for one in told}
    return is_met(found == {actions[0]: "allowed", actions[1]: "implicitDeny"}, f"the decisions are {found}")


@behaviour(
    "iam.name.case",
    "A role's name that differs in case only is taken",
    source=API + "API_CreateRole.html",
    hurts="accepted",
    without="two roles whose names differ in case only pass here and not on AWS",
)
def name_case(aws: Aws) -> str | None:
    name = aws.role("R")
    other = name[:-1] + "r"
    aws.afterwards(aws.iam.delete_role, RoleName=other)
    document = trust(Service="ec2.amazonaws.com")
    return refused(aws.iam.create_role, "EntityAlreadyExists", RoleName=other, AssumeRolePolicyDocument=document)


@behaviour(
    "iam.entity.absent",
    "Attaching a policy that does not exist is refused",
    source=API + "API_AttachRolePolicy.html",
    hurts="accepted",
    without="a policy's wrong name is not noticed",
)
def absent(aws: Aws) -> str | None:
    role = aws.role()
    arn = f"arn:aws:iam::{aws.account}:policy/{aws.name('absent')}"
    aws.afterwards(aws.iam.detach_role_policy, RoleName=role, PolicyArn=arn)
    try:
        aws.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return is_met(code == "NoSuchEntity", f"refused with {code}")
    return "accepted"
