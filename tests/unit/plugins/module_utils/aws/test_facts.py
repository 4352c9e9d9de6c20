# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws import facts


def test_names_come_from_arns_and_urls():
    assert facts.name_of("arn:aws:sns:eu-central-1:000000000000:orders") == "orders"
    assert facts.name_of("http://localhost:4566/000000000000/orders") == "orders"
    assert facts.name_of("orders") == "orders"


@pytest.mark.parametrize(
    ("name", "patterns", "expected"),
    [("a", [], True), ("orders-1", ["x", "orders-*"], True), ("Orders", ["orders"], False), ("/a/b", ["/a/*"], True)],
)
def test_patterns(name, patterns, expected):
    assert facts.wanted(name, patterns) is expected


def test_documents_are_parsed_or_kept_as_they_are():
    assert facts.parse_document('{"a": 1}') == {"a": 1}
    assert facts.parse_document("") is None
    assert facts.parse_document("{") == {"unparsed": "{"}
    assert facts.parse_document("[1]") == {"unparsed": "[1]"}


def test_a_subscription_that_waits_for_confirmation():
    pending = facts.subscription_facts(
        {"SubscriptionArn": "PendingConfirmation", "Protocol": "https", "Endpoint": "e"}, {}
    )
    assert pending["arn"] is None
    assert pending["confirmed"] is False
    arn = "arn:aws:sns:r:1:t:u"
    confirmed = facts.subscription_facts(
        {"SubscriptionArn": arn}, {"RawMessageDelivery": True, "FilterPolicy": '{"a": ["b"]}'}
    )
    assert (confirmed["arn"], confirmed["raw"], confirmed["confirmed"]) == (arn, True, True)
    assert confirmed["filter_policy"] == {"a": ["b"]}


def test_redrive_needs_a_target():
    assert facts.redrive_facts({}) is None
    assert facts.redrive_facts({"RedrivePolicy": "{}"}) is None
    assert facts.redrive_facts(
        {"RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:r:1:dlq", "maxReceiveCount": "3"}'}
    ) == {
        "dead_letter_arn": "arn:aws:sqs:r:1:dlq",
        "dead_letter_queue": "dlq",
        "max_receive_count": 3,
    }


@pytest.mark.parametrize(
    ("table", "mode"),
    [
        ({"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}, "PAY_PER_REQUEST"),
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 5}}, "PROVISIONED"),
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 0}}, "PAY_PER_REQUEST"),
        ({}, "PROVISIONED"),
    ],
)
def test_billing_mode_without_a_summary(table, mode):
    assert facts.billing_mode(table) == mode


def test_items_become_plain_data():
    item = {
        "s": {"S": "x"},
        "i": {"N": "42"},
        "f": {"N": "1.5"},
        "none": {"NULL": True},
        "yes": {"BOOL": True},
        "m": {"M": {"a": {"L": [{"N": "1"}, {"S": "b"}]}}},
        "bin": {"B": b"\x00"},
        "ss": {"SS": ["b", "a"]},
        "ns": {"NS": ["2", "1"]},
        "bs": {"BS": [b"\x01", b"\x00"]},
    }
    assert facts.plain_item(item) == {
        "s": "x",
        "i": 42,
        "f": 1.5,
        "none": None,
        "yes": True,
        "m": {"a": [1, "b"]},
        "bin": "AA==",
        "ss": ["a", "b"],
        "ns": [1, 2],
        "bs": ["AA==", "AQ=="],
    }


def test_newest_first_and_items_without_the_attribute_last():
    items = [
        {"Id": 1},
        {"Id": 2, "CreatedAt": "2026-01-01"},
        {"Id": 3, "CreatedAt": "2026-01-02"},
        {"Id": 4, "CreatedAt": 5},
    ]
    assert [one["Id"] for one in facts.newest_of(iter(items), 3, "CreatedAt")] == [3, 2, 4]
    assert facts.newest_of(items, 0, "CreatedAt") == []


def test_timestamps_are_utc():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert facts.timestamp(datetime.datetime(2026, 1, 1, 2, tzinfo=zone)) == "2026-01-01T00:00:00Z"
    assert facts.timestamp(None) is None
