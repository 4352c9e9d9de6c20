# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: instance profiles, by which EC2 instances take a role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS
from ..entry import Context, Object, Problem, TaggedEntry, given
from ..fields import named, short
from ..kind import Kind
from ..observe import Aws, tag_map
from .iam import IamPath, Role

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html
ProfileName = Annotated[str, named(r"[A-Za-z0-9_+=,.@-]{1,128}", "1 to 128 letters, digits and _ + = , . @ -")]


class InstanceProfile(TaggedEntry):
    list_name: ClassVar[str] = "instance_profiles"
    case_matters: ClassVar[bool] = False
    described: ClassVar[str] = "Instance profiles of IAM, each with a declared role"

    name: ProfileName
    role: str
    path: IamPath | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        if not context.knows(Role.list_name, self.role):
            yield "role", f"{short(self.role)} is not in aws_resources_roles"

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            "roleRef": context.reference(Role.list_name, self.role),
            **given(self, {"path": "path"}),
            "tags": self.all_tags(context),
        }
        return [context.managed(self, "iam", "InstanceProfile", parameters, external=self.name)]


def _instance_profile(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("iam"), "get_instance_profile", InstanceProfileName=resource.external_name)
    if answer is None:
        return None
    known = answer["InstanceProfile"]
    return {
        "path": known.get("Path"),
        "role": next((one["RoleName"] for one in known.get("Roles") or []), None),
        "tags": tag_map(known.get("Tags") or []),
    }


KINDS = (
    Kind(
        "iam",
        "InstanceProfile",
        InstanceProfile,
        _instance_profile,
        immutable=frozenset({"path"}),
        named_by_us=True,
        refers_to=("iam/Role",),
        compare={"tags": TAGS},
    ),
)
