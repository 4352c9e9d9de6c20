"""EventBridge: buses, rules, patterns, queues as targets."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "eventbridge/latest/userguide/"
API = "eventbridge/latest/APIReference/"
PATTERNS = GUIDE + "eb-create-pattern-operators.html"


def _matched(aws: Aws, pattern: Any, passes: Mapping[str, Any], fails: Mapping[str, Any]) -> str | None:
    """Put an event that is to be kept back and then one that is to pass."""
    url = aws.queue()
    bus = aws.rule({"detail": pattern}, url)
    aws.send(bus, {**fails, "told": "fails"})
    aws.send(bus, {**passes, "told": "passes"})
    told = [json.loads(one)["detail"]["told"] for one in aws.take(url, 1, 6) + aws.take(url, 1, 1)]
    if "fails" in told:
        return "an event that does not match is delivered"
    return is_met(told == ["passes"], "an event that matches is not delivered")


@behaviour(
    "events.deliver.envelope",
    "A queue gets the event with version, id, source, detail-type, account, region, time, resources and detail",
    source=GUIDE + "eb-events-structure.html",
    hurts="wrong",
    without="consumers read another event than on AWS",
    features=["event_rules"],
)
def envelope(aws: Aws) -> str | None:
    url = aws.queue()
    bus = aws.rule({"source": ["compat"]}, url)
    sent = aws.send(bus, {"a": 1})
    told = json.loads(aws.take(url)[0])
    wanted = {
        "version": "0",
        "id": sent["Entries"][0]["EventId"],
        "source": "compat",
        "detail-type": "made",
        "account": aws.account,
        "region": aws.region,
        "resources": [],
        "detail": {"a": 1},
    }
    wrong = [
        name for name, value in {**wanted, "time": told.get("time") or "missing"}.items() if told.get(name) != value
    ]
    return is_met(not wrong, f"{', '.join(wrong)} differ")


@behaviour(
    "events.put.partial",
    "PutEvents names the entries that failed and puts the others",
    source=API + "API_PutEvents.html",
    hurts="lost",
    without="producers can't tell which events were lost",
)
def partial(aws: Aws) -> str | None:
    bus = aws.bus()
    entries = [
        {"EventBusName": bus, "Source": "compat", "DetailType": "made", "Detail": "{}"},
        {"EventBusName": bus, "Source": "compat", "DetailType": "made", "Detail": "no JSON"},
    ]
    answer = aws.events.put_events(Entries=entries)
    codes = [one.get("ErrorCode") for one in answer["Entries"]]
    return is_met((answer["FailedEntryCount"], codes) == (1, [None, "MalformedDetail"]), f"the codes are {codes}")


@behaviour(
    "events.put.limit",
    "PutEvents with more than ten entries is refused",
    source=API + "API_PutEvents.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def limit(aws: Aws) -> str | None:
    entry = {"EventBusName": aws.bus(), "Source": "compat", "DetailType": "made", "Detail": "{}"}
    return refused(aws.events.put_events, "Validation", Entries=[entry] * 11)


@behaviour(
    "events.pattern.exact",
    "A pattern delivers events whose fields have one of the values",
    source=GUIDE + "eb-event-patterns.html",
    hurts="lost",
    without="events that match are lost, or others come",
    features=["event_rules.event_pattern"],
)
def exact(aws: Aws) -> str | None:
    return _matched(aws, {"kind": ["made", "changed"]}, {"kind": "changed"}, {"kind": "gone"})


@behaviour(
    "events.pattern.nested",
    "A pattern is about fields of objects in objects, and lists match by one of their elements",
    source=GUIDE + "eb-event-patterns-arrays.html",
    hurts="lost",
    without="events that match are lost, or others come",
    features=["event_rules.event_pattern"],
)
def nested(aws: Aws) -> str | None:
    return _matched(aws, {"order": {"tags": ["a"]}}, {"order": {"tags": ["b", "a"]}}, {"order": {"tags": ["b"]}})


@behaviour(
    "events.pattern.prefix",
    "prefix delivers texts that begin so",
    source=PATTERNS,
    hurts="lost",
    without="events that match by prefix are lost",
    features=["event_rules.event_pattern.prefix"],
)
def prefix(aws: Aws) -> str | None:
    return _matched(aws, {"kind": [{"prefix": "or"}]}, {"kind": "order"}, {"kind": "for"})


@behaviour(
    "events.pattern.suffix",
    "suffix delivers texts that end so",
    source=PATTERNS,
    hurts="lost",
    without="events that match by suffix are lost",
    features=["event_rules.event_pattern.suffix"],
)
def suffix(aws: Aws) -> str | None:
    return _matched(aws, {"kind": [{"suffix": "er"}]}, {"kind": "order"}, {"kind": "orders"})


@behaviour(
    "events.pattern.wildcard",
    "wildcard delivers texts that match a pattern with *",
    source=PATTERNS,
    hurts="lost",
    without="events that match by wildcard are lost",
    features=["event_rules.event_pattern.wildcard"],
)
def wildcard(aws: Aws) -> str | None:
    return _matched(aws, {"kind": [{"wildcard": "or*r"}]}, {"kind": "order"}, {"kind": "orders"})


@behaviour(
    "events.pattern.numeric",
    "numeric delivers numbers of a range",
    source=PATTERNS,
    hurts="lost",
    without="events that match by a number's range are lost",
    features=["event_rules.event_pattern.numeric"],
)
def numeric(aws: Aws) -> str | None:
    return _matched(aws, {"price": [{"numeric": [">", 0, "<=", 150]}]}, {"price": 150}, {"price": 151})


@behaviour(
    "events.pattern.exists",
    "exists delivers events that lack a field",
    source=PATTERNS,
    hurts="lost",
    without="events that match by a field's absence are lost",
    features=["event_rules.event_pattern.exists"],
)
def exists(aws: Aws) -> str | None:
    return _matched(aws, {"test": [{"exists": False}]}, {"kind": "a"}, {"test": "yes"})


@behaviour(
    "events.pattern.anything_but",
    "anything-but delivers all other texts",
    source=PATTERNS,
    hurts="lost",
    without="events that match by anything-but are lost",
    features=["event_rules.event_pattern.anything_but"],
)
def anything_but(aws: Aws) -> str | None:
    return _matched(aws, {"kind": [{"anything-but": ["test"]}]}, {"kind": "order"}, {"kind": "test"})


@behaviour(
    "events.pattern.ignore_case",
    "equals-ignore-case delivers texts in any case",
    source=PATTERNS,
    hurts="lost",
    without="events that differ in case only are lost",
    features=["event_rules.event_pattern.equals_ignore_case"],
)
def ignore_case(aws: Aws) -> str | None:
    return _matched(aws, {"kind": [{"equals-ignore-case": "ORDER"}]}, {"kind": "Order"}, {"kind": "orders"})


@behaviour(
    "events.pattern.cidr",
    "cidr delivers IP addresses of a network",
    source=PATTERNS,
    hurts="lost",
    without="events that match by a network are lost",
    features=["event_rules.event_pattern.cidr"],
)
def cidr(aws: Aws) -> str | None:
    return _matched(aws, {"from": [{"cidr": "10.0.0.0/24"}]}, {"from": "10.0.0.9"}, {"from": "10.0.1.9"})


@behaviour(
    "events.pattern.or",
    "$or delivers events that match one of its patterns",
    source=PATTERNS,
    hurts="lost",
    without="events that match one of several patterns are lost",
    features=["event_rules.event_pattern.$or"],
)
def either(aws: Aws) -> str | None:
    pattern = {"$or": [{"kind": ["made"]}, {"size": ["s"]}]}
    return _matched(aws, pattern, {"kind": "gone", "size": "s"}, {"kind": "gone", "size": "l"})


@behaviour(
    "events.pattern.refused",
    "A pattern with an operator that does not exist is refused",
    source=API + "API_PutRule.html",
    hurts="accepted",
    without="a mistake in a pattern is noticed on AWS only",
)
def pattern_refused(aws: Aws) -> str | None:
    bus, name = aws.bus(), aws.name("rule")
    aws.afterwards(aws.events.delete_rule, Name=name, EventBusName=bus)
    pattern = json.dumps({"detail": {"kind": [{"begins-with": "a"}]}})
    return refused(aws.events.put_rule, "InvalidEventPattern", Name=name, EventBusName=bus, EventPattern=pattern)


@behaviour(
    "events.target.input",
    "A target's Input goes to the queue instead of the event",
    source=API + "API_PutTargets.html",
    hurts="wrong",
    without="consumers get the event instead of the target's input",
    features=["event_rules.targets.input"],
)
def given_input(aws: Aws) -> str | None:
    url = aws.queue()
    bus = aws.rule({"source": ["compat"]}, url, Input='{"a":1}')
    aws.send(bus, {"b": 2})
    found = [json.loads(one) for one in aws.take(url)]
    return is_met(found == [{"a": 1}], "another message comes" if found else "no message comes")


@behaviour(
    "events.target.input_path",
    "A target's InputPath sends that part of the event",
    source=API + "API_PutTargets.html",
    hurts="wrong",
    without="consumers get the whole event instead of a part",
    features=["event_rules.targets.input_path"],
)
def input_path(aws: Aws) -> str | None:
    url = aws.queue()
    bus = aws.rule({"source": ["compat"]}, url, InputPath="$.detail")
    aws.send(bus, {"b": 2})
    found = [json.loads(one) for one in aws.take(url)]
    return is_met(found == [{"b": 2}], "another message comes" if found else "no message comes")


@behaviour(
    "events.target.dead_letter",
    "An event that a target does not take goes to the target's dead-letter queue",
    source=GUIDE + "eb-rule-dlq.html",
    hurts="lost",
    without="an event that a queue does not take is lost",
    features=["event_rules.targets.dead_letter_queue"],
)
def dead_letter(aws: Aws) -> str | None:
    dead, url = aws.queue("dead"), aws.queue()
    bus = aws.rule({"source": ["compat"]}, url, DeadLetterConfig={"Arn": aws.queue_arn(dead)})
    rule = aws.events.describe_rule(Name=aws.name("rule"), EventBusName=bus)["Arn"]
    aws.let_send(dead, rule, "events")
    aws.sqs.delete_queue(QueueUrl=url)
    aws.send(bus, {"a": 1})
    return is_met(aws.take(dead), "the event does not come to the dead-letter queue")


@behaviour(
    "events.target.fifo",
    "A FIFO queue gets events with the target's message group",
    source=GUIDE + "eb-targets.html",
    hurts="lost",
    without="events for a FIFO queue are lost",
    features=["event_rules.targets.message_group_id"],
)
def fifo(aws: Aws) -> str | None:
    url = aws.fifo(ContentBasedDeduplication="true")
    bus = aws.rule({"source": ["compat"]}, url, SqsParameters={"MessageGroupId": "g"})
    aws.send(bus, {"a": 1})
    groups = [one["Attributes"].get("MessageGroupId") for one in aws.receive(url)]
    return is_met(groups == ["g"], f"the groups are {groups}")


@behaviour(
    "events.rule.disabled",
    "A disabled rule sends nothing",
    source=API + "API_DisableRule.html",
    hurts="wrong",
    without="a disabled rule goes on sending",
)
def disabled(aws: Aws) -> str | None:
    url = aws.queue()
    bus = aws.rule({"source": ["compat"]}, url)
    aws.events.disable_rule(Name=aws.name("rule"), EventBusName=bus)
    aws.send(bus, {"a": 1})
    return is_met(aws.quiet(url), "the event is delivered")


@behaviour(
    "events.rule.schedule",
    "A rule with a schedule sends an event each minute",
    source=GUIDE + "eb-create-rule-schedule.html",
    hurts="lost",
    without="a scheduled rule never sends",
    features=["event_rules.schedule"],
    slow=True,
)
def schedule(aws: Aws) -> str | None:
    url, name = aws.queue(), aws.name("rule")
    arn = aws.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")["RuleArn"]
    aws.afterwards(aws.events.delete_rule, Name=name)
    aws.let_send(url, arn, "events")
    aws.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": aws.queue_arn(url)}])
    aws.afterwards(aws.events.remove_targets, Rule=name, Ids=["queue"])
    return is_met(aws.take(url, 1, 130), "no event comes")


@behaviour(
    "events.bus.in_use",
    "A bus with a rule is not deleted",
    source=API + "API_DeleteEventBus.html",
    hurts="accepted",
    without="a bus with rules is deleted",
)
def in_use(aws: Aws) -> str | None:
    bus = aws.rule({"source": ["compat"]}, aws.queue())
    return refused(aws.events.delete_event_bus, "Validation", Name=bus)


@behaviour(
    "events.archive.replay",
    "An archive's events are replayed",
    source=GUIDE + "eb-archive.html",
    hurts="missing",
    without="events can't be archived and replayed",
    aws=False,
)
def archive(aws: Aws) -> str | None:
    url = aws.queue()
    bus = aws.rule({"source": ["compat"]}, url)
    arn = aws.events.describe_event_bus(Name=bus)["Arn"]
    made = aws.events.create_archive(ArchiveName=aws.name("ar"), EventSourceArn=arn)["ArchiveArn"]
    aws.afterwards(aws.events.delete_archive, ArchiveName=aws.name("ar"))
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    aws.send(bus, {"a": 1})
    if not aws.take(url):
        return "the event does not come at first"
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    given = {"EventSourceArn": made, "EventStartTime": begin, "EventEndTime": end, "Destination": {"Arn": arn}}
    aws.events.start_replay(ReplayName=aws.name("re"), **given)
    return is_met(aws.take(url), "no event is replayed")
