"""Values in a proof's texts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe.placeholders import filled, names_in, text_filled
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


def test_a_text_is_filled_and_a_whole_one_keeps_the_type() -> None:
    values = {"id": 7, "tags": ["a"], "on": True, "name": "Zoë"}
    given_ = {"a": "${id}", "b": "no ${id} of ${name}", "${name}": ["${tags}", "${on}", "is ${on}", 1, None]}
    assert filled(given_, values) == {"a": 7, "b": "no 7 of Zoë", "Zoë": [["a"], True, "is true", 1, None]}
    assert text_filled("${id}", values) == "7"


def test_an_escaped_one_stays() -> None:
    assert names_in("$${id} $ $5 {x} $$") == set()
    assert filled("$${id} $ $5 {x} $$", {}) == "${id} $ $5 {x} $$"


def test_what_is_asked_for_is_found_everywhere() -> None:
    value = {"${a}": [{"b": "x${c}y${d}"}], "e": 1, "f": "${not closed"}
    assert names_in(value) == {"a", "c", "d", "${"}


def test_a_value_is_not_filled_again() -> None:
    assert filled("${a}", {"a": "${b}"}) == "${b}"
    assert filled("<${a}>", {"a": "${a}$${"}) == "<${a}$${>"


def test_a_name_without_a_value() -> None:
    with pytest.raises(KeyError, match="b"):
        filled(["${a} ${b}"], {"a": 1})


@given(JSON)
def test_any_value_with_all_that_it_asks_for_can_be_filled(value: Any) -> None:
    names = names_in(value)
    if "${" in names:  # the check refuses it
        return
    filled(value, dict.fromkeys(names, "x"))


@given(st.text(alphabet=st.characters(exclude_characters="$")), NAMES, JSON)
def test_a_text_around_a_value_stays(text: str, name: str, value: Any) -> None:
    assert filled(f"${{{name}}}", {name: value}) == value
    assert text_filled(f"{text}${{{name}}}{text}", {name: "in"}) == f"{text}in{text}"
    assert filled(text, {}) == text
