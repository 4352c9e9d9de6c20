# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe's events, and how they are known again where they arrive. Pure: no boto3, no Ansible."""

from __future__ import annotations

import datetime
import json
import re
import typing as t
import uuid

from ansible_collections.localcloud.stack.plugins.module_utils.probe import filter_policy, placeholders

Json = dict[str, t.Any]

KEY = "Id"
# gosoline's message attributes; 'trace' asks the stack's own consumer to write a Trace map into the item.
ATTRIBUTES = {"encoding": "application/json", "trace": "true"}
# What a body of the user's own may ask for as ${...}.
IN_BODY = ("id", "number", "time")
_ID = re.compile(r"probe-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:-\d+)?")


class Event(t.NamedTuple):
    """A marked event, ready to be sent. C(number) is its place among those of one run."""

    id: str
    number: int
    message: str
    attributes: dict[str, dict[str, str]]

    def key(self, name: str = KEY) -> dict[str, dict[str, str]]:
        """The key of its item, as DynamoDB takes it."""
        return {name: {"S": self.id}}


def make_events(count: int, attributes: Json, now: datetime.datetime, body: t.Any = None) -> list[Event]:
    """Events whose message is C(body) with its C(${id}), or, without one, in gosoline's format."""
    run = f"probe-{uuid.uuid4()}"
    width = len(str(count - 1))
    created = now.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    names = [run] if count == 1 else [f"{run}-{number:0{width}}" for number in range(count)]
    return [make_event(name, number, attributes, created, body) for number, name in enumerate(names)]


def make_event(event_id: str, number: int, attributes: Json, created: str, body: t.Any = None) -> Event:
    typed = {name: typed_attribute(value) for name, value in attributes.items()}
    if body is not None:
        return Event(event_id, number, _own_message(body, {"id": event_id, "number": number, "time": created}), typed)
    texts = {name: one["StringValue"] for name, one in typed.items()}
    gosoline = json.dumps({"Id": event_id, "Number": number, "CreatedAt": created})
    return Event(event_id, number, json.dumps({"attributes": texts, "body": gosoline}), typed)


def _own_message(body: t.Any, values: Json) -> str:
    return (
        placeholders.text_filled(body, values)
        if isinstance(body, str)
        else json.dumps(placeholders.filled(body, values))
    )


def typed_attribute(value: t.Any) -> dict[str, str]:
    """An attribute as SNS and SQS take it. SNS has no true and false of its own, but in lists."""
    if isinstance(value, list):
        return {"DataType": "String.Array", "StringValue": json.dumps(value)}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"DataType": "Number", "StringValue": str(value)}
    return {"DataType": "String", "StringValue": json.dumps(value) if isinstance(value, bool) else str(value)}


def ids_in(text: str) -> set[str]:
    """The identifiers of probes' events that a text holds, in whatever format: a message's, an object's, a key's."""
    return set(_ID.findall(text))


def published_at(body: str) -> float | None:
    """When SNS says that it took the message, by its envelope, in ms since the epoch; None for a raw one."""
    stamp = json_object(body).get("Timestamp")
    try:
        return datetime.datetime.fromisoformat(stamp).timestamp() * 1000 if isinstance(stamp, str) else None
    except ValueError:
        return None


def json_object(text: t.Any) -> Json:
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def attributes_for(subscription: Json | None, given: Json, gosoline: bool = True) -> Json:
    """What the events have: gosoline's attributes if in its format, the user's, and, without those, what a simple filter asks for."""
    attributes = (ATTRIBUTES if gosoline else {}) | given
    policy = (subscription or {}).get("filter_policy")
    if given or not policy or (subscription or {}).get("filter_policy_scope") == "MessageBody":
        return attributes
    return filter_policy.satisfying(policy, attributes) or attributes
