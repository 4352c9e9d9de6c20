"""Which values among arguments are secrets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.localcloud.stack.plugins.module_utils.common.secrets import secret_values
from hypothesis import given
from hypothesis import strategies as st

LOGIN = {"user": {"type": "str"}, "password": {"type": "str", "no_log": True}}
SPEC: dict[str, Any] = {
    "name": {"type": "str"},
    "key": {"type": "str", "no_log": True, "aliases": ["token"]},
    "pins": {"type": "raw", "no_log": True},
    "owner": {"type": "str", "no_log": False},
    "login": {"type": "dict", "options": LOGIN},
    "logins": {"type": "list", "elements": "dict", "options": {**LOGIN, "next": {"type": "dict", "options": LOGIN}}},
}


@pytest.mark.parametrize(
    ("params", "secrets"),
    [
        ({}, set()),
        ({"name": "door", "owner": "me", "key": "hush"}, {"hush"}),
        ({"key": ""}, set()),
        ({"key": None}, set()),
        ({"token": "hush"}, {"hush"}),
        ({"pins": [7, 1.5, True, None, {"shown": "hush", "deep": ["a", ("b",)]}]}, {"7", "1.5", "hush", "a", "b"}),
        ({"login": {"user": "me", "password": "hush"}}, {"hush"}),
        ({"logins": [{"password": "a"}, {"next": {"password": "b"}}]}, {"a", "b"}),
        # Before it is said that they are wrong.
        ({"login": "no mapping", "logins": [None, 7, {"next": []}]}, set()),
        ("no mapping", set()),
    ],
)
def test_values_that_are_marked(params: object, secrets: set[str]) -> None:
    assert secret_values(SPEC, params) == secrets


TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=4, max_size=8)
LOGINS = st.fixed_dictionaries({"user": TEXTS}, optional={"password": TEXTS})


@given(
    params=st.fixed_dictionaries(
        {},
        optional={
            "key": TEXTS,
            "pins": st.recursive(
                TEXTS | st.integers(1000), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
            ),
            "login": LOGINS,
            "logins": st.lists(LOGINS, max_size=3),
        },
    )
)
def test_nothing_of_a_secret_is_left_in_what_repeats_the_arguments(params: dict[str, Any]) -> None:
    """As Ansible's own validation counts them; it keeps its list to itself."""
    validated = ArgumentSpecValidator(SPEC).validate(params)
    assert validated.error_messages == []
    secrets = secret_values(SPEC, validated.validated_parameters)
    said = values(remove_values(validated.validated_parameters, secrets))
    assert [one for one in said if one in secrets] == []
    assert secrets <= {*values(params)}


def values(value: object) -> list[str]:
    """All texts and numbers in it, as texts."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in values(one)]
    if isinstance(value, list):
        return [text for one in value for text in values(one)]
    return [] if value is None else [str(value)]
