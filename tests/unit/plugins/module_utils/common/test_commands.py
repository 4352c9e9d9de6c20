"""A command gets its words as they are, and tells how it ended."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import CommandError, run_command


def test_words_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "expanded")
    words = ["$NAME", "~", "$(id)", "a b", '"', ""]
    code, output, errors = run_command([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words])
    assert (code, output.strip(), errors) == (0, str(words), "")


def test_input_environment_and_how_it_ended() -> None:
    program = "import os, sys; sys.stderr.write(sys.stdin.read()); print(os.environ['NAME']); sys.exit(3)"
    given = {"data": "grüße", "environ_update": {"NAME": "value"}}
    assert run_command([sys.executable, "-c", program], **given) == (3, "value\n", "grüße")
    # Nothing of the terminal's.
    assert run_command(["cat"]) == (0, "", "")


def test_output_that_is_no_text() -> None:
    assert run_command(["printf", "\\377"])[1] == "\udcff"


def test_what_does_not_start_or_end_is_said(tmp_path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(CommandError, match="missing can't be started: No such file or directory. Install it"):
        run_command([str(missing)])
    with pytest.raises(CommandError, match="sleep does not end: it was stopped after 0.01 s"):
        run_command(["sleep", "60"], timeout=0.01)
