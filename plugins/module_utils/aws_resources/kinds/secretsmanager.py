# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets Manager: secrets, and their values from Kubernetes Secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import (
    ADOPTED_AS,
    DELETED,
    ExternalResource,
    Json,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import timestamp
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import POLICY, TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, given, part_of, protect
from ..fields import SecretKey, Whole, as_json, named, policy_document, text
from ..kind import ON_DELETION, SECRET, Kind
from ..models import AfterValidator
from ..observe import Aws, tag_map
from .kms import KeyName, key_problems, key_reference

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
DEFAULT_KEY = "alias/aws/secretsmanager"
SecretName = Annotated[str, named(r"[A-Za-z0-9/_+=.@-]{1,512}", "1 to 512 letters, digits and / _ + = . @ -")]


def _check_window(days: int) -> int:
    if days != 0 and not 7 <= days <= 30:
        raise ValueError(f"{days} is out of AWS's range, 7 to 30, or 0 for none")
    return days


class Secret(ProtectedEntry):
    list_name: ClassVar[str] = "secrets"
    described: ClassVar[str] = "Secrets of Secrets Manager"

    name: SecretName
    description: Annotated[str, text(2048)] | None = None
    value_from_secret: SecretKey | None = None
    kms_key: KeyName | None = None
    recovery_window_days: Annotated[Whole, AfterValidator(_check_window)] | None = None
    policy: Annotated[dict[str, Any], policy_document(20480, principal=True)] | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from context.namespace_problems("value_from_secret", self.value_from_secret)
        yield from key_problems("kms_key", self.kms_key, context)

    def objects(self, context: Context) -> list[Object]:
        # A secret that waits for its deletion keeps its name: an emulator's would be in the way of the next stack.
        window = 0 if self.recovery_window_days is None and context.target.emulated else self.recovery_window_days
        parameters = {
            "name": self.name,
            **given(self, {"description": "description"}),
            **({"recoveryWindowInDays": window} if window is not None else {}),
            **(key_reference(self.kms_key, "kmsKeyId", context) if self.kms_key else {}),
            "tags": self.all_tags(context),
        }
        secret = protect(self, context.managed(self, "secretsmanager", "Secret", parameters))
        reference: Object = {"name": context.name_of(self)}
        made = [secret]
        if self.value_from_secret:
            values: Object = {
                "secretIdRef": reference,
                "secretStringSecretRef": context.secret_key(self.value_from_secret),
            }
            version = context.managed(self, "secretsmanager", "SecretVersion", values)
            # A version can't be changed, only followed by another, nor can the current one be deleted: the provider would try for ever.
            version["spec"]["managementPolicies"] = ["Observe", "Create"]
            made.append(protect(self, part_of(secret, version)))
        if self.policy:
            values = {"secretArnRef": reference, "policy": as_json(self.policy)}
            made.append(part_of(secret, context.managed(self, "secretsmanager", "SecretPolicy", values)))
        return made


def _secret(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(
        aws.get("secretsmanager"), "describe_secret", SecretId=resource.parameters.get("name") or resource.external_name
    )
    if answer is None:
        return None
    if deleted := answer.get("DeletedDate"):
        return {DELETED: timestamp(deleted)}
    return {
        ADOPTED_AS: answer.get("ARN"),
        "name": answer.get("Name"),
        "description": answer.get("Description"),
        # AWS leaves its own one out.
        "kmsKeyId": answer.get("KmsKeyId")
        or (DEFAULT_KEY if resource.parameters.get("kmsKeyId") == DEFAULT_KEY else None),
        "tags": tag_map(answer.get("Tags") or []),
    }


def _secret_version(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("secretsmanager"), "describe_secret", SecretId=resource.parameters["secretId"])
    return {} if answer and answer.get("VersionIdsToStages") else None


def _secret_policy(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("secretsmanager"), "get_resource_policy", SecretId=resource.parameters["secretArn"])
    return {"policy": answer["ResourcePolicy"]} if answer and answer.get("ResourcePolicy") else None


KINDS = (
    Kind(
        "secretsmanager",
        "Secret",
        Secret,
        _secret,
        immutable=frozenset({"name"}),
        refers_to=("kms/Key",),
        unobserved={"recoveryWindowInDays": ON_DELETION},
        compare={
            "tags": TAGS,
            "policy": POLICY,
            "description": Rule(cleared=""),
            "kmsKeyId": Rule(cleared=DEFAULT_KEY),
            "recoveryWindowInDays": Rule(cleared=30),
        },
    ),
    Kind(
        "secretsmanager",
        "SecretVersion",
        Secret,
        _secret_version,
        found_by=("secretId",),
        refers_to=("secretsmanager/Secret",),
        unobserved={"secretStringSecretRef": SECRET},
    ),
    Kind(
        "secretsmanager",
        "SecretPolicy",
        Secret,
        _secret_policy,
        found_by=("secretArn",),
        refers_to=("secretsmanager/Secret",),
        compare={"policy": POLICY},
    ),
)
