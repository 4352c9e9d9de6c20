# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import COMPARISON, fields_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.comparison import Rule
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import (
    Change,
    differences,
    removed,
    without_repeats,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ({"a": 1}, {"a": 1, "filled_in": 2}),
        ({"a": {}}, {}),
        ({"a": None, "b": False, "c": 0, "d": "", "e": []}, {}),
        ({"a": 30}, {"a": 30.0}),
        ({"rules": [{"days": 1}]}, {"rules": [{"days": 1, "id": "made"}]}),
    ],
)
def test_what_is_the_same(declared, found):
    assert differences(declared, found) == []


@pytest.mark.parametrize(
    ("declared", "found", "change"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, Change("a.b", 2, 1)),
        ({"a": 1}, {}, Change("a", None, 1)),
        ({"a": True}, {"a": 1}, Change("a", 1, True)),
        ({"a": False}, {"a": True}, Change("a", True, False)),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, Change("a[1].b", 3, 2)),
        ({"a": [1, 2]}, {"a": [2, 1, 3]}, Change("a", [2, 1, 3], [1, 2])),
        ({"a": [1]}, {"a": "x"}, Change("a", "x", [1])),
        ({"a": '{"x": 1}'}, {"a": '{"x": 2}'}, Change("a", '{"x": 2}', '{"x": 1}')),
        ({"a": '{"x": 1}'}, {"a": '{"x":1}'}, Change("a", '{"x":1}', '{"x": 1}')),
        ({"a": "{broken"}, {"a": "{"}, Change("a", "{", "{broken")),
    ],
)
def test_what_differs(declared, found, change):
    assert differences(declared, found) == [change]


@pytest.mark.parametrize("value", [False, 0, ""])
def test_what_is_nothing_to_a_server_is_something_to_the_provider(value):
    assert differences({"a": value}, {}, exact=True) == [Change("a", None, value)]
    assert differences({"a": value}, {"a": value}, exact=True) == []
    assert differences({"a": value}, {"a": None}, observed=True) == []
    assert differences({"a": []}, {"a": None}, exact=True) == []


def test_order_counts_in_the_cluster_and_not_in_aws():
    declared, found = {"a": ["x", "y"]}, {"a": ["y", "x"]}
    assert [one.path for one in differences(declared, found)] == ["a[0]", "a[1]"]
    assert differences(declared, found, observed=True) == []
    assert differences(declared, found, observed=True, rules={"a": Rule("ordered")}) != []


def test_what_aws_says_nothing_of_is_no_difference():
    assert differences({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}}, observed=True) == [Change("b.c", 4, 2)]


def test_a_block_is_a_map_in_one_scope_and_a_list_of_one_in_the_other():
    assert differences({"ttl": {"enabled": True}}, {"ttl": [{"enabled": True}]}, observed=True) == []
    assert differences({"ttl": {"enabled": True}}, {"ttl": [{"enabled": False}]}, observed=True) != []


def test_lists_from_aws_are_paired_by_likeness_or_by_key():
    declared = [{"name": "one", "size": 1}, {"name": "two", "size": 2}]
    found = [{"name": "two", "size": 3}, {"name": "one", "size": 1}]
    assert differences({"index": declared}, {"index": found}, observed=True) == [Change("index[1].size", 3, 2)]
    rules = {"index": Rule("items", key="name")}
    found = [{"name": "two", "size": 1}, {"name": "one", "size": 2}]
    changes = differences({"index": declared}, {"index": found}, observed=True, rules=rules)
    assert changes == [Change("index[0].size", 2, 1), Change("index[1].size", 1, 2)]


LIFECYCLE = fields_of("s3/BucketLifecycleConfiguration")


def rule(**fields):
    return {"rule": [{"id": "r", "status": "Enabled", "filter": [{"prefix": "logs/"}], **fields}]}


@pytest.mark.parametrize("view", [{"observed": True}, {"exact": True}])
@pytest.mark.parametrize(
    ("declared", "found", "path"),
    [
        (rule(), rule(expiration=[{"days": 60}]), "rule[0].expiration"),
        (rule(filter=[{"prefix": ""}]), rule(filter=[{"prefix": "", "tag": [{"key": "a", "value": "b"}]}]), "rule[0].filter[0].tag"),
        (rule(filter=[{"tag": [{"key": "a", "value": "b"}]}]), rule(filter=[{"prefix": "", "tag": [], "and": []}]), "rule[0].filter[0].tag"),
        (rule(expiration=[{"days": 1}]), rule(expiration=[{"days": 1, "expiredObjectDeleteMarker": True}]), "rule[0].expiration[0].expiredObjectDeleteMarker"),
        (rule(filter=[{"and": [{"tags": {"a": "x"}}]}]), rule(filter=[{"and": [{"tags": {"a": ""}}]}]), "rule[0].filter[0].and[0].tags.a"),
    ],
)  # fmt: skip
def test_a_list_that_the_kind_owns_is_compared_as_a_whole(declared, found, path, view):
    assert [one.path for one in differences(declared, found, rules=LIFECYCLE, **view)] == [path]


def test_what_has_no_meaning_in_such_a_list_is_no_difference():
    full = {"date": None, "days": 1, "expiredObjectDeleteMarker": False}
    read = rule(expiration=[full], filter=[{"prefix": "logs/", "tag": [], "and": []}], transition=[{"days": None}])
    assert differences(rule(expiration=[{"days": 1}]), read, observed=True, rules=LIFECYCLE) == []


@pytest.mark.parametrize(
    ("kind", "name", "declared", "found", "same"),
    [
        ("sns/TopicSubscription", "filterPolicy", {"flag": [1]}, {"flag": [True]}, False),
        ("sns/TopicSubscription", "filterPolicy", {"flag": [1]}, {"flag": ["1"]}, False),
        ("sns/TopicSubscription", "filterPolicy", {"flag": [1]}, {"flag": [1.0]}, True),
        ("sns/TopicSubscription", "filterPolicy", {"flag": [None]}, {"flag": []}, False),
        ("sns/TopicSubscription", "filterPolicy", {}, None, True),
        ("sqs/Queue", "redrivePolicy", {"maxReceiveCount": 3}, {"maxReceiveCount": "3"}, True),
        ("sqs/Queue", "redrivePolicy", {"maxReceiveCount": 3}, {"maxReceiveCount": 4}, False),
        ("sqs/Queue", "redrivePolicy", {"maxReceiveCount": 3}, None, False),
        ("ssm/Parameter", "insecureValue", ["first", "second"], ["second", "first"], False),
        ("ssm/Parameter", "insecureValue", {"Statement": [{"Action": "a"}]}, {"Statement": [{"Action": ["a"]}]}, False),
        ("s3/BucketPolicy", "policy", {"Statement": [{"Action": "A"}]}, {"Statement": {"Action": ["a"]}}, True),
        ("ecr/Anything", "document", {"Statement": [{"Action": "A"}]}, {"Statement": [{"Action": ["A"]}]}, False),
        ("ecr/Anything", "document", {"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
    ],
)  # fmt: skip
def test_what_a_text_holds_is_compared_as_the_field_says(kind, name, declared, found, same):
    one, other = ({name: value if value is None else json.dumps(value)} for value in (declared, found))
    assert (differences(one, other, observed=True, rules=fields_of(kind)) == []) is same


def test_spaces_of_a_parameter_count():
    rules = fields_of("ssm/Parameter")
    assert differences({"insecureValue": '{"a": 1}'}, {"insecureValue": '{"a":1}'}, observed=True, rules=rules) != []


def test_fields_that_were_ours_and_are_no_longer_declared_are_removed():
    owned = {"f:spec": {"f:forProvider": {"f:delaySeconds": {}, "f:tags": {"f:old": {}, "f:kept": {}}, "f:gone": {}}}}
    found = {"spec": {"forProvider": {"delaySeconds": 5, "tags": {"old": "x", "kept": "y", "theirs": "z"}}}}
    declared = {"spec": {"forProvider": {"tags": {"kept": "y"}}}}
    assert removed(declared, owned, found) == [
        Change("spec.forProvider.delaySeconds", 5, None),
        Change("spec.forProvider.tags.old", "x", None),
    ]


def test_a_map_that_is_declared_no_longer_goes_field_by_field():
    owned = {"f:metadata": {"f:annotations": {".": {}, "f:a": {}}}}
    found = {"metadata": {"annotations": {"a": "1", "b": "2"}}}
    assert removed({"metadata": {}}, owned, found) == [Change("metadata.annotations.a", "1", None)]


PORTS = {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}}


def test_a_field_of_a_lists_item_that_is_declared_no_longer_is_removed():
    item = {"port": 80, "protocol": "TCP", "name": "web"}
    assert removed({"ports": [{"port": 80}]}, PORTS, {"ports": [item]}) == [Change("ports[0].name", "web", None)]
    assert removed({"ports": [{"port": 80, "name": "web"}]}, PORTS, {"ports": [item]}) == []
    assert removed({"ports": [{"port": 90}]}, PORTS, {"ports": [{"port": 90}, item]}) == [
        Change("ports[1]", item, None)
    ]


def test_values_of_a_set_that_are_declared_no_longer_are_removed():
    owned = {"f:finalizers": {'v:"mine"': {}}}
    assert removed({}, owned, {"finalizers": ["theirs", "mine"]}) == [Change("finalizers[1]", "mine", None)]
    assert removed({"finalizers": ["mine"]}, owned, {"finalizers": ["mine"]}) == []


def test_a_list_that_is_ours_as_a_whole_has_no_more_than_what_is_declared():
    owned = {"f:spec": {"f:forProvider": {"f:ingress": {}}}}
    declared = {"spec": {"forProvider": {"ingress": [{"from": 1, "cidr": ["a"]}]}}}
    found = {"spec": {"forProvider": {"ingress": [{"from": 1, "cidr": ["a"], "self": True, "empty": []}]}}}
    assert removed(declared, owned, found) == [Change("spec.forProvider.ingress[0].self", True, None)]
    assert removed(declared, {"f:spec": {"f:forProvider": {"f:region": {}}}}, found) == []


def test_what_others_put_into_a_map_that_we_applied_empty_is_theirs():
    owned = {"f:spec": {"f:forProvider": {"f:tags": {}}}}
    found = {"spec": {"forProvider": {"tags": {"crossplane-name": "orders"}}}}
    assert removed({"spec": {"forProvider": {"tags": {}}}}, owned, found) == []


def test_a_change_of_the_whole_stands_for_what_is_in_it():
    changes = [Change("a", [1], []), Change("a[0].b", 1, None), Change("ab", 1, 2), Change("a", [1], [])]
    assert without_repeats(changes) == [Change("a", [1], []), Change("ab", 1, 2)]


def test_a_change_reads_well_and_stays_short():
    assert str(Change("a.b", None, 'x"')) == 'a.b: nothing -> "x\\""'
    assert len(str(Change("a", "x" * 1000, "y" * 1000))) < 140


# A busy machine is no fault.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(["a", "b", "tags", "rule", "policy", "filterPolicy"])
SCALARS = st.booleans() | st.integers(-3, 3) | st.text('ab{}[]":1', max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
KINDS = st.sampled_from(sorted(COMPARISON))
VIEWS = st.sampled_from([{"observed": True}, {"exact": True}, {}])


@patient
@given(OBJECTS, KINDS, VIEWS)
def test_anything_equals_itself(value, kind, view):
    assert differences(value, copy.deepcopy(value), rules=fields_of(kind), **view) == []


@patient
@given(st.dictionaries(st.just("policy"), VALUES), st.dictionaries(st.just("policy"), VALUES), KINDS)
def test_no_two_values_are_too_strange_to_be_compared(one, other, kind):
    for view in ({"observed": True}, {"exact": True}, {}):
        differences(one, other, rules=fields_of(kind), **view)


@patient
@given(st.sampled_from(["filterPolicy", "policy", "text"]), SCALARS, SCALARS, KINDS, VIEWS)
def test_equality_is_symmetric(name, one, other, kind, view):
    rules = fields_of(kind)
    assert bool(differences({name: one}, {name: other}, rules=rules, **view)) == bool(
        differences({name: other}, {name: one}, rules=rules, **view)
    )


def test_a_url_is_the_same_with_and_without_its_scheme():
    rules = {"url": Rule("url")}
    declared = {"url": "https://issuer.example/id"}
    assert differences(declared, {"url": "issuer.example/id"}, rules=rules) == []
    assert differences(declared, {"url": "issuer.example/other"}, rules=rules) != []
