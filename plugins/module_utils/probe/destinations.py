# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the probe's events arrive: a table that a consumer writes to, or a queue without other consumers."""

from __future__ import annotations

import itertools
import json
import shlex
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws import facts
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.probe import event as probe
from ansible_collections.localcloud.stack.plugins.module_utils.probe import statistics as figures

Json = dict[str, t.Any]
Arrivals = dict[str, Json]  # trace by the event's identifier, empty where there is none

# Limits of DynamoDB's and SQS's requests for many.
KEYS_AT_ONCE = 100
DELETIONS_AT_ONCE = 25
MESSAGES_AT_ONCE = 10
# How often what DynamoDB left undone is sent again: with growing pauses botocore has tried it already.
ROUNDS = 10
RECEIVE_WAIT = 1


class Destination(t.Protocol):
    """Where events arrive."""

    name: str
    gives_portions: bool  # whether there may well be more at once after some have arrived

    def arrived(self, pending: t.Collection[probe.Event], patient: bool) -> Arrivals:
        """Those of the pending events that are there by now, or, with patience, in a moment."""

    def repeated(self, events: t.Collection[probe.Event]) -> int | None:
        """How many of those that arrived came more than once; None where that is unknown."""

    def out_of_order(self, events: t.Collection[probe.Event]) -> int | None:
        """How many came after one sent later in the same group; None where no order is kept or seen."""

    def clean_up(self, arrived: t.Collection[probe.Event], missing: t.Collection[probe.Event]) -> Json:
        """Removes what the events left. Never raises: that must not hide why it came to that."""


class TableDestination:
    """Looks for each event's item. Items are removed in the end."""

    gives_portions = False

    def __init__(self, dynamodb: t.Any, table: str, key: str, endpoint_url: str | None) -> None:
        self.name = f"table {table}"
        self._key = key
        self._dynamodb = dynamodb
        self._table = table
        self._endpoint_url = endpoint_url
        self._traces: dict[str, t.Any] = {}

    def arrived(self, pending: t.Collection[probe.Event], patient: bool) -> Arrivals:
        found: Arrivals = {}
        with aws_errors(f"reading {self.name}", self._endpoint_url):
            for items in self._portions(pending):
                found |= {item[self._key]: item.get("Trace") or {} for item in items}
        self._traces |= found
        return found

    def _portions(self, events: t.Collection[probe.Event]) -> t.Iterator[list[Json]]:
        if len(events) == 1:  # needs no permission for many
            (event,) = events
            answer = self._dynamodb.get_item(TableName=self._table, Key=event.key(self._key), ConsistentRead=True)
            yield [facts.plain_item(answer["Item"])] if answer.get("Item") else []
            return
        for some in portions(events, KEYS_AT_ONCE):
            request = {self._table: {"Keys": [event.key(self._key) for event in some], "ConsistentRead": True}}
            answer = self._dynamodb.batch_get_item(RequestItems=request)
            yield [facts.plain_item(item) for item in answer.get("Responses", {}).get(self._table, [])]

    def repeated(self, events: t.Collection[probe.Event]) -> int | None:
        """An item that was written again has another trace; without traces it is unknown."""
        before = {event.id: self._traces.get(event.id) for event in events}
        if not all(before.values()):
            return None
        now = self.arrived(events, patient=False) if events else {}
        return sum(now[one] != before[one] for one in now)

    def out_of_order(self, events: t.Collection[probe.Event]) -> int | None:
        return None

    def clean_up(self, arrived: t.Collection[probe.Event], missing: t.Collection[probe.Event]) -> Json:
        late = not missing
        try:
            with aws_errors(f"removing the probe's items from {self.name}", self._endpoint_url):
                self._remove(list(arrived))
                still_missing = [event for event in missing if not self._remove_late(event)]
        except AwsError as error:
            by_hand = self._by_hand([*missing, *arrived])
            what = "its item" if len(arrived) + len(missing) == 1 else "its items"
            note = f"{what} could not be removed ({error.message}) Remove with: {by_hand}"
            return {"deleted": False, "late_arrival_possible": not late, "note": note}
        what = "Its item was" if len(arrived) + len(missing) == 1 else "Its items were"
        if not still_missing:
            return {"deleted": True, "late_arrival_possible": False, "note": f"{what} removed."}
        many = f"{len(still_missing)} of its items may" if len(arrived) + len(missing) > 1 else "It may"
        note = f"{many} still arrive later; then remove what is left with: {self._by_hand(still_missing)}"
        return {"deleted": bool(arrived), "late_arrival_possible": True, "note": note}

    def _remove(self, events: list[probe.Event]) -> None:
        if len(events) == 1:
            self._dynamodb.delete_item(TableName=self._table, Key=events[0].key(self._key))
            return
        for some in portions(events, DELETIONS_AT_ONCE):
            request = {self._table: [{"DeleteRequest": {"Key": event.key(self._key)}} for event in some]}
            for _round in range(ROUNDS):
                request = self._dynamodb.batch_write_item(RequestItems=request).get("UnprocessedItems") or {}
                if not request:
                    break
            else:
                raise AwsError(f"DynamoDB left {len(request[self._table])} deletions in {self.name} undone.")

    def _remove_late(self, event: probe.Event) -> bool:
        """Whether an event that was not seen has arrived by now; then its item is removed as well."""
        answer = self._dynamodb.delete_item(TableName=self._table, Key=event.key(self._key), ReturnValues="ALL_OLD")
        return bool(answer.get("Attributes"))

    def _by_hand(self, events: t.Sequence[probe.Event]) -> str:
        key = json.dumps(events[0].key(self._key))
        words = f"aws dynamodb delete-item --table-name {self._table} --key {shlex.quote(key)}"
        return (
            words
            + where(self._dynamodb, self._endpoint_url)
            + (f" (and so for {len(events) - 1} more, up to {events[-1].id})" if len(events) > 1 else "")
        )


class QueueDestination:
    """Receives the events itself and deletes them. Others' messages are held while it reads, and given back.

    With C(direct), events are sent to this queue or to its topic, so that its time stamps are those of their hops.
    """

    gives_portions = True

    def __init__(
        self, sqs: t.Any, name: str, url: str, timeout: float, endpoint_url: str | None, direct: bool = True
    ) -> None:
        self.name = f"queue {name}"
        self._direct = direct
        self._sqs = sqs
        self._url = url
        # Held for longer than it takes: what becomes visible again in between would count as received twice.
        self._hold = min(int(timeout) + 60, 43_200)
        self._endpoint_url = endpoint_url
        self._message_ids: dict[str, set[str]] = {}
        self._order: list[tuple[str, str]] = []  # group and event, as they came
        self._foreign: list[str] = []  # receipts
        self._own: set[str] = set()

    def arrived(self, pending: t.Collection[probe.Event], patient: bool) -> Arrivals:
        self._own |= {event.id for event in pending}
        with aws_errors(f"receiving from {self.name}", self._endpoint_url):
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MESSAGES_AT_ONCE,
                WaitTimeSeconds=RECEIVE_WAIT if patient else 0,
                VisibilityTimeout=self._hold,
                AttributeNames=["All"],
            )
        found: Arrivals = {}
        own_receipts: list[str] = []
        for message in answer.get("Messages", []):
            own = sorted(probe.ids_in(message["Body"]) & self._own)
            (own_receipts if own else self._foreign).append(message["ReceiptHandle"])
            for event_id in own:
                found[event_id] = self._trace(message) if self._direct else {}
                if event_id not in self._message_ids:
                    self._order.append((message.get("Attributes", {}).get("MessageGroupId", ""), event_id))
                self._message_ids.setdefault(event_id, set()).add(message["MessageId"])
        self._delete(own_receipts)
        return found

    def _trace(self, message: Json) -> Json:
        attributes = message.get("Attributes", {})
        stamps = {
            "PublishedAt": probe.published_at(message["Body"]),
            "QueuedAt": _whole(attributes.get("SentTimestamp")),
            "ReceivedAt": _whole(attributes.get("ApproximateFirstReceiveTimestamp")),
        }
        return {name: stamp for name, stamp in stamps.items() if stamp is not None}

    def _delete(self, receipts: list[str]) -> None:
        if not receipts:
            return
        entries = [{"Id": str(number), "ReceiptHandle": one} for number, one in enumerate(receipts)]
        with aws_errors(f"deleting the probe's messages from {self.name}", self._endpoint_url):
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        if failed := answer.get("Failed"):
            raise AwsError(f"{self.name} kept {len(failed)} of the probe's messages: {failed[0].get('Message')}.")

    def repeated(self, events: t.Collection[probe.Event]) -> int | None:
        """Looks once more. SNS gives each delivery an identifier of its own."""
        if events:
            self.arrived(events, patient=False)
        return sum(len(self._message_ids.get(event.id, ())) > 1 for event in events)

    def out_of_order(self, events: t.Collection[probe.Event]) -> int | None:
        if not self._url.endswith(".fifo"):
            return None
        numbers = {event.id: event.number for event in events}
        groups: dict[str, list[int]] = {}
        for group, event_id in self._order:
            groups.setdefault(group, []).append(numbers[event_id])
        return sum(figures.late_ones(some) for some in groups.values())

    def clean_up(self, arrived: t.Collection[probe.Event], missing: t.Collection[probe.Event]) -> Json:
        notes = []
        try:
            self._give_back()
        except AwsError as error:
            notes.append(
                f"{len(self._foreign)} messages of others could not be given back at once ({error.message}) "
                f"They come back by themselves within {self._hold} s."
            )
        if not missing:
            notes.insert(0, "Its messages were removed.")
            return {"deleted": len(notes) == 1, "late_arrival_possible": False, "note": " ".join(notes)}
        notes.append(
            f"{len(missing)} of its messages may still arrive in {self.name}; they stay there until a consumer receives "
            "them or their retention period ends."
        )
        return {"deleted": bool(arrived), "late_arrival_possible": True, "note": " ".join(notes)}

    def _give_back(self) -> None:
        with aws_errors(f"giving messages back to {self.name}", self._endpoint_url):
            for some in portions(self._foreign, MESSAGES_AT_ONCE):
                entries = [
                    {"Id": str(number), "ReceiptHandle": one, "VisibilityTimeout": 0} for number, one in enumerate(some)
                ]
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)


def _whole(text: t.Any) -> int | None:
    return int(text) if text else None


One = t.TypeVar("One")


def portions(some: t.Iterable[One], size: int) -> t.Iterator[list[One]]:
    rest = iter(some)
    while portion := list(itertools.islice(rest, size)):
        yield portion


def where(client: t.Any, endpoint_url: str | None) -> str:
    """Region and endpoint as options of the AWS CLI."""
    region = f" --region {client.meta.region_name}" if client.meta.region_name else ""
    return region + (f" --endpoint-url {endpoint_url}" if endpoint_url else "")


def key_problem(table: str, key_schema: list[Json], key: str = probe.KEY) -> str | None:
    """What keeps the probe from finding its item in a table with such keys."""
    if [(one["name"], one["key_type"]) for one in key_schema] == [(key, "HASH")] and key_schema[0]["type"] in (
        None,
        "S",
    ):
        return None
    found = ", ".join(f"{one['name']} ({one['key_type']}, {one['type']})" for one in key_schema) or "none"
    return (
        f"Table {table} has the keys {found}, but the probe looks for its item by a text hash key {key} alone; "
        f"likely another table is meant, or its hash key has another name. Give the table that the consumer writes events to, "
        "and its hash key's name as key."
    )
