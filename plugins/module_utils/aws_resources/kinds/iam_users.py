# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: users, with their policies and an access key that is kept in a Kubernetes Secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, existing_pages

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, TaggedEntry, given, part_of
from ..fields import ARN, Flag, Model, SecretName, named
from ..kind import NAME, ON_DELETION, Kind
from ..models import Field
from ..observe import Aws, tag_map
from .iam import IamPath, attached, attached_problems, attachment

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
UserName = Annotated[str, named(r"[A-Za-z0-9_+=,.@-]{1,64}", "1 to 64 letters, digits and _ + = , . @ -")]


class AccessKey(Model):
    """The user's key: its id and the key itself come into the Secret as C(username) and C(password)."""

    secret: SecretName
    active: Flag = True


class User(TaggedEntry):
    list_name: ClassVar[str] = "users"
    case_matters: ClassVar[bool] = False
    described: ClassVar[str] = "Users of IAM"

    name: UserName
    path: IamPath | None = None
    permissions_boundary: ARN | None = None
    policies: list[str] = Field(default_factory=list)
    access_key: AccessKey | None = None
    force_destroy: Flag | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from attached_problems(self.policies, context)
        if self.access_key:
            yield from context.namespace_problems("access_key.secret", self.access_key.secret)

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            # Also with emulators only if asked: MiniStack 1.5.33 has no ListSSHPublicKeys, which a forced deletion begins with.
            "forceDestroy": bool(self.force_destroy),
            **given(self, {"path": "path", "permissions_boundary": "permissionsBoundary"}),
            "tags": self.all_tags(context),
        }
        user = context.managed(self, "iam", "User", parameters, external=self.name)
        made = [attachment(self, "user", name, context) for name in dict.fromkeys(self.policies)]
        if self.access_key:
            made.append(self._key(self.access_key, context))
        return [user, *(part_of(user, one) for one in made)]

    def _key(self, wanted: AccessKey, context: Context) -> Object:
        values = {
            "userRef": {"name": context.name_of(self)},
            "status": "Active" if wanted.active else "Inactive",
        }
        key = context.managed(self, "iam", "AccessKey", values)
        key["spec"]["writeConnectionSecretToRef"] = context.secret(wanted.secret.namespace, wanted.secret.name)
        return key


def _user(aws: Aws, resource: ExternalResource) -> Json | None:
    iam, name = aws.get("iam"), resource.external_name
    answer = existing(iam, "get_user", UserName=name)
    if answer is None:
        return None
    known = answer["User"]
    return {
        "path": known.get("Path"),
        "permissionsBoundary": (known.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        "tags": tag_map(existing_pages(iam, "list_user_tags", "Tags", UserName=name)),
    }


def _access_key(aws: Aws, resource: ExternalResource) -> Json | None:
    keys = existing_pages(aws.get("iam"), "list_access_keys", "AccessKeyMetadata", UserName=resource.parameters["user"])
    return next(({"status": one["Status"]} for one in keys if one["AccessKeyId"] == resource.external_name), None)


KINDS = (
    Kind(
        "iam",
        "User",
        User,
        _user,
        named_by_us=True,
        unobserved={"forceDestroy": ON_DELETION},
        compare={"tags": TAGS, "permissionsBoundary": Rule(cleared="")},
    ),
    Kind(
        "iam",
        "UserPolicyAttachment",
        User,
        attached("user"),
        found_by=("user", "policyArn"),
        named_by_us=True,
        refers_to=("iam/User", "iam/Policy"),
    ),
    Kind("iam", "AccessKey", User, _access_key, found_by=("user", NAME), refers_to=("iam/User",)),
)
