# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_compare import Change, differences, removed


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ({"a": 1}, {"a": 1, "filled_in": 2}),
        ({"a": {}}, {}),
        ({"a": None, "b": False, "c": 0, "d": "", "e": []}, {}),
        ({"a": 30}, {"a": 30.0}),
        ({"policy": '{"B": [1], "A": "x"}'}, {"policy": '{"A":"x","B":1}'}),
        ({"policy": '{"Action": ["a", "b"]}'}, {"policy": '{"Action": ["b", "a"]}'}),
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
        ({"a": "{broken"}, {"a": "{"}, Change("a", "{", "{broken")),
    ],
)
def test_what_differs(declared, found, change):
    assert differences(declared, found) == [change]


def test_order_counts_in_the_cluster_and_not_in_aws():
    declared, found = {"a": ["x", "y"]}, {"a": ["y", "x"]}
    assert [one.path for one in differences(declared, found)] == ["a[0]", "a[1]"]
    assert differences(declared, found, observed=True) == []


def test_what_aws_says_nothing_of_is_no_difference():
    assert differences({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}}, observed=True) == [Change("b.c", 4, 2)]


def test_lists_from_aws_are_paired_by_likeness():
    declared = [{"name": "one", "size": 1}, {"name": "two", "size": 2}]
    found = [{"name": "two", "size": 3}, {"name": "one", "size": 1}]
    assert differences(declared, found, "index", observed=True) == [Change("index[1].size", 3, 2)]


def test_fields_that_were_ours_and_are_declared_no_more_are_removed():
    owned = {"f:spec": {"f:forProvider": {"f:delaySeconds": {}, "f:tags": {"f:old": {}, "f:kept": {}}, "f:gone": {}}}}
    found = {"spec": {"forProvider": {"delaySeconds": 5, "tags": {"old": "x", "kept": "y", "theirs": "z"}}}}
    declared = {"spec": {"forProvider": {"tags": {"kept": "y"}}}}
    assert removed(declared, owned, found) == [
        Change("spec.forProvider.delaySeconds", 5, None),
        Change("spec.forProvider.tags.old", "x", None),
    ]


def test_a_change_reads_well_and_stays_short():
    assert str(Change("a.b", None, 'x"')) == 'a.b: nothing -> "x\\""'
    assert len(str(Change("a", "x" * 1000, "y" * 1000))) < 140
