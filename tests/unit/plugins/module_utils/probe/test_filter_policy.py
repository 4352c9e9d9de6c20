# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe import filter_policy


@pytest.mark.parametrize(
    ("rule", "passing", "dropped"),
    [
        (["a", "b"], ["a", "b", ["x", "b"]], ["c", 1, []]),
        ("a", ["a"], ["b"]),
        ([1], [1, 1.0], ["1", True]),
        ([True], [True], [1, "true"]),
        ([None], [None], ["x"]),
        ([{"prefix": "or"}], ["order"], ["no", 1]),
        ([{"suffix": "er"}], ["order"], ["no"]),
        ([{"equals-ignore-case": "ORDER"}], ["order"], ["no"]),
        ([{"wildcard": "o*r[?]*"}], ["order[?]", "or[?]x"], ["order", "or[x]"]),
        ([{"anything-but": "a"}], ["b", 1, ["a", "b"]], ["a", ["a"]]),
        ([{"anything-but": ["a", 1]}], ["b"], ["a", 1]),
        ([{"anything-but": {"prefix": "a"}}], ["b"], ["ab"]),
        ([{"numeric": [">", 1, "<=", 2]}], [1.5, 2], [1, 3, "2"]),
        ([{"numeric": ["=", 1]}], [1], [2]),
        ([{"cidr": "10.0.0.0/8"}], ["10.1.2.3"], ["11.1.2.3", "x", 1.5]),
        ([{"exists": True}], ["a", 1], []),
        ([{"prefix": "a"}, 7], ["ab", 7], ["b", 8]),
    ],
)
def test_conditions(rule, passing, dropped):
    assert [filter_policy.matches({"k": rule}, {"k": value}) for value in passing] == [True] * len(passing)
    assert [filter_policy.matches({"k": rule}, {"k": value}) for value in dropped] == [False] * len(dropped)


def test_a_key_that_is_not_there_passes_only_where_that_is_asked_for():
    assert filter_policy.matches({"k": [{"exists": False}]}, {}) is True
    assert filter_policy.matches({"k": [{"exists": False}]}, {"k": "a"}) is False
    for rule in ("a", [{"exists": True}], [{"anything-but": "a"}]):
        assert filter_policy.matches({"k": rule}, {}) is False


def test_all_keys_and_one_of_or():
    policy = {"a": ["1"], "$or": [{"b": ["2"]}, {"c": ["3"], "d": ["4"]}]}
    assert filter_policy.matches(policy, {"a": "1", "b": "2"}) is True
    assert filter_policy.matches(policy, {"a": "1", "c": "3", "d": "4"}) is True
    assert filter_policy.matches(policy, {"a": "1", "c": "3"}) is False
    assert filter_policy.matches(policy, {"b": "2"}) is False
    assert filter_policy.unmet(policy, {"a": "2", "c": "3"}) == ["a", "$or"]


def test_bodies_have_objects_in_objects():
    policy = {"order": {"kind": ["a"], "lines": {"size": [{"numeric": [">", 1]}]}}}
    assert filter_policy.matches(policy, {"order": {"kind": "a", "lines": [{"size": 1}, {"size": 2}]}}) is True
    assert filter_policy.matches(policy, {"order": {"kind": "a", "lines": [{"size": 1}]}}) is False
    assert filter_policy.matches(policy, {"order": "a"}) is False


def test_what_is_not_known_is_neither_yes_nor_no():
    unknown = {"k": [{"something-new": 1}]}
    assert filter_policy.matches(unknown, {"k": "a"}) is None
    assert filter_policy.matches({"k": [{"numeric": ["~", 1]}]}, {"k": 1}) is None
    assert filter_policy.matches({"k": [{"anything-but": {"something-new": 1}}]}, {"k": 1}) is None
    assert filter_policy.matches({**unknown, "other": ["b"]}, {"k": "a"}) is False
    assert filter_policy.matches({"k": [{"something-new": 1}, "a"]}, {"k": "a"}) is True
    assert filter_policy.unmet(unknown, {"k": "a"}) == []
    assert filter_policy.satisfying(unknown, {}) is None


@pytest.mark.parametrize(
    "policy",
    [
        {"k": ["a"]},
        {"k": [7]},
        {"k": [{"prefix": "or"}], "l": [{"suffix": "er"}]},
        {"k": [{"wildcard": "a*b"}]},
        {"k": [{"anything-but": ["probe"]}]},
        {"k": [{"anything-but": {"prefix": "probe"}}]},
        {"k": [{"numeric": [">", 0, "<", 1]}]},
        {"k": [{"numeric": [">=", 5]}]},
        {"k": [{"cidr": "10.0.0.0/8"}]},
        {"k": [{"exists": True}], "l": [{"exists": False}]},
        {"$or": [{"given": ["no"]}, {"k": ["a"], "l": ["b"]}], "m": ["c"]},
        {"given": ["yes"]},
    ],
)
def test_attributes_are_found_that_pass(policy):
    found = filter_policy.satisfying(policy, {"given": "yes"})
    assert found is not None
    assert found["given"] == "yes"
    assert filter_policy.matches(policy, found) is True


@pytest.mark.parametrize(
    "policy",
    [
        {"given": ["no"]},
        {"given": [{"exists": False}]},
        {"k": [{"numeric": [">", 1, "<", 1]}]},
        {"$or": [{"given": ["no"]}]},
    ],
)
def test_where_none_pass_none_are_found(policy):
    assert filter_policy.satisfying(policy, {"given": "yes"}) is None
