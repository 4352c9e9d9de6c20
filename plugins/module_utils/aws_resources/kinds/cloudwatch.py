# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudWatch: alarms of metrics, which tell declared topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, TaggedEntry, given
from ..fields import Flag, Number, Whole, named, number, short, text
from ..kind import Kind
from ..models import Field
from ..observe import Aws, tag_map

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
AlarmName = Annotated[str, named(r"[^\x00-\x1f]{1,255}", "1 to 255 characters")]
Comparison = Literal[
    "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
MOST_DIMENSIONS = 30
MOST_ACTIONS = 5
# Ours and Crossplane's.
FIELDS = {
    "metric": "metricName",
    "namespace": "namespace",
    "statistic": "statistic",
    "comparison": "comparisonOperator",
    "threshold": "threshold",
    "period_seconds": "period",
    "evaluation_periods": "evaluationPeriods",
    "datapoints": "datapointsToAlarm",
    "unit": "unit",
    "missing_data": "treatMissingData",
    "description": "alarmDescription",
    "actions_enabled": "actionsEnabled",
}
ACTIONS = {
    "alarm_actions": "alarmActions",
    "ok_actions": "okActions",
    "missing_data_actions": "insufficientDataActions",
}


class Alarm(TaggedEntry):
    list_name: ClassVar[str] = "alarms"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = "Alarms of CloudWatch; their actions are declared topics or ARNs"

    name: AlarmName
    metric: Annotated[str, text(255, 1)]
    namespace: Annotated[str, text(255, 1)]
    comparison: Comparison
    threshold: Number
    statistic: Literal["SampleCount", "Average", "Sum", "Minimum", "Maximum"] = "Average"
    period_seconds: Annotated[Whole, number(1, 86400)] = 60
    evaluation_periods: Annotated[Whole, number(1, 1440)] = 1
    datapoints: Annotated[Whole, number(1, 1440)] | None = None
    dimensions: dict[str, str] = Field(default_factory=dict)
    unit: Annotated[str, text(32, 1)] | None = None
    missing_data: Literal["breaching", "notBreaching", "ignore", "missing"] = "missing"
    description: Annotated[str, text(1024)] | None = None
    actions_enabled: Flag = True
    alarm_actions: list[str] = Field(default_factory=list)
    ok_actions: list[str] = Field(default_factory=list)
    missing_data_actions: list[str] = Field(default_factory=list)

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        if self.period_seconds not in (1, 5, 10, 20, 30) and self.period_seconds % 60:
            yield "period_seconds", f"{self.period_seconds} is neither 1, 5, 10, 20 or 30 nor a multiple of 60"
        if self.datapoints is not None and self.datapoints > self.evaluation_periods:
            yield "datapoints", f"{self.datapoints} are more than evaluation_periods, {self.evaluation_periods}"
        if len(self.dimensions) > MOST_DIMENSIONS:
            yield "dimensions", f"has {len(self.dimensions)} entries; AWS takes {MOST_DIMENSIONS}"
        for field in ACTIONS:
            names = getattr(self, field)
            if len(names) > MOST_ACTIONS:
                yield field, f"has {len(names)} entries; AWS takes {MOST_ACTIONS}"
            for index, name in enumerate(names):
                if not name.startswith("arn:") and not context.knows("topics", name):
                    yield f"{field}[{index}]", f"{short(name)} is neither in aws_resources_topics nor an ARN"

    def objects(self, context: Context) -> list[Object]:
        actions = {
            theirs: [name if name.startswith("arn:") else context.target.arn("sns", name) for name in names]
            for ours, theirs in ACTIONS.items()
            if (names := getattr(self, ours))
        }
        parameters = {
            **given(self, FIELDS),
            **({"dimensions": self.dimensions} if self.dimensions else {}),
            **actions,
            "tags": self.all_tags(context),
        }
        return [context.managed(self, "cloudwatch", "MetricAlarm", parameters, external=self.name)]


def _alarm(aws: Aws, resource: ExternalResource) -> Json | None:
    cloudwatch = aws.get("cloudwatch")
    listed = cloudwatch.describe_alarms(AlarmNames=[resource.external_name]).get("MetricAlarms") or []
    if not listed:
        return None
    known = listed[0]
    theirs = {name: name[0].upper() + name[1:] for name in (*FIELDS.values(), *ACTIONS.values())}
    theirs["okActions"] = "OKActions"
    tags = existing(cloudwatch, "list_tags_for_resource", ResourceARN=known["AlarmArn"]) or {}
    return {
        **{ours: known.get(name) for ours, name in theirs.items()},
        "treatMissingData": known.get("TreatMissingData") or "missing",
        "dimensions": {one["Name"]: one["Value"] for one in known.get("Dimensions") or []},
        "tags": tag_map(tags.get("Tags") or []),
    }


KINDS = (
    Kind(
        "cloudwatch",
        "MetricAlarm",
        Alarm,
        _alarm,
        named_by_us=True,
        refers_to=("sns/Topic",),
        compare={"tags": TAGS, "dimensions": Rule("map")},
    ),
)
