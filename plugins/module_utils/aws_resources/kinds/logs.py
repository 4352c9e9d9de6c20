# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudWatch Logs: groups."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, pages

from ..comparison import TAGS, Rule
from ..entry import Context, Object, ProtectedEntry, given, protect
from ..fields import ARN, Whole, named
from ..kind import Kind
from ..models import AfterValidator
from ..observe import Aws

GROUP, CLIENT = "cloudwatchlogs", "logs"
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
GroupName = Annotated[str, named(r"[A-Za-z0-9_/.#-]{1,512}", "1 to 512 letters, digits and _ - / . #")]
# API_PutRetentionPolicy.
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def _check_retention(days: int) -> int:
    if days not in RETENTIONS:
        raise ValueError(f"{days} is none of AWS's: {', '.join(map(str, RETENTIONS))}")
    return days


class LogGroup(ProtectedEntry):
    list_name: ClassVar[str] = "log_groups"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = "Groups of CloudWatch Logs"

    name: GroupName
    retention_days: Annotated[Whole, AfterValidator(_check_retention)] | None = None
    kms_key_arn: ARN | None = None

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            **given(self, {"retention_days": "retentionInDays", "kms_key_arn": "kmsKeyId"}),
            "tags": self.all_tags(context),
        }
        return [protect(self, context.managed(self, GROUP, "Group", parameters, external=self.name))]


def _group(aws: Aws, resource: ExternalResource) -> Json | None:
    logs, name = aws.get(CLIENT), resource.external_name
    listed = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    known = next((one for one in listed if one["logGroupName"] == name), None)
    if known is None:
        return None
    return {
        "kmsKeyId": known.get("kmsKeyId"),
        "retentionInDays": known.get("retentionInDays", 0),
        "tags": (existing(logs, "list_tags_log_group", logGroupName=name) or {}).get("tags") or {},
    }


KINDS = (
    Kind(
        GROUP,
        "Group",
        LogGroup,
        _group,
        named_by_us=True,
        client=CLIENT,
        compare={"tags": TAGS, "retentionInDays": Rule(cleared=0)},
    ),
)
