# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe's event, what its trace tells, and where it got lost. Pure: no boto3, no Ansible."""

from __future__ import annotations

import datetime
import fnmatch
import json
import typing as t
import uuid

Json = dict[str, t.Any]

KEY = "Id"
# gosoline's message attributes; 'trace' asks the stack's own consumer to write a Trace map into the item.
ATTRIBUTES = {"encoding": "application/json", "trace": "true"}
HOPS = {
    "topic_to_queue": ("PublishedAt", "QueuedAt"),
    "queue_to_consumer": ("QueuedAt", "ReceivedAt"),
    "consumer_to_table": ("ReceivedAt", "StoredAt"),
}


class Event(t.NamedTuple):
    """A marked event, ready for SNS."""

    id: str
    message: str
    attributes: dict[str, dict[str, str]]

    @property
    def key(self) -> dict[str, dict[str, str]]:
        return {KEY: {"S": self.id}}


class Evidence(t.NamedTuple):
    """What topic and queue look like after the event failed to arrive."""

    topic: str
    queue: str
    table: str
    subscriptions: list[Json]  # of the topic to this queue
    depth: dict[str, int]
    policy: Json | None
    topic_arn: str
    queue_arn: str
    dead_letter_queue: str | None = None
    new_dead_letters: int | None = None


class Diagnosis(t.NamedTuple):
    """Which hop lost the event, why, and what to do."""

    lost_at: str
    cause: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.cause}. {self.next_step}."


def make_event(now: datetime.datetime) -> Event:
    """An event in gosoline's format: the body as JSON text beside its attributes, which are also the message's."""
    event_id = f"probe-{uuid.uuid4()}"
    created = now.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = json.dumps({"Id": event_id, "Number": 0, "CreatedAt": created})
    return Event(
        id=event_id,
        message=json.dumps({"attributes": ATTRIBUTES, "body": body}),
        attributes={name: {"DataType": "String", "StringValue": value} for name, value in ATTRIBUTES.items()},
    )


def latencies(
    trace: t.Any, publish: float | None, total: float | None, published_at: float | None = None
) -> dict[str, int | None]:
    """Milliseconds per hop. Hops come from the item's trace; a consumer that writes none leaves them empty.

    C(published_at) is when publishing began by our own clock, in ms. It stands in where the topic stamps whole seconds
    only (MiniStack does) and both clocks agree on the second.
    """
    stamps = dict(trace) if isinstance(trace, dict) else {}
    stamps["PublishedAt"] = _precise(stamps.get("PublishedAt"), published_at)
    whole = _ms(total)
    figures: dict[str, int | None] = {"publish": _ms(publish)}
    for hop, (start, end) in HOPS.items():
        figures[hop] = _between(stamps.get(start), stamps.get(end), whole)
    figures["total"] = whole
    return figures


def _precise(stamp: t.Any, ours: float | None) -> float | None:
    if not isinstance(stamp, (int, float)):
        return None
    if stamp % 1000:
        return stamp
    return ours if ours is not None and 0 <= ours - stamp < 1000 else None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _between(start: t.Any, end: t.Any, whole: int | None) -> int | None:
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return None
    # Clocks of different machines may differ by a little: less than nothing is nothing, more than the whole is no
    # figure.
    hop = max(0, round(end - start))
    return None if whole is not None and hop > whole else hop


def key_problem(table: str, key_schema: list[Json]) -> str | None:
    """What keeps the probe from finding its item in a table with such keys."""
    if [(key["name"], key["key_type"]) for key in key_schema] == [(KEY, "HASH")] and key_schema[0]["type"] in (
        None,
        "S",
    ):
        return None
    found = ", ".join(f"{key['name']} ({key['key_type']}, {key['type']})" for key in key_schema) or "none"
    return (
        f"Table {table} has the keys {found}, but the probe looks for its item by a text hash key {KEY} alone; "
        f"likely another table is meant. Give the table that the consumer writes events to, or make its key {KEY}."
    )


def policy_allows(policy: Json | None, topic_arn: str, queue_arn: str) -> bool:
    """Whether a queue's policy lets SNS send from this topic. Conditions that aren't about the source count as met."""
    statements = _list((policy or {}).get("Statement"))
    applying = [one for one in statements if _applies(one, topic_arn, queue_arn)]
    return any(one.get("Effect") == "Allow" for one in applying) and not any(
        one.get("Effect") == "Deny" for one in applying
    )


def _applies(statement: Json, topic_arn: str, queue_arn: str) -> bool:
    return (
        _to_sns(statement.get("Principal"))
        and any(_like("sqs:sendmessage", str(action).lower()) for action in _list(statement.get("Action")))
        and any(_like(queue_arn, str(resource)) for resource in _list(statement.get("Resource", "*")))
        and _from_topic(statement.get("Condition") or {}, topic_arn)
    )


def _to_sns(principal: t.Any) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return "*" in _list(principal.get("AWS")) or bool({"sns.amazonaws.com", "*"} & set(_list(principal.get("Service"))))


def _from_topic(condition: Json, topic_arn: str) -> bool:
    for tests in condition.values():
        for name, patterns in tests.items():
            if name.lower() == "aws:sourcearn" and not any(
                _like(topic_arn, str(pattern)) for pattern in _list(patterns)
            ):
                return False
    return True


def _like(value: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(value, pattern)


def _list(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def filtered_out_by(subscription: Json) -> list[str]:
    """Attribute names in a filter policy that the probe's attributes can't meet. Only plain texts are judged."""
    policy = subscription.get("filter_policy") or {}
    if subscription.get("filter_policy_scope") == "MessageBody":
        return []
    return [
        name
        for name, allowed in policy.items()
        if all(isinstance(one, str) for one in _list(allowed)) and ATTRIBUTES.get(name) not in _list(allowed)
    ]


def diagnose(seen: Evidence) -> Diagnosis:
    """Which hop lost the event. Goes along its way: the first hop that can't have worked is the one."""
    waiting, in_flight = seen.depth["visible"] + seen.depth["delayed"], seen.depth["in_flight"]
    if not seen.subscriptions:
        return Diagnosis(
            "subscription",
            f"Queue {seen.queue} is not subscribed to topic {seen.topic}, so the topic has nowhere to send it",
            "Create the TopicSubscription (protocol sqs) and wait until it is Ready",
        )
    subscription = seen.subscriptions[0]
    if not subscription.get("confirmed", True):
        return Diagnosis(
            "subscription",
            f"Queue {seen.queue}'s subscription to topic {seen.topic} is not confirmed, so nothing is sent to it",
            "Confirm it, or create it anew from the account that owns the queue",
        )
    if unmet := filtered_out_by(subscription):
        return Diagnosis(
            "subscription",
            f"The subscription's filter policy on {', '.join(unmet)} drops the event, whose attributes are "
            f"{json.dumps(ATTRIBUTES)}",
            "Widen the filter policy, or probe by a topic that is not filtered",
        )
    allowed = policy_allows(seen.policy, seen.topic_arn, seen.queue_arn)
    if not allowed and not waiting and not in_flight and not seen.new_dead_letters:
        why = "has no policy" if not seen.policy else "has a policy that does not let the topic send"
        return Diagnosis(
            "topic_to_queue",
            f"Queue {seen.queue} {why} (sqs:SendMessage for sns.amazonaws.com from {seen.topic_arn}) and is empty",
            "Correct the QueuePolicy",
        )
    raw = (
        "; the subscription sends raw messages, but gosoline expects SNS's envelope" if subscription.get("raw") else ""
    )
    if waiting and in_flight:
        return Diagnosis(
            "queue_to_consumer",
            f"Queue {seen.queue} holds {waiting} waiting message(s) while a consumer works on {in_flight}; "
            f"likely the consumer is behind, or fails and gets them again{raw}",
            "Look at the consumer's log for errors; without any, add replicas or lengthen the timeout",
        )
    if waiting:
        return Diagnosis(
            "queue_to_consumer",
            f"Queue {seen.queue} holds {waiting} waiting message(s), so its consumer does not read; "
            "likely it is not running or reads another queue",
            "Look at the consumer's pod and log",
        )
    if in_flight:
        return Diagnosis(
            "consumer_to_table",
            f"A consumer holds {in_flight} message(s) of queue {seen.queue}, but no item came; "
            f"likely writing to table {seen.table} fails{raw}",
            "Look at the consumer's log for errors of DynamoDB or of decoding",
        )
    if seen.new_dead_letters:
        return Diagnosis(
            "consumer_to_table",
            f"Queue {seen.queue} is empty, but its dead-letter queue {seen.dead_letter_queue} got "
            f"{seen.new_dead_letters} message(s): the consumer took the event and failed{raw}",
            "Look at the consumer's log and at the dead letters",
        )
    return Diagnosis(
        "consumer_to_table",
        f"Queue {seen.queue} is empty, so the event was taken, but no item came; "
        f"likely a consumer writes to another table than {seen.table}, drops what it cannot decode, "
        f"or another consumer reads this queue{raw}",
        "Compare the consumer's table setting, and look at its log",
    )


NO_QUEUE = Diagnosis(
    "unknown",
    "Without the queue's name nothing more can be said",
    "Give 'queue' to have its subscription, policy and depth looked at",
)
