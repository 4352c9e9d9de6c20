# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe import diagnosis as probe
from ansible_collections.localcloud.stack.plugins.module_utils.probe import queue_policy
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import ATTRIBUTES, make_event

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
        "place": probe.Place("table", "orders"),
        "subscriptions": [SUBSCRIPTION],
        "depth": EMPTY,
        "policy": policy(allow()),
        "topic_arn": TOPIC,
        "queue_arn": QUEUE,
    }
    return probe.Evidence(**{**known, **more})


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
    assert queue_policy.verdict(given, TOPIC, QUEUE).allowed is allowed


def deny(**more):
    return allow(Effect="Deny", Principal="*", Action="sqs:*", **more)


@pytest.mark.parametrize(
    ("denial", "allowed"),
    [
        # As AWS's own examples have it: only this topic may send, only with TLS, only from this account.
        ({"Condition": {"ArnNotEquals": {"aws:SourceArn": TOPIC}}}, True),
        ({"Condition": {"ArnNotEquals": {"aws:SourceArn": TOPIC + "-other"}}}, False),
        ({"Condition": {"ArnNotLike": {"aws:SourceArn": "arn:aws:sns:*:*:ord*"}}}, True),
        ({"Condition": {"StringNotLikeIfExists": {"aws:SourceArn": [TOPIC, "x"]}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": False}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": "000000000000"}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": "111111111111"}}}, False),
        ({"Condition": {"Null": {"aws:SourceArn": "true"}}}, True),
        ({"Condition": {"ForAnyValue:StringLike": {"aws:SourceArn": "*"}}}, False),
        # What can't be known counts as not met, and is told.
        ({"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:SecureTransport": "false"}}}, True),
        ({"Condition": {"DateGreaterThan": {"aws:SourceArn": "x"}}}, True),
        ({}, False),
    ],
)
def test_a_denial_counts_where_its_condition_holds(denial, allowed):
    assert queue_policy.verdict(policy(allow(), deny(**denial)), TOPIC, QUEUE).allowed is allowed


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({"NotAction": "sqs:DeleteQueue"}, True),
        ({"NotAction": "sqs:Send*"}, False),
        ({"NotPrincipal": {"Service": "s3.amazonaws.com"}}, True),
        ({"NotPrincipal": "*"}, False),
        ({"NotResource": QUEUE}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:sqs:eu-central-[1]:000000000000:orders"}, False),
    ],
)
def test_the_opposite_of_an_element_is_its_opposite(statement, allowed):
    given = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    for name in statement:
        given.pop(name.removeprefix("Not"))
    assert queue_policy.verdict(policy({**given, **statement}), TOPIC, QUEUE).allowed is allowed


def test_what_a_policy_refuses_is_said_as_what_it_is():
    other = {"ArnEquals": {"aws:SourceArn": TOPIC + "x"}}
    refused = str(probe.diagnose(evidence(policy=policy(allow(Sid="Orders", Condition=other)))))
    assert f"its statement Orders asks for ArnEquals of aws:SourceArn {TOPIC}x" in refused
    refused = str(probe.diagnose(evidence(policy=policy(allow(), deny(Sid="Closed")))))
    assert "has a policy whose statement Closed denies it" in refused
    open_one = policy(allow(), deny(Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))
    doubted = str(probe.diagnose(evidence(policy=open_one)))
    assert "its statement with the Effect Deny denies it under StringNotEquals of aws:SourceVpce vpce-1" in doubted
    assert "aws:SourceVpce" in str(probe.diagnose(evidence(policy=open_one, place=None)))
    assert "aws:SourceVpce" not in str(probe.diagnose(evidence(policy=open_one, topic=None, place=None)))


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
    message = make_event("probe-1", 0, ATTRIBUTES, "now").message
    assert probe.filtered_out_by(subscription, ATTRIBUTES, message) == unmet


def test_raw_messages_have_few_attributes():
    many = {str(number): "x" for number in range(11)}
    raw = {**SUBSCRIPTION, "raw": True}
    assert "drops those with more than 10" in str(probe.no_way("t", "q", [raw], many, ""))
    assert probe.no_way("t", "q", [SUBSCRIPTION], many, "") is None
    assert probe.no_way("t", "q", [raw], ATTRIBUTES, "") is None


@pytest.mark.parametrize(
    ("seen", "lost_at", "says"),
    [
        ({"depth": {**EMPTY, "in_flight": 1}}, "queue_to_consumer", "1 message(s) of queue"),
        ({"new_dead_letters": 1, "dead_letter_queue": "dlq"}, "queue_to_consumer", "dlq got 1"),
        ({"depth": {**EMPTY, "visible": 2}}, "queue_to_consumer", "timeout is too short"),
        ({}, "topic_to_queue", "SNS did not deliver"),
        ({"policy": None}, "topic_to_queue", "has no policy"),
    ],
)
def test_why_the_probe_itself_did_not_receive_it(seen, lost_at, says):
    diagnosis = probe.diagnose(evidence(place=None, **seen))
    assert diagnosis.lost_at == lost_at
    assert says in str(diagnosis)


def test_stations_are_as_many_as_can_be_seen():
    assert probe.stations(3, 1, None, until="table") == {"published": 3, "in_table": 1}
    seen = evidence(depth={"visible": 1, "in_flight": 2, "delayed": 3}, new_dead_letters=4)
    assert list(probe.stations(3, 1, seen, until="queue").items()) == [
        ("published", 3),
        ("waiting_in_queue", 4),
        ("in_flight", 2),
        ("in_dead_letter_queue", 4),
        ("received", 1),
    ]
    assert probe.stations(1, 0, None, until="bucket") == {"published": 1, "in_bucket": 0}


@pytest.mark.parametrize("topic", ["orders", None])
@pytest.mark.parametrize(
    ("place", "seen", "says"),
    [
        (
            probe.Place("bucket", "b"),
            {"depth": {**EMPTY, "in_flight": 1}},
            "no object came; likely writing to bucket b fails",
        ),
        (
            probe.Place("bucket", "b"),
            {},
            "another bucket than b, drops what it cannot decode, leaves the event's Id out of key and body",
        ),
        (
            probe.Place("queue", "q"),
            {"depth": {**EMPTY, "in_flight": 1}},
            "no message came; likely sending to queue q fails",
        ),
        (probe.Place("queue", "q"), {"new_dead_letters": 1, "dead_letter_queue": "dlq"}, "dead-letter queue dlq got 1"),
    ],
)
def test_which_destination_was_not_reached(topic, place, seen, says):
    subscriptions = [SUBSCRIPTION] if topic else []
    diagnosis = probe.diagnose(evidence(topic=topic, subscriptions=subscriptions, place=place, **seen))
    assert diagnosis.lost_at == f"consumer_to_{place.kind}"
    assert says in str(diagnosis)


def test_a_queue_that_events_are_sent_to_needs_no_subscription():
    seen = evidence(topic=None, subscriptions=[], policy=None, place=None)
    assert probe.diagnose(seen).lost_at == "queue_to_consumer"
    assert "another reader took it" in str(probe.diagnose(seen))
    assert "does not read" in str(probe.diagnose(evidence(topic=None, subscriptions=[], depth={**EMPTY, "visible": 1})))


def test_gosoline_is_named_only_where_it_is_meant():
    raw = {"subscriptions": [{**SUBSCRIPTION, "raw": True}]}
    assert "gosoline" in str(probe.diagnose(evidence(**raw)))
    assert "gosoline" not in str(probe.diagnose(evidence(**raw, gosoline=False)))
