# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EventBridge: buses, and rules with the queues that they send to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, pages

from ..comparison import TAGS
from ..comparison import Rule as How
from ..entry import Context, Object, Problem, Sender, TaggedEntry, given, part_of
from ..fields import Flag, Model, Whole, as_json, named, number, short, text
from ..kind import NAME, Kind
from ..models import AfterValidator, Field
from ..observe import Aws, tag_map
from ..target import object_name
from .sns import FIFO

GROUP, CLIENT = "cloudwatchevents", "events"
DEFAULT_BUS = "default"
MOST_TARGETS = 5
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
BusName = Annotated[
    str,
    named(
        r"[A-Za-z0-9._-]{1,256}",
        "1 to 256 letters, digits, '.', '_' and '-'",
        refuse=lambda name: "this bus is always there" if name == DEFAULT_BUS else None,
    ),
]
RuleName = Annotated[str, named(r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, '.', '_' and '-'")]
SCHEDULE = re.compile(r"rate\(\d+ (minute|minutes|hour|hours|day|days)\)|cron\([^()]+\)")
Schedule = Annotated[str, named(SCHEDULE.pattern, "rate(5 minutes) or cron(0 10 * * ? *)")]


def _check_pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    if not pattern:
        raise ValueError("is empty; it would let every event through")
    if wrong := [
        short(key) for key, value in pattern.items() if key != "$or" and not isinstance(value, Mapping | list)
    ]:
        raise ValueError(f"{', '.join(wrong)} must have a list of values or a map")
    return pattern


class Bus(TaggedEntry):
    list_name: ClassVar[str] = "event_buses"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = "Buses of EventBridge"

    name: BusName

    def objects(self, context: Context) -> list[Object]:
        return [context.managed(self, GROUP, "Bus", {"tags": self.all_tags(context)}, external=self.name)]


class QueueTarget(Model):
    """A queue that gets the events: as they are, a part of them, or a text instead."""

    queue: str
    message_group_id: Annotated[str, text(128, 1)] | None = None
    input: Annotated[str, text(8192)] | None = None
    input_path: Annotated[str, text(256, 1)] | None = None
    dead_letter_queue: str | None = None
    max_age_seconds: Annotated[Whole, number(60, 86400)] | None = None
    max_attempts: Annotated[Whole, number(0, 185)] | None = None


class Rule(TaggedEntry):
    list_name: ClassVar[str] = "event_rules"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = (
        "Rules of EventBridge, and the queues that get what matches; the queues' policies follow from it"
    )
    notes: ClassVar[Mapping[str, str]] = {
        "event_pattern": "or `schedule` (one is required)",
        "targets": "`[{queue, message_group_id, input, input_path, dead_letter_queue, max_age_seconds, max_attempts}]`",
    }

    name: RuleName
    bus: str = DEFAULT_BUS
    event_pattern: Annotated[dict[str, Any], AfterValidator(_check_pattern)] | None = None
    schedule: Schedule | None = None
    description: Annotated[str, text(512)] | None = None
    enabled: Flag = True
    targets: list[QueueTarget] = Field(default_factory=list)

    @property
    def title(self) -> str:
        return self.name if self.bus == DEFAULT_BUS else f"{self.bus}.{self.name}"

    @classmethod
    def names_in(cls, raw: Mapping[str, Any]) -> list[str]:
        name, bus = raw.get("name"), raw.get("bus", DEFAULT_BUS)
        return [f"{bus}/{name}"] if isinstance(name, str) and isinstance(bus, str) else []

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        if self.bus != DEFAULT_BUS and not context.knows(Bus.list_name, self.bus):
            yield "bus", f"{short(self.bus)} is neither in aws_resources_event_buses nor 'default'"
        if self.event_pattern is None and self.schedule is None:
            yield "", "must have an event_pattern or a schedule"
        if self.schedule and self.bus != DEFAULT_BUS:
            yield "schedule", "is for the default bus only"
        if len(self.targets) > MOST_TARGETS:
            yield "targets", f"has {len(self.targets)} entries; AWS takes {MOST_TARGETS}"
        named = Counter(one.queue for one in self.targets)
        for index, target in enumerate(self.targets):
            yield from self._target_problems(f"targets[{index}]", target, context)
            if named[target.queue] > 1:
                yield f"targets[{index}].queue", f"{short(target.queue)} is there {named[target.queue]} times"

    def _target_problems(self, place: str, target: QueueTarget, context: Context) -> Iterable[Problem]:
        for field, name in (("queue", target.queue), ("dead_letter_queue", target.dead_letter_queue)):
            if name is not None and not context.knows("queues", name):
                yield f"{place}.{field}", f"{short(name)} is not in aws_resources_queues"
        if target.input is not None and target.input_path is not None:
            yield f"{place}.input_path", "and input are both there"
        if target.queue.endswith(FIFO) and target.message_group_id is None:
            yield f"{place}.message_group_id", "is missing, as the queue is a FIFO queue"
        if target.message_group_id is not None and not target.queue.endswith(FIFO):
            yield f"{place}.message_group_id", "is for FIFO queues only"

    def arn(self, context: Context) -> str:
        bus = "" if self.bus == DEFAULT_BUS else f"{self.bus}/"
        return context.target.arn(CLIENT, f"rule/{bus}{self.name}")

    def sends(self, context: Context) -> Iterable[Sender]:
        for target in self.targets:
            for queue in filter(None, (target.queue, target.dead_letter_queue)):
                yield Sender(queue, "events.amazonaws.com", self.arn(context), "RulesSend")

    def objects(self, context: Context) -> list[Object]:
        """The rule and its targets, which name it and the bus: until these are there, the provider tries again by itself."""
        parameters = {
            "eventBusName": self.bus,
            **({"eventPattern": as_json(self.event_pattern)} if self.event_pattern else {}),
            **given(self, {"schedule": "scheduleExpression", "description": "description"}),
            "state": "ENABLED" if self.enabled else "DISABLED",
            "tags": self.all_tags(context),
        }
        rule = context.managed(self, GROUP, "Rule", parameters, external=self.name)
        return [rule, *(part_of(rule, self._target(one, context)) for one in self.targets)]

    def _target(self, wanted: QueueTarget, context: Context) -> Object:
        arn = context.target.arn
        retry = given(wanted, {"max_age_seconds": "maximumEventAgeInSeconds", "max_attempts": "maximumRetryAttempts"})
        blocks: dict[str, Object] = {
            "sqsTarget": given(wanted, {"message_group_id": "messageGroupId"}),
            "deadLetterConfig": {"arn": arn("sqs", wanted.dead_letter_queue)} if wanted.dead_letter_queue else {},
            "retryPolicy": retry,
        }
        parameters = {
            "eventBusName": self.bus,
            "rule": self.name,
            "targetId": object_name(wanted.queue)[:64],
            "arn": arn("sqs", wanted.queue),
            **given(wanted, {"input": "input", "input_path": "inputPath"}),
            **{name: context.single(block) for name, block in blocks.items() if block},
        }
        return context.managed(self, GROUP, "Target", parameters, part=context.base_name("queues", wanted.queue))


def _bus(aws: Aws, resource: ExternalResource) -> Json | None:
    events = aws.get(CLIENT)
    answer = existing(events, "describe_event_bus", Name=resource.external_name)
    return None if answer is None else {"tags": _tags(events, answer["Arn"])}


def _rule(aws: Aws, resource: ExternalResource) -> Json | None:
    events, bus = aws.get(CLIENT), resource.parameters.get("eventBusName", DEFAULT_BUS)
    answer = existing(events, "describe_rule", Name=resource.external_name, EventBusName=bus)
    if answer is None:
        return None
    return {
        "description": answer.get("Description"),
        "eventPattern": answer.get("EventPattern"),
        "scheduleExpression": answer.get("ScheduleExpression"),
        "state": answer.get("State"),
        "tags": _tags(events, answer["Arn"]),
    }


def _tags(events: Any, arn: str) -> dict[str, str]:
    return tag_map((existing(events, "list_tags_for_resource", ResourceARN=arn) or {}).get("Tags") or [])


def _rule_target(aws: Aws, resource: ExternalResource) -> Json | None:
    wanted, bus = resource.parameters, resource.parameters.get("eventBusName", DEFAULT_BUS)
    if existing(aws.get(CLIENT), "describe_rule", Name=wanted["rule"], EventBusName=bus) is None:
        return None
    listed = pages(aws.get(CLIENT), "list_targets_by_rule", "Targets", Rule=wanted["rule"], EventBusName=bus)
    return next((_target_fields(one) for one in listed if one["Id"] == wanted["targetId"]), None)


def _target_fields(target: Json) -> Json:
    queue, dead, retry = (target.get(name) or {} for name in ("SqsParameters", "DeadLetterConfig", "RetryPolicy"))
    return {
        "arn": target.get("Arn"),
        "input": target.get("Input"),
        "inputPath": target.get("InputPath"),
        "sqsTarget": [{"messageGroupId": queue.get("MessageGroupId")}] if queue else [],
        "deadLetterConfig": [{"arn": dead.get("Arn")}] if dead else [],
        "retryPolicy": [
            {
                "maximumEventAgeInSeconds": retry.get("MaximumEventAgeInSeconds"),
                "maximumRetryAttempts": retry.get("MaximumRetryAttempts"),
            }
        ]
        if retry
        else [],
    }


KINDS = (
    Kind(GROUP, "Bus", Bus, _bus, named_by_us=True, client=CLIENT, compare={"tags": TAGS}),
    Kind(
        GROUP,
        "Rule",
        Rule,
        _rule,
        found_by=("eventBusName", NAME),
        immutable=frozenset({"eventBusName"}),
        named_by_us=True,
        refers_to=(f"{GROUP}/Bus",),
        compare={"tags": TAGS, "eventPattern": How("json"), "description": How(cleared="")},
        client=CLIENT,
    ),
    Kind(
        GROUP,
        "Target",
        Rule,
        _rule_target,
        found_by=("eventBusName", "rule", "targetId"),
        immutable=frozenset({"eventBusName", "rule", "targetId"}),
        named_by_us=True,
        refers_to=(f"{GROUP}/Rule", "sqs/Queue"),
        client=CLIENT,
    ),
)
