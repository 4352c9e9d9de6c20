# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils import probe_event as probe

TOPIC = "arn:aws:sns:eu-central-1:000000000000:orders"
QUEUE = "arn:aws:sqs:eu-central-1:000000000000:orders"
SUBSCRIPTION = {"confirmed": True, "raw": False, "filter_policy": None, "filter_policy_scope": None}
EMPTY = {"visible": 0, "in_flight": 0, "delayed": 0}


def allow(**more):
    return {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        **more,
    }


def policy(*statements):
    return {"Statement": list(statements)}


def evidence(**more):
    known = {
        "topic": "orders",
        "queue": "orders",
        "table": "orders",
        "subscriptions": [SUBSCRIPTION],
        "depth": EMPTY,
        "policy": policy(allow()),
        "topic_arn": TOPIC,
        "queue_arn": QUEUE,
    }
    return probe.Evidence(**{**known, **more})


NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def test_the_event_has_gosolines_format():
    (event,) = probe.make_events(1, probe.ATTRIBUTES, NOW)
    message = json.loads(event.message)
    assert message["attributes"] == {"encoding": "application/json", "trace": "true"}
    assert json.loads(message["body"]) == {"Id": event.id, "Number": 0, "CreatedAt": "2026-01-01T12:00:00.000Z"}
    assert event.id.startswith("probe-")
    assert event.attributes["encoding"] == {"DataType": "String", "StringValue": "application/json"}
    assert event.key == {"Id": {"S": event.id}}
    assert probe.make_events(1, probe.ATTRIBUTES, NOW)[0].id != event.id


def test_events_of_one_run_share_their_beginning_and_sort():
    events = probe.make_events(11, {}, NOW)
    first, last = events[0], events[-1]
    assert (first.id[-3:], last.id[-3:], last.number) == ("-00", "-10", 10)
    assert first.id[:-2] == last.id[:-2]
    assert len({event.id for event in events}) == 11


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("a", "String", "a"),
        (7, "Number", "7"),
        (1.5, "Number", "1.5"),
        (True, "String", "true"),
        (["a", 1, True], "String.Array", '["a", 1, true]'),
    ],
)
def test_attributes_have_snss_types(value, kind, text):
    assert probe.typed_attribute(value) == {"DataType": kind, "StringValue": text}
    event = probe.make_event("probe-1", 0, {"x": value}, "now")
    assert json.loads(event.message)["attributes"] == {"x": text}


def test_events_are_known_again_in_a_queue():
    event = probe.make_event("probe-1", 0, probe.ATTRIBUTES, "now")
    envelope = {"Type": "Notification", "Message": event.message, "Timestamp": "2026-01-01T12:00:00.125Z"}
    assert probe.id_in(event.message) == "probe-1"
    assert probe.id_in(json.dumps(envelope)) == "probe-1"
    assert probe.published_at(json.dumps(envelope)) == NOW.timestamp() * 1000 + 125
    assert probe.published_at(event.message) is None
    assert probe.published_at('{"Timestamp": "then"}') is None


@pytest.mark.parametrize(
    "body", ["", "x", "[1]", '{"Message": 1}', '{"body": "{}"}', '{"body": "{\\"Id\\": \\"other\\"}"}']
)
def test_what_others_sent_is_not_the_probes(body):
    assert probe.id_in(body) is None


def test_hops_come_from_the_trace():
    trace = {"PublishedAt": 100_001, "QueuedAt": 100_011, "ReceivedAt": 100_031, "StoredAt": 100_034}
    assert probe.latencies(trace, 0.0061, 0.0504) == {
        "publish": 6,
        "topic_to_queue": 10,
        "queue_to_consumer": 20,
        "consumer_to_table": 3,
        "total": 50,
    }


@pytest.mark.parametrize("trace", [None, {}, "x", {"QueuedAt": "then"}])
def test_without_a_trace_hops_are_empty(trace):
    figures = probe.latencies(trace, 0.001, 0.1)
    assert [figures[hop] for hop in probe.HOPS] == [None, None, None]
    assert figures["total"] == 100


def test_whole_seconds_are_replaced_by_our_own_clock_if_it_agrees():
    trace = {"PublishedAt": 100_000, "QueuedAt": 100_905}
    assert probe.latencies(trace, 0.01, 0.1, published_at=100_899.6)["topic_to_queue"] == 5
    assert probe.latencies(trace, 0.01, 2.0, published_at=107_000)["topic_to_queue"] is None
    assert probe.latencies(trace, 0.01, 2.0)["topic_to_queue"] is None


def test_clocks_that_differ_give_no_nonsense():
    trace = {"PublishedAt": 100_001, "QueuedAt": 99_990, "ReceivedAt": 109_990}
    figures = probe.latencies(trace, 0.01, 0.1)
    assert figures["topic_to_queue"] == 0
    assert figures["queue_to_consumer"] is None  # longer than the whole way


@pytest.mark.parametrize(
    ("schema", "fine"),
    [
        ([{"name": "Id", "key_type": "HASH", "type": "S"}], True),
        ([{"name": "Id", "key_type": "HASH", "type": "N"}], False),
        ([{"name": "pk", "key_type": "HASH", "type": "S"}], False),
        (
            [{"name": "Id", "key_type": "HASH", "type": "S"}, {"name": "Number", "key_type": "RANGE", "type": "N"}],
            False,
        ),
        ([], False),
    ],
)
def test_the_tables_key_must_be_id(schema, fine):
    problem = probe.key_problem("orders", schema)
    assert (problem is None) is fine
    assert fine or "text hash key Id alone" in problem


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (None, False),
        (policy(), False),
        (policy(allow()), True),
        (policy(allow(Principal="*")), True),
        (policy(allow(Principal={"AWS": ["*"]})), True),
        (policy(allow(Principal={"Service": "s3.amazonaws.com"})), False),
        (policy(allow(Action=["sqs:ReceiveMessage", "sqs:*"])), True),
        (policy(allow(Action="SQS:SendMessage")), True),
        (policy(allow(Action="sqs:ReceiveMessage")), False),
        (policy(allow(Resource=QUEUE + "-other")), False),
        (policy(allow(Condition={"ArnEquals": {"aws:SourceArn": TOPIC}})), True),
        (policy(allow(Condition={"ArnLike": {"AWS:SourceArn": ["arn:aws:sns:*:*:ord*"]}})), True),
        (policy(allow(Condition={"ArnEquals": {"aws:SourceArn": TOPIC + "x"}})), False),
        (policy(allow(Condition={"Bool": {"aws:SecureTransport": "true"}})), True),
        (policy(allow(), allow(Effect="Deny")), False),
        ({"Statement": allow()}, True),
    ],
)
def test_whether_a_policy_lets_the_topic_send(given, allowed):
    assert probe.policy_allows(given, TOPIC, QUEUE) is allowed


@pytest.mark.parametrize(
    ("seen", "lost_at", "says"),
    [
        ({"subscriptions": []}, "subscription", "not subscribed"),
        ({"subscriptions": [{**SUBSCRIPTION, "confirmed": False}]}, "subscription", "not confirmed"),
        (
            {"subscriptions": [{**SUBSCRIPTION, "filter_policy": {"kind": ["order"]}}]},
            "subscription",
            "filter policy on kind",
        ),
        ({"policy": None}, "topic_to_queue", "has no policy"),
        ({"policy": policy(allow(Action="sqs:Nothing"))}, "topic_to_queue", "does not let the topic send"),
        ({"depth": {**EMPTY, "visible": 2}}, "queue_to_consumer", "does not read; likely it is not running"),
        ({"depth": {**EMPTY, "visible": 2}, "policy": None}, "queue_to_consumer", "does not read"),
        ({"depth": {**EMPTY, "visible": 2, "in_flight": 1}}, "queue_to_consumer", "behind"),
        ({"depth": {**EMPTY, "in_flight": 1}}, "consumer_to_table", "writing to table orders fails"),
        ({"new_dead_letters": 1, "dead_letter_queue": "dlq"}, "consumer_to_table", "dead-letter queue dlq got 1"),
        ({}, "consumer_to_table", "another table than orders"),
        ({"subscriptions": [{**SUBSCRIPTION, "raw": True}]}, "consumer_to_table", "raw messages"),
    ],
)
def test_which_hop_lost_it(seen, lost_at, says):
    diagnosis = probe.diagnose(evidence(**seen))
    assert diagnosis.lost_at == lost_at
    assert says in str(diagnosis)
    assert ".." not in str(diagnosis)


@pytest.mark.parametrize(
    ("subscription", "unmet"),
    [
        ({"filter_policy": {"encoding": ["application/json"]}}, []),
        ({"filter_policy": {"encoding": "text/plain"}}, ["encoding"]),
        ({"filter_policy": {"kind": [{"exists": False}]}}, []),
        ({"filter_policy": {"kind": [{"something-new": 1}]}}, []),
        ({"filter_policy": {"kind": ["a"]}, "filter_policy_scope": "MessageBody"}, ["kind"]),
        ({"filter_policy": {"body": [{"prefix": "{"}]}, "filter_policy_scope": "MessageBody"}, []),
        ({"filter_policy": None}, []),
    ],
)
def test_a_filter_holds_back_only_what_it_drops_for_certain(subscription, unmet):
    message = probe.make_event("probe-1", 0, probe.ATTRIBUTES, "now").message
    assert probe.filtered_out_by(subscription, probe.ATTRIBUTES, message) == unmet


def test_raw_messages_have_few_attributes():
    many = {str(number): "x" for number in range(11)}
    raw = {**SUBSCRIPTION, "raw": True}
    assert "drops those with more than 10" in str(probe.no_way("t", "q", [raw], many, ""))
    assert probe.no_way("t", "q", [SUBSCRIPTION], many, "") is None
    assert probe.no_way("t", "q", [raw], probe.ATTRIBUTES, "") is None


def test_the_users_attributes_are_not_added_to():
    subscription = {**SUBSCRIPTION, "filter_policy": {"kind": ["a"]}}
    assert probe.attributes_for(subscription, {}) == {**probe.ATTRIBUTES, "kind": "a"}
    assert probe.attributes_for(subscription, {"x": 1}) == {**probe.ATTRIBUTES, "x": 1}
    assert probe.attributes_for({**subscription, "filter_policy_scope": "MessageBody"}, {}) == probe.ATTRIBUTES
    assert probe.attributes_for({**subscription, "filter_policy": {"encoding": ["x"]}}, {}) == probe.ATTRIBUTES
    assert probe.attributes_for(None, {}) == probe.ATTRIBUTES


@pytest.mark.parametrize(
    ("seen", "lost_at", "says"),
    [
        ({"depth": {**EMPTY, "in_flight": 1}}, "queue_to_consumer", "Somebody else holds 1"),
        ({"new_dead_letters": 1, "dead_letter_queue": "dlq"}, "queue_to_consumer", "dlq got 1"),
        ({"depth": {**EMPTY, "visible": 2}}, "queue_to_consumer", "timeout is too short"),
        ({}, "topic_to_queue", "SNS did not deliver"),
        ({"policy": None}, "topic_to_queue", "has no policy"),
    ],
)
def test_why_the_probe_itself_did_not_receive_it(seen, lost_at, says):
    diagnosis = probe.diagnose(evidence(table=None, **seen))
    assert diagnosis.lost_at == lost_at
    assert says in str(diagnosis)


def test_stations_are_as_many_as_can_be_seen():
    assert probe.stations(3, 1, None, table=True) == {"published": 3, "in_table": 1}
    seen = evidence(depth={"visible": 1, "in_flight": 2, "delayed": 3}, new_dead_letters=4)
    assert list(probe.stations(3, 1, seen, table=False).items()) == [
        ("published", 3),
        ("waiting_in_queue", 4),
        ("in_flight", 2),
        ("in_dead_letter_queue", 4),
        ("received", 1),
    ]
