"""The format of a message on its way from topic to queue, compatible with gosoline's; pure, knows no AWS client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

ENCODING = "application/json"
TRACE = "trace"
# DynamoDB's limits: bytes of a partition key, and digits of a number.
KEY_BYTES = 2048
NUMBER_LIMIT = 10**38
RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"

ModelT = TypeVar("ModelT", bound=BaseModel)


class MalformedMessageError(ValueError):
    """The text is not a message of this format; its text is the reason and never quotes the message's body."""


def _key(text: str) -> str:
    if len(text.encode()) > KEY_BYTES:
        raise ValueError(f"longer than the {KEY_BYTES} bytes a DynamoDB key may have")
    return text


def _number(number: int) -> int:
    if abs(number) >= NUMBER_LIMIT:
        raise ValueError("more than the 38 digits a DynamoDB number may have")
    return number


def _timestamp(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class Event(BaseModel):
    """One event. `created_at` stays the text it came as (RFC 3339), so that storing it loses no digit."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: Annotated[str, AfterValidator(_key)] = Field(alias="Id", min_length=1)
    number: Annotated[int, AfterValidator(_number)] = Field(alias="Number")
    created_at: Annotated[str, AfterValidator(_timestamp)] = Field(alias="CreatedAt", pattern=RFC3339)

    @property
    def created(self) -> datetime:
        """The moment of `created_at`, with its time zone."""
        return datetime.fromisoformat(self.created_at)


class _Message(BaseModel):
    """Gosoline's own message."""

    attributes: dict[str, JsonValue]
    body: str


class _Outer(BaseModel):
    """The fields which tell SNS's envelope from a message that was delivered raw."""

    Type: str | None = None
    Message: str | None = None
    Timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a queue's message says. `published_at` is in ms since the epoch, None where SNS's envelope is missing."""

    event: Event
    attributes: Mapping[str, Any]
    published_at: int | None

    @property
    def traced(self) -> bool:
        """Whether the sender asked for the times of the event's way."""
        return self.attributes.get(TRACE) == "true"


def new_event(event_id: UUID, number: int, now: datetime) -> Event:
    """Make an event created at `now` (any time zone), written in UTC with milliseconds."""
    created_at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Event(Id=str(event_id), Number=number, CreatedAt=created_at)


def encode(event: Event, attributes: Mapping[str, str] | None = None) -> str:
    """Write the event as the text that SNS's Message takes."""
    message = _Message(attributes=_with_encoding(attributes), body=event.model_dump_json(by_alias=True))
    return message.model_dump_json()


def message_attributes(attributes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Give the attributes of `encode` as SNS's MessageAttributes, for subscriptions that filter by them."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in _with_encoding(attributes).items()}


def decode(text: str) -> Decoded:
    """Read a queue message's body, in SNS's envelope or delivered raw.

    Raises MalformedMessageError if it is neither, or if its event would not fit into the table.
    """
    outer = _parse(_Outer, text, "queue message")
    if outer.Message is None:
        return _decode_message(text, None)
    if outer.Type != "Notification":
        raise MalformedMessageError("SNS envelope: its Type is not Notification")
    return _decode_message(outer.Message, _epoch_ms(outer.Timestamp))


def epoch_ms(moment: datetime) -> int:
    """Give the moment (with a time zone) in milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def _with_encoding(attributes: Mapping[str, str] | None) -> dict[str, Any]:
    return {**(attributes or {}), "encoding": ENCODING}


def _decode_message(text: str, published_at: int | None) -> Decoded:
    message = _parse(_Message, text, "message")
    if message.attributes.get("encoding", ENCODING) != ENCODING:
        raise MalformedMessageError(f"message: its encoding is not {ENCODING}")
    if "compression" in message.attributes:
        raise MalformedMessageError("message: compressed bodies are not supported")
    return Decoded(_parse(Event, message.body, "event"), message.attributes, published_at)


def _parse(model: type[ModelT], text: str, what: str) -> ModelT:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise MalformedMessageError(f"{what}: {_reasons(error)}") from None


def _reasons(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    # A location may hold a key of the message, which is as foreign as its body: only the field's own name is told.
    return "; ".join(f"{one['loc'][0]}: {one['msg']}" if one["loc"] else one["msg"] for one in found)


def _epoch_ms(text: str | None) -> int | None:
    """Read SNS's Timestamp. It only serves traces, so an emulator's odd one must not cost the event."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
