# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe import event as probe

SUBSCRIPTION = {"confirmed": True, "raw": False, "filter_policy": None, "filter_policy_scope": None}
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def test_the_event_has_gosolines_format():
    (event,) = probe.make_events(1, probe.ATTRIBUTES, NOW)
    message = json.loads(event.message)
    assert message["attributes"] == {"encoding": "application/json", "trace": "true"}
    assert json.loads(message["body"]) == {"Id": event.id, "Number": 0, "CreatedAt": "2026-01-01T12:00:00.000Z"}
    assert event.id.startswith("probe-")
    assert event.attributes["encoding"] == {"DataType": "String", "StringValue": "application/json"}
    assert event.key() == {"Id": {"S": event.id}}
    assert event.key("pk") == {"pk": {"S": event.id}}
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


def test_events_are_known_again_in_any_text():
    event, other = probe.make_events(2, probe.ATTRIBUTES, NOW)
    envelope = {"Type": "Notification", "Message": event.message, "Timestamp": "2026-01-01T12:00:00.125Z"}
    for text in (event.message, json.dumps(envelope), f"<order id='{event.id}'/>", f"in/{event.id}.json"):
        assert probe.ids_in(text) == {event.id}
    assert probe.ids_in(f"{other.id},{event.id}") == {event.id, other.id}
    (alone,) = probe.make_events(1, {}, NOW)
    assert probe.ids_in(alone.message) == {alone.id}
    assert probe.published_at(json.dumps(envelope)) == NOW.timestamp() * 1000 + 125
    assert probe.published_at(event.message) is None
    assert probe.published_at('{"Timestamp": "then"}') is None


@pytest.mark.parametrize("text", ["", "x", "[1]", '{"body": "{}"}', "probe-1", "probe-0d1f1c86-1d3b-44b4-9a31"])
def test_what_others_sent_is_not_the_probes(text):
    assert probe.ids_in(text) == set()


def test_a_body_of_the_users_own():
    first, second = probe.make_events(
        2, {"kind": "a"}, NOW, {"order": {"id": "${id}", "no": "${number}"}, "at": "${time}", "x": 1.5}
    )
    assert json.loads(second.message) == {
        "order": {"id": second.id, "no": 1},
        "at": "2026-01-01T12:00:00.000Z",
        "x": 1.5,
    }
    assert first.attributes == {"kind": {"DataType": "String", "StringValue": "a"}}
    (event,) = probe.make_events(1, {}, NOW, "<order id='${id}' no='${number}' raw='$${id}'/>")
    assert event.message == f"<order id='{event.id}' no='0' raw='${{id}}'/>"


def test_the_users_attributes_are_not_added_to():
    subscription = {**SUBSCRIPTION, "filter_policy": {"kind": ["a"]}}
    assert probe.attributes_for(subscription, {}) == {**probe.ATTRIBUTES, "kind": "a"}
    assert probe.attributes_for(subscription, {"x": 1}) == {**probe.ATTRIBUTES, "x": 1}
    assert probe.attributes_for({**subscription, "filter_policy_scope": "MessageBody"}, {}) == probe.ATTRIBUTES
    assert probe.attributes_for({**subscription, "filter_policy": {"encoding": ["x"]}}, {}) == probe.ATTRIBUTES
    assert probe.attributes_for(None, {}) == probe.ATTRIBUTES
    assert probe.attributes_for(subscription, {}, gosoline=False) == {"kind": "a"}
    assert probe.attributes_for(None, {}, gosoline=False) == {}
