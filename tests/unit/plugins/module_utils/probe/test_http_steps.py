"""What is wrong with the steps of a proof is said at once, with its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import (
    KEYS,
    read_steps,
    secret_names,
    secret_values,
    step_names,
    step_problems,
)
from hypothesis import given
from hypothesis import strategies as st

URL = "http://127.0.0.1:30080/user"
NO_FILE = "No such file or directory"


def test_right_steps_have_no_problems(tmp_path: Path) -> None:
    picture = tmp_path / "avatar.png"
    picture.write_bytes(b"png")
    steps = [
        {
            "name": "create",
            "url": URL,
            "method": "post",
            "headers": {"X-Number": 5, "Authorization": "Bearer ${unique}"},
            "send_form": {
                "email": "${unique}@x",
                "n": 1,
                "avatar": {"file": str(picture), "content_type": "image/png"},
            },
            "status": [200, 201],
            "json": {"email": "${unique}@x"},
            "save": {"id": "user.id", "avatar_url": "user.links.0"},
            "contains": None,
        },
        {"url": "${avatar_url}", "file": str(picture), "header": {"ETag": "${id}"}, "retry": True},
        {"url": f"{URL}/${{id}}", "method": "DELETE", "status": 204, "always": True, "contains": "$${x}"},
        {"url": URL, "send_json": None, "json": None},
    ]
    assert step_problems(steps) == []
    first, second, _third, fourth = read_steps(steps)
    assert (first.method, first.status, first.headers["X-Number"]) == ("POST", (200, 201), "5")
    assert first.send == ("send_form", {"email": "${unique}@x", "n": "1", "avatar": steps[0]["send_form"]["avatar"]})  # type: ignore[index]
    assert (second.name, second.status, second.json) == ("GET ${avatar_url}", (200,), ())
    assert (fourth.send, fourth.json) == (("send_json", None), (None,))


@pytest.mark.parametrize(
    ("step", "problems"),
    [
        ("GET", ["steps[0] must be a map, not text"]),
        ({}, ["steps[0].url is missing"]),
        (
            {"url": 5, "method": ["GET"]},
            ["steps[0].url must be text, not a whole number", "steps[0].method must be text, not a list"],
        ),
        ({"url": URL, "methd": "GET"}, ["steps[0].methd is unknown; did you mean 'method'?"]),
        ({"url": URL, "method": "GE T"}, ["steps[0].method: 'GE T' is not a method of HTTP"]),
        (
            {"url": "ftp://x"},
            ["steps[0].url is not a URL; write it with scheme and host, for example http://127.0.0.1:30080/path"],
        ),
        ({"url": URL, "name": "total"}, ["steps[0].name must not be 'total', which is what all steps took together"]),
        (
            {"url": URL, "send_json": {}, "send_body": ""},
            ["steps[0] has send_json and send_body, but a request has one body"],
        ),
        (
            {"url": URL, "send_form": {"avatar": {"file": "/none.png"}, "b": ["x"], "c": {"fil": "x"}}},
            [
                f"steps[0].send_form.avatar: file /none.png cannot be read ({NO_FILE})",
                "steps[0].send_form.b must be text, or a map with file, not a list",
                "steps[0].send_form.c.fil is unknown; did you mean 'file'?",
                "steps[0].send_form.c.file is missing",
            ],
        ),
        ({"url": URL, "file": "/none.png"}, [f"steps[0].file: file /none.png cannot be read ({NO_FILE})"]),
        ({"url": URL, "file": "/"}, ["steps[0].file: file / cannot be read (Is a directory)"]),
        ({"url": URL, "file": "a\0b"}, ["steps[0].file: file a\0b cannot be read (embedded null byte)"]),
        (
            {"url": URL, "status": [200, 99, True, "201"]},
            [f"steps[0].status: {one} is not a status of HTTP (100 to 599)" for one in ("99", "True", "'201'")],
        ),
        ({"url": URL, "status": []}, ["steps[0].status is empty"]),
        (
            {"url": URL, "headers": {"A B": "x", "C": "a\r\nD: b", "E": ["x"], "F": "王"}},
            [
                "steps[0].headers: 'A B' is not a header's name",
                "steps[0].headers.C has a line break, which a header cannot have",
                "steps[0].headers.E must be text, not a list",
                "steps[0].headers.F has characters that a header cannot have (Latin-1 only)",
            ],
        ),
        (
            {"url": URL, "save": {"a b": "x", "unique": "x", "c": 1, "d": "a..b"}},
            [
                "steps[0].save: 'a b' is not a name (letters, digits and _)",
                "steps[0].save: unique is given already",
                "steps[0].save.c: 1 is not a path in JSON, for example user.links.0.href",
                "steps[0].save.d: 'a..b' is not a path in JSON, for example user.links.0.href",
            ],
        ),
        ({"url": URL, "always": "yes"}, ["steps[0].always must be true or false, not text"]),
        (
            {"url": f"{URL}/${{uniqe}}", "headers": {"X": "${"}, "contains": "${own}", "save": {"own": "id"}},
            [
                "steps[0].url asks for ${uniqe}, which no earlier step saves; did you mean 'unique'?",
                "steps[0].headers asks for '${', which is not a name; write $${ for the text ${ itself",
                "steps[0].contains asks for ${own}, which is saved only afterwards",
            ],
        ),
    ],
)
def test_problems_have_a_path(step: Any, problems: list[str]) -> None:
    assert step_problems([step]) == [f"{one}." for one in problems]


def test_what_is_no_json_is_told() -> None:
    (problem,) = step_problems([{"url": URL, "json": {"at": float("nan")}}])
    assert problem.startswith("steps[0].json is not JSON (")


def test_the_problems_of_all_steps_are_told_at_once() -> None:
    steps = [{"name": "a", "url": "${id}"}, {"name": "a", "url": URL, "save": {"id": "id"}}, {"url": "${id}", "x": 1}]
    problems = step_problems(steps, "blueprint.proofs[2].steps")
    assert problems == [
        "blueprint.proofs[2].steps[0].name: 'a' is the name of another step as well.",
        "blueprint.proofs[2].steps[0].url asks for ${id}, which is saved only afterwards.",
        "blueprint.proofs[2].steps[1].name: 'a' is the name of another step as well.",
        f"blueprint.proofs[2].steps[2].x is unknown; there are {', '.join(sorted(KEYS))}.",
    ]
    assert step_problems([]) == ["steps is empty, so nothing would be proved."]
    assert step_problems({"url": URL}) == ["steps must be a list, not a map."]


def test_names_are_each_steps_own() -> None:
    steps = [{"url": URL}, {"url": URL}, {"name": "x", "url": URL}, {"url": URL, "method": "delete"}, {"url": URL}]
    assert step_names(steps) == [f"GET {URL}", f"GET {URL} (2)", "x", f"DELETE {URL}", f"GET {URL} (3)"]
    assert step_names([{"url": "http://me:hush@x/?token=hush"}]) == ["GET http://me:***@x/?token=***"]


def test_what_is_a_secret_by_its_place_or_use() -> None:
    steps = read_steps(
        [
            {
                "url": "http://me:pass@x/",
                "send_json": {"user": "u", "login": [{"Password": "hush", "n": 5}]},
                "save": {"t": "id"},
            },
            {
                "url": URL,
                "headers": {"Authorization": "Bearer ${t}", "Cookie": "c=1", "X": "y"},
                "save": {"api_key": "a"},
            },
            {"url": URL, "send_form": {"secret": "in-form", "b": "c"}, "save": {"x": "access_token", "y": "id"}},
        ]
    )
    assert secret_values(steps) == {"pass", "hush", "c=1", "in-form"}
    assert secret_names(steps) == {"t", "api_key", "x"}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["${a}", "${", URL, "GET"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), ANYTHING, max_size=6), max_size=3) | ANYTHING
)
def test_nonsense_is_told_by_its_path_and_never_fails(steps: Any) -> None:
    problems = step_problems(steps, why_unreadable=lambda _path: None)
    assert all(one.startswith("steps") for one in problems)
    if not problems:
        assert len(read_steps(steps)) == len(steps)
        secret_names(read_steps(steps))
