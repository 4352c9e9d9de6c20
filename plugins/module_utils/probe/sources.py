# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the probe's events are sent: a topic, or a queue."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import name_of
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import Event

Json = dict[str, t.Any]
# SNS and SQS take no more at once, in events and in bytes.
EVENTS_AT_ONCE = 10
BYTES_AT_ONCE = 256 * 1024
# What an event has in a request besides its message, in bytes, and generously.
BESIDE_MESSAGE = 4096


class Source(t.Protocol):
    """Takes events."""

    name: str

    def send(self, events: t.Sequence[Event], group: str | None) -> dict[str, str]:
        """Sends them, in one message group if one is given; what was refused and why, by the event's identifier."""


class TopicSource:
    """Publishes to a topic."""

    def __init__(self, sns: t.Any, arn: str) -> None:
        self.name = f"topic {name_of(arn)}"
        self._sns = sns
        self._arn = arn

    def send(self, events: t.Sequence[Event], group: str | None) -> dict[str, str]:
        requests = [
            {"Message": one.message, "MessageAttributes": one.attributes, **fifo(one, self._arn, group)}
            for one in events
        ]
        if len(requests) == 1:  # needs no permission for many
            self._sns.publish(TopicArn=self._arn, **requests[0])
            return {}
        answer = self._sns.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=numbered(requests))
        return refused(events, answer)


class QueueSource:
    """Sends to a queue."""

    def __init__(self, sqs: t.Any, name: str, url: str) -> None:
        self.name = f"queue {name}"
        self._sqs = sqs
        self._url = url

    def send(self, events: t.Sequence[Event], group: str | None) -> dict[str, str]:
        requests = [
            {"MessageBody": one.message, "MessageAttributes": one.attributes, **fifo(one, self._url, group)}
            for one in events
        ]
        if len(requests) == 1:
            self._sqs.send_message(QueueUrl=self._url, **requests[0])
            return {}
        return refused(events, self._sqs.send_message_batch(QueueUrl=self._url, Entries=numbered(requests)))


def fifo(event: Event, arn_or_url: str, group: str | None) -> dict[str, str]:
    """A group for each event, unless one is given: then none waits for another."""
    if arn_or_url.endswith(".fifo"):
        return {"MessageGroupId": group or event.id, "MessageDeduplicationId": event.id}
    return {"MessageGroupId": group} if group else {}


def numbered(requests: t.Iterable[Json]) -> list[Json]:
    return [{"Id": str(number), **one} for number, one in enumerate(requests)]


def refused(events: t.Sequence[Event], answer: Json) -> dict[str, str]:
    return {
        events[int(one["Id"])].id: f"{one.get('Code')}: {one.get('Message') or 'no message'}"
        for one in answer.get("Failed", [])
    }


def at_once(message: str) -> int:
    """How many events with such a message go into one request."""
    return max(1, min(EVENTS_AT_ONCE, BYTES_AT_ONCE // (len(message.encode()) + BESIDE_MESSAGE)))
