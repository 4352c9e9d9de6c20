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

from ansible_collections.localcloud.stack.plugins.module_utils import probe_filter

Json = dict[str, t.Any]

KEY = "Id"
# gosoline's message attributes; 'trace' asks the stack's own consumer to write a Trace map into the item.
ATTRIBUTES = {"encoding": "application/json", "trace": "true"}
HOPS = {
    "topic_to_queue": ("PublishedAt", "QueuedAt"),
    "queue_to_consumer": ("QueuedAt", "ReceivedAt"),
    "consumer_to_table": ("ReceivedAt", "StoredAt"),
}


# SNS delivers no raw message with more attributes, and tells nobody.
RAW_ATTRIBUTES = 10
MAX_COUNT = 10_000


class Event(t.NamedTuple):
    """A marked event, ready for SNS. C(number) is its place among those of one run."""

    id: str
    number: int
    message: str
    attributes: dict[str, dict[str, str]]

    @property
    def key(self) -> dict[str, dict[str, str]]:
        return {KEY: {"S": self.id}}


class Evidence(t.NamedTuple):
    """What topic and queue look like after the event failed to arrive."""

    topic: str
    queue: str
    table: str | None  # None where the queue is the events' end
    subscriptions: list[Json]  # of the topic to this queue
    depth: dict[str, int]
    policy: Json | None
    topic_arn: str
    queue_arn: str
    dead_letter_queue: str | None = None
    new_dead_letters: int | None = None
    attributes: Json = ATTRIBUTES
    message: str = ""


class Diagnosis(t.NamedTuple):
    """Which hop lost the event, why, and what to do."""

    lost_at: str
    cause: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.cause}. {self.next_step}."


def make_events(count: int, attributes: Json, now: datetime.datetime) -> list[Event]:
    """Events in gosoline's format: the body as JSON text beside its attributes, which are also the message's."""
    run = f"probe-{uuid.uuid4()}"
    width = len(str(count - 1))
    created = now.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    names = [run] if count == 1 else [f"{run}-{number:0{width}}" for number in range(count)]
    return [make_event(name, number, attributes, created) for number, name in enumerate(names)]


def make_event(event_id: str, number: int, attributes: Json, created: str) -> Event:
    body = json.dumps({"Id": event_id, "Number": number, "CreatedAt": created})
    typed = {name: typed_attribute(value) for name, value in attributes.items()}
    texts = {name: one["StringValue"] for name, one in typed.items()}
    return Event(event_id, number, json.dumps({"attributes": texts, "body": body}), typed)


def typed_attribute(value: t.Any) -> dict[str, str]:
    """An attribute as SNS takes it. SNS has no true and false of its own, but in lists."""
    if isinstance(value, list):
        return {"DataType": "String.Array", "StringValue": json.dumps(value)}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"DataType": "Number", "StringValue": str(value)}
    return {"DataType": "String", "StringValue": json.dumps(value) if isinstance(value, bool) else str(value)}


def id_in(body: str) -> str | None:
    """The identifier of the probe's event in a queue's message, in SNS's envelope or raw; None for all others."""
    document = _json_object(body)
    if "Message" in document:
        document = _json_object(document["Message"])
    found = _json_object(document.get("body")).get(KEY)
    return found if isinstance(found, str) and found.startswith("probe-") else None


def published_at(body: str) -> float | None:
    """When SNS says that it took the message, in ms since the epoch; None for a raw one."""
    stamp = _json_object(body).get("Timestamp")
    try:
        return datetime.datetime.fromisoformat(stamp).timestamp() * 1000 if isinstance(stamp, str) else None
    except ValueError:
        return None


def _json_object(text: t.Any) -> Json:
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def attributes_for(subscription: Json | None, given: Json) -> Json:
    """What the events carry: gosoline's attributes, the user's, and, without those, what a simple filter asks for."""
    attributes = ATTRIBUTES | given
    policy = (subscription or {}).get("filter_policy")
    if given or not policy or (subscription or {}).get("filter_policy_scope") == "MessageBody":
        return attributes
    return probe_filter.satisfying(policy, attributes) or attributes


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


def stations(sent: int, arrived: int, evidence: Evidence | None, table: bool) -> dict[str, int]:
    """How many messages are at each station. Those of a queue may be others', and are approximate in real AWS."""
    found = {"published": sent}
    if evidence:
        found |= {
            "waiting_in_queue": evidence.depth["visible"] + evidence.depth["delayed"],
            "in_flight": evidence.depth["in_flight"],
        }
        if evidence.new_dead_letters is not None:
            found["in_dead_letter_queue"] = evidence.new_dead_letters
    return {**found, "in_table" if table else "received": arrived}


def request_problems(
    until: str, table: str | None, queue: str | None, count: int, rate: float | None, timeout: float, attributes: Json
) -> list[str]:
    """All that is wrong with what the user asks for, as far as that can be seen without looking at AWS."""
    own = sorted(set(attributes) & set(ATTRIBUTES))
    found = [
        (until == "table" and not table, "table is missing; without one, probe with until: queue."),
        (until == "queue" and not queue, "until: queue needs a queue."),
        (not 1 <= count <= MAX_COUNT, f"count is {count}, but must be between 1 and {MAX_COUNT}."),
        (rate is not None and rate <= 0, f"rate is {rate}, but must be above 0; leave it out to send all at once."),
        (timeout <= 0, f"timeout is {timeout}, but must be above 0."),
        (bool(own), f"message_attributes has {', '.join(own)}, which the probe sets itself."),
        *(
            (
                not isinstance(value, (str, int, float, list)) or value in ("", []),
                f"message_attributes.{name} is {json.dumps(value)}, but must be a text, a number or a list.",
            )
            for name, value in attributes.items()
        ),
    ]
    return [problem for wrong, problem in found if wrong]


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


def filtered_out_by(subscription: Json, attributes: Json, message: str = "") -> list[str]:
    """Keys of a filter policy that hold such a message back for certain."""
    policy = subscription.get("filter_policy") or {}
    by_body = subscription.get("filter_policy_scope") == "MessageBody"
    return probe_filter.unmet(policy, _json_object(message) if by_body else attributes)


def no_way(topic: str, queue: str, subscriptions: list[Json], attributes: Json, message: str) -> Diagnosis | None:
    """Why no event can get from the topic into the queue, as far as the subscriptions of the two tell for certain."""
    if not subscriptions:
        return Diagnosis(
            "subscription",
            f"Queue {queue} is not subscribed to topic {topic}, so the topic has nowhere to send it",
            "Create the TopicSubscription (protocol sqs) and wait until it is Ready",
        )
    subscription = subscriptions[0]
    if not subscription.get("confirmed", True):
        return Diagnosis(
            "subscription",
            f"Queue {queue}'s subscription to topic {topic} is not confirmed, so nothing is sent to it",
            "Confirm it, or create it anew from the account that owns the queue",
        )
    if unmet := filtered_out_by(subscription, attributes, message):
        by_body = subscription.get("filter_policy_scope") == "MessageBody"
        what = f"body is {message}" if by_body else f"attributes are {json.dumps(attributes)}"
        return Diagnosis(
            "subscription",
            f"The subscription's filter policy on {', '.join(unmet)} drops the event, whose {what}. "
            f"The policy is {json.dumps(subscription['filter_policy'])}",
            "Widen the filter policy, or probe by a topic that is not filtered"
            if by_body
            else "Give matching message_attributes, or widen the filter policy",
        )
    if subscription.get("raw") and len(attributes) > RAW_ATTRIBUTES:
        return Diagnosis(
            "subscription",
            f"The subscription delivers raw messages, of which SNS drops those with more than {RAW_ATTRIBUTES} "
            f"attributes, and the event has {len(attributes)}",
            f"Give at most {RAW_ATTRIBUTES - len(ATTRIBUTES)} message_attributes",
        )
    return None


def diagnose(seen: Evidence) -> Diagnosis:
    """Which hop lost the event. Goes along its way: the first hop that can't have worked is the one."""
    waiting, in_flight = seen.depth["visible"] + seen.depth["delayed"], seen.depth["in_flight"]
    if found := no_way(seen.topic, seen.queue, seen.subscriptions, seen.attributes, seen.message):
        return found
    allowed = policy_allows(seen.policy, seen.topic_arn, seen.queue_arn)
    if not allowed and not waiting and not in_flight and not seen.new_dead_letters:
        why = "has no policy" if not seen.policy else "has a policy that does not let the topic send"
        return Diagnosis(
            "topic_to_queue",
            f"Queue {seen.queue} {why} (sqs:SendMessage for sns.amazonaws.com from {seen.topic_arn}) and is empty",
            "Correct the QueuePolicy",
        )
    if seen.table is None:
        return _not_received(seen, waiting, in_flight)
    raw = (
        "; the subscription sends raw messages, which the consumer must expect (gosoline's does not)"
        if seen.subscriptions[0].get("raw")
        else ""
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


def _not_received(seen: Evidence, waiting: int, in_flight: int) -> Diagnosis:
    """Why the probe itself, reading the queue, did not get an event."""
    if in_flight:
        return Diagnosis(
            "queue_to_consumer",
            f"Somebody else holds {in_flight} message(s) of queue {seen.queue}; likely a consumer reads it, too",
            "Probe with until: table, or give a queue that nobody else reads",
        )
    if seen.new_dead_letters:
        return Diagnosis(
            "queue_to_consumer",
            f"Dead-letter queue {seen.dead_letter_queue} got {seen.new_dead_letters} message(s) of queue {seen.queue}; "
            "likely a consumer reads it, too, and fails",
            "Look at the dead letters, and give a queue that nobody else reads",
        )
    if waiting:
        return Diagnosis(
            "queue_to_consumer",
            f"Queue {seen.queue} holds {waiting} waiting message(s); likely the timeout is too short for so many",
            "Lengthen the timeout, or send fewer events",
        )
    return Diagnosis(
        "topic_to_queue",
        f"Queue {seen.queue} is empty; likely SNS did not deliver it (a key of KMS that SNS may not use?), or another "
        "reader took it",
        "Look at the topic's delivery status log, and whether somebody else reads the queue",
    )


NO_QUEUE = Diagnosis(
    "unknown",
    "Without the queue's name nothing more can be said",
    "Give 'queue' to have its subscription, policy and depth looked at",
)
