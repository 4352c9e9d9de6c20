"""ARGS is taken apart as a person means it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.scripts.with_arguments import words
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/with_arguments.py"
JSON = st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))


@given(st.lists(st.text().filter(lambda text: "\0" not in text)))
def test_what_is_quoted_as_for_a_shell_comes_as_it_was(given_words: list[str]) -> None:
    assert words(shlex.join(given_words)) == given_words


@given(JSON, st.integers(0, 2))
def test_json_stays_as_it_is_typed(value: dict[str, object], indent: int) -> None:
    typed = json.dumps(value, indent=indent or None)
    assert words(f"--check -e {typed} -v") == ["--check", "-e", typed, "-v"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", []),
        ("  --check   --diff ", ["--check", "--diff"]),
        ("-e a=b -e 'c=d e'", ["-e", "a=b", "-e", "c=d e"]),
        ("-e 'a: [b, c]'", ["-e", "a: [b, c]"]),
        ("""-e '{"a": "b c"}'""", ["-e", '{"a": "b c"}']),
        ('-e {"a":["b"],"c":"d"}', ["-e", '{"a":["b"],"c":"d"}']),
        ('-e {"a": {"b": "it\'s $HOME `x` \\" }"}} -v', ["-e", '{"a": {"b": "it\'s $HOME `x` \\" }"}}', "-v"]),
        # YAML, which a shell would not take apart either.
        ("-e {a: b}", ["-e", "{a:", "b}"]),
        ("-e {a:b}", ["-e", "{a:b}"]),
        ("-e @file # no comment", ["-e", "@file", "#", "no", "comment"]),
        ("-e a=''", ["-e", "a="]),
        ("''", [""]),
    ],
)
def test_words(typed: str, meant: list[str]) -> None:
    assert words(typed) == meant


def run(arguments: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *command],
        env={"ARGS": arguments, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_gets_them_behind_its_own() -> None:
    assert run('-e {"a": 1}', "printf", "<%s>", "own").stdout == '<own><-e><{"a": 1}>'


def test_what_can_not_be_taken_apart_or_run_is_one_sentence() -> None:
    done = run("-e 'a", "true")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Close the quote" in done.stderr
    assert "Traceback" not in run("", "no-such-program").stderr
