"""What a Dockerfile says about images and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.dockerfile import (
    Copy,
    bases,
    ignored,
    instructions,
    is_ignored,
    split,
    used_files,
    with_bases,
)

PROJECT = Path(__file__).resolve().parents[5]
TEXT = """# syntax=docker/dockerfile:1
ARG VERSION=3.11
ARG BASE=python:${VERSION}-slim
FROM --platform=linux/amd64 ${BASE} AS build
ARG VERSION=other
# a comment
RUN echo a \\
    # in between
    && echo b
FROM build AS tested
COPY --from=registry.example/tools:1 /bin/tool /bin/tool
from $BASE
COPY --from=build /x /x
COPY --from=0 /y /y
RUN true
COPY src/ other ./

COPY LICENSE /app/
"""


def test_images_that_are_taken() -> None:
    assert bases(TEXT, {}) == ["python:3.11-slim", "registry.example/tools:1"]
    assert bases(TEXT, {"VERSION": "3.13"}) == ["python:3.13-slim", "registry.example/tools:1"]
    assert bases("FROM scratch\nFROM ${A:-b} AS x\nFROM ${A:+c}y", {}) == ["b", "y"]
    new = with_bases(TEXT, {}, {"python:3.11-slim": "local/base:1", "registry.example/tools:1": "local/base:2"})
    assert bases(new, {}) == ["local/base:1", "local/base:2"]
    assert "FROM --platform=linux/amd64 local/base:1 AS build" in new
    assert [one.text for one in instructions(new) if one.word == "RUN"] == [
        one.text for one in instructions(TEXT) if one.word == "RUN"
    ]


def test_the_last_plain_copies_are_taken_off() -> None:
    head, copies = split(TEXT)
    assert copies == [Copy(("src", "other"), "./"), Copy(("LICENSE",), "/app/")]
    assert head == TEXT[: TEXT.index("COPY src/")]


@pytest.mark.parametrize(
    "last",
    [
        "COPY --chown=1:1 a /a",
        "COPY --from=build /a /a",
        "COPY *.py /app/",
        "COPY $NAME /app/",
        'COPY ["a", "/a"]',
        "COPY a b /app",
        "COPY <<EOF /a",
        "ADD a /a",
        "ENV A=b",
    ],
)
def test_others_stay(last: str) -> None:
    text = f"FROM scratch\nCOPY a /a\n{last}\n"
    assert split(text) == (text, [])


def test_files_that_the_rest_uses() -> None:
    names = ["requirements.txt", "src/app.py", "wheels/a.whl", "src/web/index.html"]
    assert used_files("FROM a\nCOPY requirements.txt wheel[s] /x/\n", names) == ["requirements.txt", "wheels/a.whl"]
    assert used_files("FROM a\nCOPY ./src/web/ /x\n", names) == ["src/web/index.html"]
    assert used_files("FROM a\nCOPY --from=b src /x\n", names) == []
    for text in ("COPY . /x", "COPY $A /x", 'COPY ["src", "/x"]', "RUN --mount=type=bind,target=/x true"):
        assert used_files(f"FROM a\n{text}\n", names) == names


@pytest.mark.parametrize(
    ("rules", "left_out"),
    [
        ("*.md\n!README.md", {"CHANGES.md"}),
        ("**/tests", {"tests/a.py", "src/tests/b.py"}),
        ("src", {"src/app.py", "src/tests/b.py"}),
        ("/src/*.py", {"src/app.py"}),
        ("# nothing\n\n", set()),
        ("**", {"README.md", "CHANGES.md", "tests/a.py", "src/app.py", "src/tests/b.py"}),
        ("**\n!src/app.p?", {"README.md", "CHANGES.md", "tests/a.py", "src/tests/b.py"}),
    ],
)
def test_dockerignore(rules: str, left_out: set[str]) -> None:
    names = ["README.md", "CHANGES.md", "tests/a.py", "src/app.py", "src/tests/b.py"]
    assert {name for name in names if is_ignored(name, ignored(rules))} == left_out


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("producer", ["events"]),
        ("consumer", ["events"]),
        ("users_api", ["events", "web"]),
        ("main_api", ["events", "web"]),
        ("auxiliary_service", ["events", "web"]),
    ],
)
def test_an_edit_of_an_application_costs_one_layer(name: str, shared: list[str]) -> None:
    head, copies = split((PROJECT / "apps" / name / "Dockerfile").read_text())
    assert copies == [Copy(tuple(f"apps/{one}/src" for one in (*shared, name)), "./")]
    assert used_files(head, ["apps/events/src/a.py", f"apps/{name}/src/b.py"]) == []
