"""From a batch of the queue's messages to the table's items; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud_events.message import Decoded, Event, MalformedMessageError, decode

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it came from the queue. Times are in ms since the epoch, None where the sender gave none."""

    message_id: str
    receipt: str
    decoded: Decoded
    queued_at: int | None
    received_at: int

    @property
    def event(self) -> Event:
        """The event itself."""
        return self.decoded.event


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that is not an event of ours, and why."""

    message_id: str
    reason: str


def read(messages: Iterable[Mapping[str, Any]], received_at: int) -> tuple[list[Delivery], list[Rejection]]:
    """Sort SQS's messages into events and foreign ones, each in the order they came."""
    deliveries: list[Delivery] = []
    rejections: list[Rejection] = []
    for message in messages:
        try:
            deliveries.append(_delivery(message, received_at))
        except MalformedMessageError as error:
            rejections.append(Rejection(message["MessageId"], str(error)))
    return deliveries, rejections


def last_of_each(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Keep the last delivery of each event: DynamoDB takes no batch with the same key twice."""
    return list({delivery.event.id: delivery for delivery in deliveries}.values())


def to_item(delivery: Delivery, stored_at: int) -> Item:
    """Make the table's item, in DynamoDB's own notation. A traced event also tells the times of its way."""
    event = delivery.event
    item: Item = {"Id": {"S": event.id}, "Number": {"N": str(event.number)}, "CreatedAt": {"S": event.created_at}}
    if delivery.decoded.traced:
        item["Trace"] = {"M": _trace(delivery, stored_at)}
    return item


def _trace(delivery: Delivery, stored_at: int) -> Item:
    times = {
        "PublishedAt": delivery.decoded.published_at,
        "QueuedAt": delivery.queued_at,
        "ReceivedAt": delivery.received_at,
        "StoredAt": stored_at,
    }
    return {name: {"N": str(time)} for name, time in times.items() if time is not None}


def _delivery(message: Mapping[str, Any], received_at: int) -> Delivery:
    queued_at = message.get("Attributes", {}).get("SentTimestamp")
    return Delivery(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        decoded=decode(message["Body"]),
        queued_at=int(queued_at) if queued_at else None,
        received_at=received_at,
    )
