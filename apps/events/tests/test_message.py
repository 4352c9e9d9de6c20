import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from localcloud_events.message import Event, MalformedMessageError, decode, encode, message_attributes, new_event

EVENT = Event(Id="a", Number=7, CreatedAt="2026-01-02T03:04:05.123456789Z")


def gosoline(body: str = '{"Id":"a","Number":7,"CreatedAt":"2026-01-02T03:04:05Z"}', **attributes: object) -> str:
    return json.dumps({"attributes": {"encoding": "application/json", **attributes}, "body": body})


def body(**fields: object) -> str:
    return json.dumps({"Id": "a", "Number": 7, "CreatedAt": "2026-01-02T03:04:05Z", **fields})


def envelope(message: str, **fields: object) -> str:
    return json.dumps(
        {"Type": "Notification", "Message": message, "Timestamp": "2026-01-02T03:04:05.678Z", "MessageId": "m"} | fields
    )


def test_encode_writes_gosolines_format() -> None:
    written = json.loads(encode(EVENT, {"trace": "true"}))
    assert written["attributes"] == {"encoding": "application/json", "trace": "true"}
    assert json.loads(written["body"]) == {"Id": "a", "Number": 7, "CreatedAt": "2026-01-02T03:04:05.123456789Z"}
    assert set(written) == {"attributes", "body"}


def test_attributes_are_copied_as_strings() -> None:
    assert message_attributes({"trace": "true"}) == {
        "encoding": {"DataType": "String", "StringValue": "application/json"},
        "trace": {"DataType": "String", "StringValue": "true"},
    }


def test_new_event_is_written_in_utc() -> None:
    now = datetime(2026, 1, 2, 5, 4, 5, 678_900, tzinfo=timezone(timedelta(hours=2)))
    event = new_event(UUID(int=1), 3, now)
    assert (event.id, event.number) == ("00000000-0000-0000-0000-000000000001", 3)
    assert event.created_at == "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize(
    ("text", "published_at"),
    [
        pytest.param(envelope(encode(EVENT)), 1767323045678, id="envelope"),
        pytest.param(encode(EVENT), None, id="raw delivery"),
        pytest.param(envelope(encode(EVENT), Timestamp="2026-01-02T03:04:05.678"), 1767323045678, id="no time zone"),
        pytest.param(envelope(encode(EVENT), Timestamp="yesterday"), None, id="odd timestamp"),
        pytest.param(envelope(encode(EVENT), Timestamp=None), None, id="no timestamp"),
    ],
)
def test_decode_accepts_envelope_and_raw_delivery(text: str, published_at: int | None) -> None:
    decoded = decode(text)
    assert decoded.event == EVENT
    assert decoded.published_at == published_at
    assert not decoded.traced


def test_decode_keeps_created_at_to_the_digit() -> None:
    event = decode(encode(EVENT)).event
    assert event.created_at == "2026-01-02T03:04:05.123456789Z"
    assert event.created == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize(("value", "traced"), [("true", True), ("false", False), ("", False), (True, False)])
def test_only_the_text_true_is_a_trace(value: object, traced: bool) -> None:
    assert decode(gosoline(trace=value)).traced is traced


@pytest.mark.parametrize(
    "fields",
    [
        {"Id": "probe-1"},
        {"Id": "ü" * 1024},
        {"Number": 10**38 - 1},
        {"Number": -5},
        {"CreatedAt": "2026-01-02T03:04:05+02:00"},
        {"Extra": 1},
    ],
)
def test_good_events(fields: dict[str, object]) -> None:
    assert decode(gosoline(body(**fields))).event


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "queue message: Invalid JSON"),
        ("hello", "queue message: Invalid JSON"),
        ("[]", "queue message: Input should be an object"),
        ("null", "queue message: Input should be an object"),
        ("[" * 100_000, "queue message: Invalid JSON"),
        ("{}", "message: attributes: Field required; body: Field required"),
        ('{"Message": 5}', "queue message: Message: Input should be a valid string"),
        (envelope(gosoline(), Type="SubscriptionConfirmation"), "SNS envelope: its Type is not Notification"),
        (envelope("plain text"), "message: Invalid JSON"),
        (gosoline(encoding="application/x-protobuf"), "message: its encoding is not application/json"),
        (gosoline(compression="application/gzip"), "message: compressed bodies are not supported"),
        (gosoline("{"), "event: Invalid JSON"),
        (gosoline("{}"), "event: Id: Field required; Number: Field required; CreatedAt: Field required"),
        (gosoline(body(Id="")), "event: Id: String should have at least 1 character"),
        (gosoline(body(Id=5)), "event: Id: Input should be a valid string"),
        (gosoline(body(Id="ü" * 1025)), "event: Id: Value error, longer than the 2048 bytes"),
        (gosoline('{"Id":"\\ud800","Number":1,"CreatedAt":"2026-01-02T03:04:05Z"}'), "event: "),
        (gosoline(body(Number="7")), "event: Number: Input should be a valid integer"),
        (gosoline(body(Number=7.5)), "event: Number: Input should be a valid integer"),
        (gosoline(body(Number=True)), "event: Number: Input should be a valid integer"),
        (gosoline(body(Number=10**38)), "event: Number: Value error, more than the 38 digits"),
        (gosoline(body(CreatedAt="2026-01-02")), "event: CreatedAt: String should match pattern"),
        (gosoline(body(CreatedAt="2026-01-02T03:04:05")), "event: CreatedAt: String should match pattern"),
        (gosoline(body(CreatedAt="2026-13-02T03:04:05Z")), "event: CreatedAt: Value error, month must be in 1..12"),
        (gosoline(body(id="a", Id=None)), "event: Id: Input should be a valid string"),
    ],
)
def test_malformed_messages_tell_their_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedMessageError) as caught:
        decode(text)
    assert str(caught.value).startswith(reason)


def test_reason_never_quotes_the_message() -> None:
    for text in (
        gosoline(body(Id=["secret"])),
        gosoline(body(CreatedAt="secret")),
        gosoline("secret"),
        json.dumps({"attributes": {"secret": {"secret": ["secret"]}}}),
    ):
        with pytest.raises(MalformedMessageError) as caught:
            decode(text)
        assert "secret" not in str(caught.value)
