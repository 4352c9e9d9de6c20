# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an event got lost, by what topic, queue and destination look like. Pure: no boto3, no Ansible."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.probe import filter_policy, queue_policy
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import ATTRIBUTES, json_object

Json = dict[str, t.Any]

# SNS delivers no raw message with more attributes, and reports no error.
RAW_ATTRIBUTES = 10


class Place(t.NamedTuple):
    """Where a consumer puts what it makes of an event. C(kind) is C(table), C(bucket) or C(queue)."""

    kind: str
    name: str

    @property
    def hop(self) -> str:
        return f"consumer_to_{self.kind}"

    @property
    def holds(self) -> str:
        """What arrives there."""
        return {"table": "item", "bucket": "object", "queue": "message"}[self.kind]

    @property
    def writing(self) -> str:
        return f"{'sending' if self.kind == 'queue' else 'writing'} to {self}"

    @property
    def service(self) -> str:
        return {"table": "DynamoDB", "bucket": "S3", "queue": "SQS"}[self.kind]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Evidence(t.NamedTuple):
    """What topic and queue look like after the event failed to arrive."""

    topic: str | None  # None where events are sent to the queue
    queue: str
    place: Place | None  # None where the probe itself reads the queue
    subscriptions: list[Json]  # of the topic to this queue
    depth: dict[str, int]
    policy: Json | None
    topic_arn: str
    queue_arn: str
    dead_letter_queue: str | None = None
    new_dead_letters: int | None = None
    attributes: Json = ATTRIBUTES
    message: str = ""
    gosoline: bool = True  # whether the event is in gosoline's format


class Diagnosis(t.NamedTuple):
    """Which hop lost the event, why, and what to do."""

    lost_at: str
    cause: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.cause}. {self.next_step}."


def stations(sent: int, arrived: int, evidence: Evidence | None, until: str) -> dict[str, int]:
    """How many messages are at each station. Those of a queue may be others', and are approximate in real AWS."""
    found = {"published": sent}
    if evidence:
        found |= {
            "waiting_in_queue": evidence.depth["visible"] + evidence.depth["delayed"],
            "in_flight": evidence.depth["in_flight"],
        }
        if evidence.new_dead_letters is not None:
            found["in_dead_letter_queue"] = evidence.new_dead_letters
    return {**found, "received" if until == "queue" else f"in_{until}": arrived}


def _verdict(seen: Evidence) -> queue_policy.Verdict:
    return queue_policy.verdict(seen.policy, seen.topic_arn, seen.queue_arn)


def policy_allows(seen: Evidence) -> bool:
    """Whether the queue's policy lets the topic send, as far as that is known."""
    return _verdict(seen).allowed


def filtered_out_by(subscription: Json, attributes: Json, message: str = "") -> list[str]:
    """Keys of a filter policy that hold such a message back for certain."""
    policy = subscription.get("filter_policy") or {}
    by_body = subscription.get("filter_policy_scope") == "MessageBody"
    return filter_policy.unmet(policy, json_object(message) if by_body else attributes)


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
            "Confirm it, or create it again from the account that owns the queue",
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
            f"Give at most {RAW_ATTRIBUTES - len(ATTRIBUTES.keys() & attributes)} message_attributes",
        )
    return None


def diagnose(seen: Evidence) -> Diagnosis:
    """Which hop lost the event. Goes along its way: the first hop that can't have worked is the one."""
    waiting, in_flight = seen.depth["visible"] + seen.depth["delayed"], seen.depth["in_flight"]
    if seen.topic is not None and (found := _not_in_queue(seen, seen.topic, waiting + in_flight)):
        return found
    if seen.place is None:
        return _not_received(seen, waiting, in_flight)
    return _not_consumed(seen, seen.place, waiting, in_flight)


def _not_in_queue(seen: Evidence, topic: str, held: int) -> Diagnosis | None:
    """Why the topic cannot have sent it into the queue."""
    if found := no_way(topic, seen.queue, seen.subscriptions, seen.attributes, seen.message):
        return found
    found = _verdict(seen)
    if found.allowed or held or seen.new_dead_letters:
        return None
    return Diagnosis(
        "topic_to_queue",
        f"Queue {seen.queue} {found.refusal} (sqs:SendMessage for sns.amazonaws.com from {seen.topic_arn}) and is empty",
        "Correct the QueuePolicy",
    )


def _not_consumed(seen: Evidence, place: Place, waiting: int, in_flight: int) -> Diagnosis:
    """Why the queue's consumer has not put it where it is to arrive."""
    raw = (
        "; the subscription sends raw messages, which the consumer must expect"
        + (" (gosoline's does not)" if seen.gosoline else "")
        if seen.subscriptions and seen.subscriptions[0].get("raw")
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
            place.hop,
            f"A consumer holds {in_flight} message(s) of queue {seen.queue}, but no {place.holds} came; "
            f"likely {place.writing} fails{raw}",
            f"Look at the consumer's log for errors of {place.service} or of decoding",
        )
    if seen.new_dead_letters:
        return Diagnosis(
            place.hop,
            f"Queue {seen.queue} is empty, but its dead-letter queue {seen.dead_letter_queue} got "
            f"{seen.new_dead_letters} message(s): the consumer took the event and failed{raw}",
            "Look at the consumer's log and at the dead letters",
        )
    return Diagnosis(
        place.hop,
        f"Queue {seen.queue} is empty, so the event was taken, but no {place.holds} came; "
        f"likely a consumer writes to another {place.kind} than {place.name}, drops what it cannot decode, "
        f"leaves the event's Id out{_where_looked(place)}, or another consumer reads this queue{raw}{_doubts(seen)}",
        f"Compare the consumer's {place.kind} setting, and look at its log",
    )


def _doubts(seen: Evidence) -> str:
    """What of the queue's policy may keep the topic from sending, which can't be decided from here."""
    doubts = _verdict(seen).doubts if seen.topic is not None else ""
    return f"; or the topic may not send: of the queue's policy, {doubts}" if doubts else ""


def _where_looked(place: Place) -> str:
    return {"table": " of the item's key", "bucket": " of key and body, or compresses it", "queue": " of the message"}[
        place.kind
    ]


def _not_received(seen: Evidence, waiting: int, in_flight: int) -> Diagnosis:
    """Why the probe itself, reading the queue, did not get an event."""
    if in_flight:
        return Diagnosis(
            "queue_to_consumer",
            f"{in_flight} message(s) of queue {seen.queue} are in flight; likely another consumer receives them",
            "Probe with until: table, or give a queue without other consumers",
        )
    if seen.new_dead_letters:
        return Diagnosis(
            "queue_to_consumer",
            f"Dead-letter queue {seen.dead_letter_queue} got {seen.new_dead_letters} message(s) of queue {seen.queue}; "
            "likely a consumer reads it, too, and fails",
            "Look at the dead letters, and give a queue without other consumers",
        )
    if waiting:
        return Diagnosis(
            "queue_to_consumer",
            f"Queue {seen.queue} holds {waiting} waiting message(s); likely the timeout is too short for so many",
            "Lengthen the timeout, or send fewer events",
        )
    if seen.topic is None:
        return Diagnosis(
            "queue_to_consumer",
            f"Queue {seen.queue} is empty; likely another reader took it",
            "Look whether the queue has another consumer",
        )
    return Diagnosis(
        "topic_to_queue",
        f"Queue {seen.queue} is empty; likely SNS did not deliver it (a key of KMS that SNS may not use?), or another "
        f"reader took it{_doubts(seen)}",
        "Look at the topic's delivery status log, and whether the queue has another consumer",
    )


NO_QUEUE = Diagnosis(
    "unknown",
    "Without the queue's name nothing more can be said",
    "Give 'queue' to have its subscription, policy and depth looked at",
)
