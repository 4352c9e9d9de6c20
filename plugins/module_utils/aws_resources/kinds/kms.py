# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""KMS: keys, each with its alias."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import may_rotate
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, existing_pages

from ..comparison import ROOT, TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, given, part_of, protect
from ..fields import Flag, Whole, as_json, named, number, policy_document, short, text
from ..kind import ON_DELETION, Kind
from ..observe import Aws, tag_map

SYMMETRIC = "SYMMETRIC_DEFAULT"
# https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
AliasName = Annotated[
    str,
    named(
        r"[A-Za-z0-9/_-]{1,250}",
        "1 to 250 letters, digits, '/', '_' or '-', without 'alias/'",
        refuse=lambda name: next(
            (f"names must not begin with '{one}'" for one in ("alias/", "aws/", "/") if name.startswith(one)), None
        ),
    ),
]
# The name of a declared key, or an alias or ARN of another.
KeyName = Annotated[str, named(r"[A-Za-z0-9/_:-]{1,2048}", "names of aws_resources_keys, 'alias/…' and ARNs of keys")]


class Key(ProtectedEntry):
    list_name: ClassVar[str] = "keys"
    described: ClassVar[str] = "Keys of KMS"
    notes: ClassVar[Mapping[str, str]] = {"name": "(the alias without `alias/`)"}

    name: AliasName
    description: Annotated[str, text(8192)] | None = None
    rotation: Flag | None = None
    rotation_period_days: Annotated[Whole, number(90, 2560)] | None = None
    deletion_window_days: Annotated[Whole, number(7, 30)] | None = None
    usage: Literal["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"] | None = None
    key_spec: Annotated[str, text(64, 1)] | None = None
    multi_region: Flag | None = None
    policy: Annotated[dict[str, Any], policy_document(32768, principal=True)] | None = None

    @property
    def symmetric(self) -> bool:
        return self.key_spec in (None, SYMMETRIC)

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        if not self.symmetric and self.rotation:
            yield "rotation", f"is for symmetric keys only, not for {short(self.key_spec)}"
        if self.rotation_period_days is not None and (self.rotation is False or not self.symmetric):
            yield "rotation_period_days", "is set, but the key is not rotated"

    def objects(self, context: Context) -> list[Object]:
        rotated = self.symmetric if self.rotation is None else self.rotation
        parameters = {
            "enableKeyRotation": rotated,
            **given(
                self,
                {
                    "description": "description",
                    "rotation_period_days": "rotationPeriodInDays",
                    "deletion_window_days": "deletionWindowInDays",
                    "usage": "keyUsage",
                    "key_spec": "customerMasterKeySpec",
                    "multi_region": "multiRegion",
                },
            ),
            **({"policy": as_json(self.policy)} if self.policy else {}),
            "tags": self.all_tags(context),
        }
        key = protect(self, context.managed(self, "kms", "Key", parameters))
        # The provider adds "alias/" by itself, and takes it off the external name again.
        alias = context.managed(
            self, "kms", "Alias", {"targetKeyIdRef": {"name": context.name_of(self)}}, external=self.name
        )
        return [key, protect(self, part_of(key, alias))]


def key_id(name: str, context: Context) -> str:
    """What AWS takes for a key: its alias if it is a declared one, which is known before the key exists."""
    return f"alias/{name}" if context.knows(Key.list_name, name) else name


def key_arn(name: str, context: Context) -> str:
    """The same as an ARN."""
    alias = key_id(name, context)
    return context.target.arn("kms", alias) if alias.startswith("alias/") else alias


def key_reference(name: str, field: str, context: Context) -> Object:
    """Crossplane's field for a key: a reference, which waits for it, if it is a declared one."""
    if not context.knows(Key.list_name, name):
        return {field: name}
    # Else another key would never be looked up, once the first is.
    return {f"{field}Ref": {**context.reference(Key.list_name, name), "policy": {"resolve": "Always"}}}


def key_problems(field: str, name: str | None, context: Context) -> Iterable[Problem]:
    if name and not context.knows(Key.list_name, name) and not name.startswith(("alias/", "arn:aws")):
        yield field, f"{short(name)} is neither in aws_resources_keys nor an alias ('alias/…') nor an ARN"


def _key(aws: Aws, resource: ExternalResource) -> Json | None:
    kms, name = aws.get("kms"), resource.external_name
    answer = existing(kms, "describe_key", KeyId=name)
    if answer is None or answer["KeyMetadata"].get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion"):
        return None
    known = answer["KeyMetadata"]
    rotation = (existing(kms, "get_key_rotation_status", KeyId=name) if may_rotate(known) else None) or {}
    found: Json = {
        "description": known.get("Description"),
        "keyUsage": known.get("KeyUsage"),
        "customerMasterKeySpec": known.get("KeySpec") or known.get("CustomerMasterKeySpec"),
        "enableKeyRotation": rotation.get("KeyRotationEnabled", False),
        "multiRegion": known.get("MultiRegion", False),
        # Not every emulator tells it.
        **({"rotationPeriodInDays": rotation["RotationPeriodInDays"]} if "RotationPeriodInDays" in rotation else {}),
        "tags": tag_map(existing_pages(kms, "list_resource_tags", "Tags", KeyId=name)),
    }
    if resource.declares("policy"):
        found["policy"] = (existing(kms, "get_key_policy", KeyId=name, PolicyName="default") or {}).get("Policy")
    return found


def _alias(aws: Aws, resource: ExternalResource) -> Json | None:
    # The provider takes "alias/" off the external name that it keeps.
    name = f"alias/{resource.external_name.removeprefix('alias/')}"
    answer = existing(aws.get("kms"), "describe_key", KeyId=name)
    return {"targetKeyId": answer["KeyMetadata"]["KeyId"]} if answer else None


# https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
DEFAULT_POLICY = as_json(
    {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": ROOT},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
)

KINDS = (
    Kind(
        "kms",
        "Key",
        Key,
        _key,
        immutable=frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"}),
        unobserved={"deletionWindowInDays": ON_DELETION},
        compare={
            "tags": TAGS,
            "policy": Rule("policy", cleared=DEFAULT_POLICY),
            "rotationPeriodInDays": Rule(cleared=365),
        },
    ),
    Kind("kms", "Alias", Key, _alias, refers_to=("kms/Key",)),
)
