"""What looks like a secret is not shown."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked, names_secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"access_token": "abc def", "id": 1}', '{"access_token": ***, "id": 1}'),
        ("http://me:hush@x/?X-Amz-Signature=abc", "http://me:***@x/?X-Amz-Signature=***"),
        ("x-api-key: abc", "x-api-key: ***"),
        ("Bearer abcdefgh", "Bearer ***"),
        ("nothing special", "nothing special"),
    ],
)
def test_by_what_it_looks_like(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_what_is_known_is_hidden_wherever_it_stands() -> None:
    assert masked("ab abc xab", ["ab", "abc", ""]) == "*** *** x***"


def test_names() -> None:
    assert all(
        map(names_secret, ("Authorization", "Set-Cookie", "userPassword", "api_key", "X-Auth-Token", "client_secret"))
    )
    assert not any(map(names_secret, ("email", "ETag", "Content-Type", "author", "key")))
