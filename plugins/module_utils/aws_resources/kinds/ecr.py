# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ECR: repositories of container images, with the rules by which images expire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, part_of, protect
from ..fields import Flag, Model, Whole, as_json, named, number, text
from ..kind import ON_DELETION, Kind
from ..models import Field
from ..observe import Aws, tag_map

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
RepositoryName = Annotated[
    str,
    named(
        r"(?=.{2,256}$)[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*",
        "2 to 256 lower-case letters and digits, with single '.', '_', '-' and '/' between",
    ),
]


class LifecycleRule(Model):
    """Which images expire: all but the newest, or those that are older, of all, of those with these tags, or of those without."""

    description: Annotated[str, text(256)] | None = None
    keep: Annotated[Whole, number(1, 100000)] | None = None
    days: Annotated[Whole, number(1, 100000)] | None = None
    tag_prefixes: list[Annotated[str, text(128, 1)]] = Field(default_factory=list)
    untagged: Flag = False

    def described(self, priority: int) -> Object:
        """The rule in ECR's own form. https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html"""
        status = "untagged" if self.untagged else "tagged" if self.tag_prefixes else "any"
        count: Object = (
            {"countType": "imageCountMoreThan", "countNumber": self.keep}
            if self.keep is not None
            else {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": self.days}
        )
        tags = {"tagPrefixList": self.tag_prefixes} if self.tag_prefixes else {}
        return {
            "rulePriority": priority,
            **({"description": self.description} if self.description else {}),
            "selection": {"tagStatus": status, **tags, **count},
            "action": {"type": "expire"},
        }


class Repository(ProtectedEntry):
    list_name: ClassVar[str] = "repositories"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = "Repositories of ECR"
    notes: ClassVar[Mapping[str, str]] = {"lifecycle": "`[{description, keep, days, tag_prefixes, untagged}]`"}

    name: RepositoryName
    immutable_tags: Flag = False
    scan_on_push: Flag = False
    lifecycle: list[LifecycleRule] = Field(default_factory=list)
    force_delete: Flag | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        for index, rule in enumerate(self.lifecycle):
            place = f"lifecycle[{index}]"
            if (rule.keep is None) == (rule.days is None):
                yield place, "must have one of keep and days"
            if rule.untagged and rule.tag_prefixes:
                yield f"{place}.tag_prefixes", "and untagged are both there"
            if not rule.untagged and not rule.tag_prefixes and index + 1 < len(self.lifecycle):
                yield place, "is for all images, so it must be the last one"

    def objects(self, context: Context) -> list[Object]:
        delete = context.target.emulated if self.force_delete is None else self.force_delete
        parameters = {
            "forceDelete": delete,
            "imageTagMutability": "IMMUTABLE" if self.immutable_tags else "MUTABLE",
            "imageScanningConfiguration": context.single({"scanOnPush": self.scan_on_push}),
            "tags": self.all_tags(context),
        }
        repository = protect(self, context.managed(self, "ecr", "Repository", parameters, external=self.name))
        return [repository, *(part_of(repository, one) for one in self._policies(context))]

    def _policies(self, context: Context) -> list[Object]:
        if not self.lifecycle:
            return []
        rules = [rule.described(priority) for priority, rule in enumerate(self.lifecycle, 1)]
        values = {"repository": self.name, "policy": as_json({"rules": rules})}
        return [context.managed(self, "ecr", "LifecyclePolicy", values)]


def _repository(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("ecr"), "describe_repositories", repositoryNames=[resource.external_name])
    if answer is None:
        return None
    known = answer["repositories"][0]
    tags = existing(aws.get("ecr"), "list_tags_for_resource", resourceArn=known["repositoryArn"]) or {}
    scanning = known.get("imageScanningConfiguration") or {}
    return {
        "imageTagMutability": known.get("imageTagMutability"),
        "imageScanningConfiguration": [{"scanOnPush": scanning.get("scanOnPush", False)}],
        "tags": tag_map(tags.get("tags") or []),
    }


def _lifecycle_policy(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("ecr"), "get_lifecycle_policy", repositoryName=resource.parameters["repository"])
    return {"policy": answer["lifecyclePolicyText"]} if answer else None


KINDS = (
    Kind(
        "ecr",
        "Repository",
        Repository,
        _repository,
        named_by_us=True,
        compare={"tags": TAGS},
        unobserved={"forceDelete": ON_DELETION},
    ),
    Kind(
        "ecr",
        "LifecyclePolicy",
        Repository,
        _lifecycle_policy,
        found_by=("repository",),
        refers_to=("ecr/Repository",),
        compare={"policy": Rule("json")},
    ),
)
