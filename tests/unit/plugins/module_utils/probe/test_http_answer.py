"""Whether an answer is as expected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_answer import (
    Answer,
    Expectation,
    NoValueError,
    equal,
    mismatches,
    subset_problems,
    value_at,
)
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(JSON)
def test_everything_is_a_part_of_itself(value: Any) -> None:
    assert subset_problems(value, value, "json") == []
    assert equal(value, json.loads(json.dumps(value)))


@given(OBJECTS, OBJECTS)
def test_more_keys_do_not_matter_and_a_missing_one_is_named(wanted: dict[str, Any], more: dict[str, Any]) -> None:
    assert subset_problems(wanted, {**more, **wanted}, "json") == []
    without = dict(wanted)
    if without:
        name = next(iter(without))
        del without[name]
        assert subset_problems(wanted, without, "json") == [f"json.{name} is missing"]


@given(JSON, JSON)
def test_a_part_that_is_found_lacks_nothing(wanted: Any, found: Any) -> None:
    """Against another definition: what is merged into the found value does not change it."""

    def merged(one: Any, other: Any) -> Any:
        if isinstance(one, dict) and isinstance(other, dict):
            return {**other, **{name: merged(value, other.get(name)) for name, value in one.items()}}
        return one

    problems = subset_problems(wanted, found, "json")
    if not problems:
        assert equal(merged(wanted, found), found)


@given(st.lists(JSON, min_size=1, max_size=4))
def test_lists_are_exact(values: list[Any]) -> None:
    assert subset_problems(values, values[1:], "json") == [
        f"json has {len(values) - 1} elements instead of {len(values)}"
    ]


@pytest.mark.parametrize(
    ("wanted", "found", "problems"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1.0, "c": 2}, "d": 3}, []),
        ({"a": True}, {"a": 1}, ["json.a is 1 instead of true"]),
        ({"a": 0}, {"a": False}, ["json.a is false instead of 0"]),
        ({"a": None}, {}, ["json.a is missing"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, ['json.a is [{"b": 1, "c": 2}] instead of [{"b": 1}]']),
        ({"a": {"b": 1}}, {"a": [1]}, ["json.a is not an object"]),
        ({"a": 1, "b": 2}, {"a": 2}, ["json.a is 2 instead of 1", "json.b is missing"]),
        (
            {"access_token": "x"},
            {"access_token": "hush"},
            ["json.access_token is not as expected (its values are not shown)"],
        ),
        ([1], [1], []),
        ([True], [1], ["json is [1] instead of [true]"]),
    ],
)
def test_differences_are_named(wanted: Any, found: Any, problems: list[str]) -> None:
    assert subset_problems(wanted, found, "json") == problems


def test_all_that_is_wrong_is_said() -> None:
    answer = Answer(201, {"content-type": "text/plain", "set-cookie": "hush"}, b"hello")
    expected = Expectation(
        (200, 201), ({"a": 1},), "bye", b"hella", {"Content-Type": "application/json", "Set-Cookie": "x", "ETag": "1"}
    )
    assert mismatches(expected, answer) == [
        'the header Content-Type is "text/plain" instead of "application/json"',
        "the header Set-Cookie is not as expected (its values are not shown)",
        "the header ETag is missing",
        "the body is not JSON",
        'the body does not contain "bye"',
        "the body is not the file: byte 4 is another",
    ]
    assert mismatches(expected._replace(status=(200, 204)), answer) == ["the status is 201 instead of 200 or 204"]
    assert mismatches(Expectation((201,), (), None, b"hell", {}), answer) == [
        "the body has 5 bytes instead of the file's 4"
    ]
    assert mismatches(Expectation((201,), (), "ell", b"hello", {"CONTENT-TYPE": "text/plain"}), answer) == []


def test_null_may_be_expected() -> None:
    assert mismatches(Expectation(json=(None,)), Answer(200, {}, b"null")) == []
    assert mismatches(Expectation(json=(None,)), Answer(200, {}, b"0")) == ["json is 0 instead of null"]


def test_a_value_at_a_path() -> None:
    document = {"a": {"b": [{"c": 1}, None]}, "0": "zero"}
    assert [value_at(path, document) for path in ("a.b.0.c", "a.b.1", "0", "a.b")] == [
        1,
        None,
        "zero",
        [{"c": 1}, None],
    ]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("x", "the answer has no x, but a, 0"),
        ("a.b.2", "a.b has no 2, as it is a list of 2"),
        ("a.b.-1", "a.b has no -1, as it is a list of 2"),
        ("a.b.0.c.d", "a.b.0.c has no d, as it is neither an object nor a list"),
    ],
)
def test_a_path_that_leads_nowhere(path: str, says: str) -> None:
    with pytest.raises(NoValueError, match=says):
        value_at(path, {"a": {"b": [{"c": 1}, None]}, "0": "zero"})


@given(st.text(), JSON)
def test_no_path_ends_in_another_error(path: str, document: Any) -> None:
    try:
        value_at(path, document)
    except NoValueError as error:
        assert "has no" in str(error)
