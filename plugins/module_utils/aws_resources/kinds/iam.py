# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: policies, and roles that service accounts of a cluster take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, existing_pages

from ..comparison import POLICY, TAGS, Rule
from ..entry import Context, Entry, Object, Problem, TaggedEntry, given, part_of
from ..fields import ARN, KubernetesName, Model, Whole, as_iam_json, named, number, policy_document, short, text
from ..kind import NAME, ON_DELETION, Kind
from ..models import BeforeValidator, Field
from ..observe import Aws, Reader, document, tag_map

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html and API_CreatePolicy.html
RoleName = Annotated[str, named(r"[A-Za-z0-9_+=,.@-]{1,64}", "1 to 64 letters, digits and _ + = , . @ -")]
PolicyName = Annotated[str, named(r"[A-Za-z0-9_+=,.@-]{1,128}", "1 to 128 letters, digits and _ + = , . @ -")]
IamPath = Annotated[str, named(r"/|/[\x21-\x7e]{1,510}/", "paths that begin and end with '/', at most 512 characters")]
AudiencePolicy = Annotated[dict[str, Any], policy_document(4096, principal=True)]
INLINE_LIMIT = 10240
OIDC = re.compile(r"(?:https://|arn:aws[a-z-]*:iam::\d{12}:oidc-provider/)?([A-Za-z0-9.-]+(?:/[A-Za-z0-9._/-]*)?)")


class Policy(TaggedEntry):
    list_name: ClassVar[str] = "policies"
    case_matters: ClassVar[bool] = False
    described: ClassVar[str] = "Policies of IAM"

    name: PolicyName
    path: IamPath | None = None
    description: Annotated[str, text(1000)] | None = None
    policy: Annotated[dict[str, Any], policy_document(6144, principal=False)]

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            "policy": as_iam_json(self.policy),
            **given(self, {"path": "path", "description": "description"}),
            "tags": self.all_tags(context),
        }
        return [context.managed(self, "iam", "Policy", parameters, external=self.name)]


class ServiceAccount(Model):
    """A service account of a cluster; oidc_provider is that cluster's issuer, by URL, host and path, or ARN (IRSA)."""

    namespace: KubernetesName
    name: KubernetesName
    oidc_provider: Annotated[str, named(OIDC.pattern, "an issuer's URL, its host and path, or its ARN")]

    @property
    def issuer(self) -> str:
        """Host and path."""
        found = OIDC.fullmatch(self.oidc_provider)
        return found[1] if found else self.oidc_provider


class PodIdentity(Model):
    """Whom EKS Pod Identity gives the role: by its association alone, or one namespace or service account only."""

    namespace: KubernetesName | None = None
    name: KubernetesName | None = None


def _pod_identity(value: object) -> object:
    if value is False:
        raise ValueError("must be true or a map with namespace and name; leave it out otherwise")
    return {} if value is True else value


class Role(TaggedEntry):
    list_name: ClassVar[str] = "roles"
    case_matters: ClassVar[bool] = False
    described: ClassVar[str] = "Roles of IAM"
    notes: ClassVar[Mapping[str, str]] = {"service_account": "or `pod_identity` or `trust_policy` (one is required)"}

    name: RoleName
    path: IamPath | None = None
    description: Annotated[str, text(1000)] | None = None
    service_account: ServiceAccount | None = None
    pod_identity: Annotated[PodIdentity, BeforeValidator(_pod_identity)] | None = None
    trust_policy: AudiencePolicy | None = None
    policies: list[str] = Field(default_factory=list)
    inline_policies: dict[PolicyName, Annotated[dict[str, Any], policy_document(INLINE_LIMIT, principal=False)]] = (
        Field(default_factory=dict)
    )
    max_session_seconds: Annotated[Whole, number(3600, 43200)] | None = None
    permissions_boundary: ARN | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        ways = [name for name in ("service_account", "pod_identity", "trust_policy") if getattr(self, name) is not None]
        if len(ways) != 1:
            found = f"has {' and '.join(ways)}" if ways else "has none"
            yield (
                "",
                f"must have one of service_account, pod_identity and trust_policy, which say who takes the role; {found}",
            )
        yield from attached_problems(self.policies, context)

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            "assumeRolePolicy": as_iam_json(self.trust(context)),
            # What is attached by others would keep the role from being deleted.
            "forceDetachPolicies": True,
            **given(
                self,
                {
                    "path": "path",
                    "description": "description",
                    "max_session_seconds": "maxSessionDuration",
                    "permissions_boundary": "permissionsBoundary",
                },
            ),
            "tags": self.all_tags(context),
        }
        role = context.managed(self, "iam", "Role", parameters, external=self.name)
        attached = [attachment(self, "role", name, context) for name in dict.fromkeys(self.policies)]
        inline = [self._inline(name, context) for name in self.inline_policies]
        return [role, *(part_of(role, one) for one in (*attached, *inline))]

    def _inline(self, name: str, context: Context) -> Object:
        values = {"roleRef": {"name": context.name_of(self)}, "policy": as_iam_json(self.inline_policies[name])}
        return context.managed(self, "iam", "RolePolicy", values, part=name, external=name)

    def trust(self, context: Context) -> Object:
        """Who may take the role."""
        if self.service_account:
            statement = _irsa(self.service_account, context)
        elif self.pod_identity:
            statement = _pods(self.pod_identity)
        else:
            return self.trust_policy or {}
        return {"Version": "2012-10-17", "Statement": [statement]}


def attached_problems(names: Sequence[str], context: Context) -> Iterable[Problem]:
    """What is wrong with the policies that a role or user has by name or ARN."""
    for index, name in enumerate(names):
        if not name.startswith("arn:") and not context.knows(Policy.list_name, name):
            yield f"policies[{index}]", f"{short(name)} is neither in aws_resources_policies nor an ARN"
        if names.index(name) < index:
            yield f"policies[{index}]", f"{short(name)} is there twice"


def attachment(entry: Entry, holder: str, name: str, context: Context) -> Object:
    """Attaches a policy, by name or ARN, to a role or user (C(holder))."""
    arn = name.startswith("arn:")
    policy = {"policyArn": name} if arn else {"policyArnRef": context.reference(Policy.list_name, name)}
    values = {f"{holder}Ref": {"name": context.name_of(entry)}, **policy}
    part = name.rsplit("/", 1)[-1] if arn else name
    return context.managed(entry, "iam", f"{holder.capitalize()}PolicyAttachment", values, part=part)


def _irsa(account: ServiceAccount, context: Context) -> Object:
    """https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html."""
    subject = f"system:serviceaccount:{account.namespace}:{account.name}"
    return {
        "Effect": "Allow",
        "Principal": {"Federated": context.target.arn("iam", f"oidc-provider/{account.issuer}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{account.issuer}:aud": "sts.amazonaws.com", f"{account.issuer}:sub": subject}},
    }


def _pods(identity: PodIdentity) -> Object:
    """https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html."""
    tags = {"kubernetes-namespace": identity.namespace, "kubernetes-service-account": identity.name}
    conditions = {f"aws:RequestTag/{tag}": value for tag, value in tags.items() if value is not None}
    return {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        **({"Condition": {"StringEquals": conditions}} if conditions else {}),
    }


def _role(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("iam"), "get_role", RoleName=resource.external_name)
    if answer is None:
        return None
    known = answer["Role"]
    return {
        "assumeRolePolicy": document(known.get("AssumeRolePolicyDocument")),
        "description": known.get("Description"),
        "maxSessionDuration": known.get("MaxSessionDuration"),
        "path": known.get("Path"),
        "permissionsBoundary": (known.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        "tags": tag_map(existing_pages(aws.get("iam"), "list_role_tags", "Tags", RoleName=resource.external_name)),
    }


def _role_policy(aws: Aws, resource: ExternalResource) -> Json | None:
    name = resource.external_name.rsplit(":", 1)[-1]
    answer = existing(aws.get("iam"), "get_role_policy", RoleName=resource.parameters["role"], PolicyName=name)
    return None if answer is None else {"policy": document(answer["PolicyDocument"])}


def attached(holder: str) -> Reader:
    """Whether a role or user (C(holder)) has a policy."""
    argument = f"{holder.capitalize()}Name"

    def read(aws: Aws, resource: ExternalResource) -> Json | None:
        operation = f"list_attached_{holder}_policies"
        named = {argument: resource.parameters[holder]}
        found = existing_pages(aws.get("iam"), operation, "AttachedPolicies", **named)
        return {} if resource.parameters["policyArn"] in {one["PolicyArn"] for one in found} else None

    return read


def _policy(aws: Aws, resource: ExternalResource) -> Json | None:
    iam, name, path = aws.get("iam"), resource.external_name, resource.parameters.get("path", "/")
    arn = name if name.startswith("arn:") else aws.arn("iam", f"policy{path}{name}")
    answer = existing(iam, "get_policy", PolicyArn=arn)
    if answer is None:
        return None
    known = answer["Policy"]
    version = existing(iam, "get_policy_version", PolicyArn=arn, VersionId=known["DefaultVersionId"]) or {}
    return {
        "description": known.get("Description"),
        "path": known.get("Path"),
        "policy": document((version.get("PolicyVersion") or {}).get("Document")),
        "tags": tag_map(known.get("Tags") or []),
    }


KINDS = (
    Kind(
        "iam",
        "Policy",
        Policy,
        _policy,
        immutable=frozenset({"path", "description"}),
        named_by_us=True,
        compare={"tags": TAGS, "policy": POLICY},
    ),
    Kind(
        "iam",
        "Role",
        Role,
        _role,
        immutable=frozenset({"path"}),
        named_by_us=True,
        unobserved={"forceDetachPolicies": ON_DELETION},
        compare={
            "tags": TAGS,
            "assumeRolePolicy": POLICY,
            "description": Rule(cleared=""),
            "maxSessionDuration": Rule(cleared=3600),
            "permissionsBoundary": Rule(cleared=""),
        },
    ),
    Kind(
        "iam",
        "RolePolicy",
        Role,
        _role_policy,
        found_by=("role", NAME),
        refers_to=("iam/Role",),
        compare={"policy": POLICY},
    ),
    Kind(
        "iam",
        "RolePolicyAttachment",
        Role,
        attached("role"),
        found_by=("role", "policyArn"),
        named_by_us=True,
        refers_to=("iam/Role", "iam/Policy"),
    ),
)
