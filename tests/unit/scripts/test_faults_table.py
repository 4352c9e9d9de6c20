"""The table of docs/faults.md has what the tests do, all of it, and as it was last seen."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT))

from scripts import faults_table  # noqa: E402
from tests.faults_under_load.catalog import FAULTS, Fault, injects  # noqa: E402

TESTS = sorted(path.stem for path in (PROJECT / "tests/faults_under_load").glob("test_*.py"))
ROWS = json.loads(faults_table.ROWS.read_text())


def injected(module: str) -> list[str]:
    """The faults that a module's tests are marked with, as functions or as parameters."""
    functions = vars(importlib.import_module(f"tests.faults_under_load.{module}")).values()
    marks = [mark for one in functions for mark in getattr(one, "pytestmark", [])]
    values = [value for mark in marks if mark.name == "parametrize" for value in mark.args[1]]
    marks += [mark for value in values for mark in value.marks]
    return [mark.args[0] for mark in marks if mark.name == "fault"]


def test_each_fault_is_injected_by_one_test() -> None:
    assert sorted(name for module in TESTS for name in injected(module)) == sorted(FAULTS)
    with pytest.raises(KeyError):
        injects("no-such-fault")


def test_the_table_has_each_of_them_once_and_nothing_else() -> None:
    page = faults_table.PAGE.read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(FAULTS)
    assert set(ROWS) <= set(FAULTS)
    assert all(row["done"].startswith(FAULTS[name].done) for name, row in ROWS.items())


def test_the_page_is_as_it_is_generated() -> None:
    page = faults_table.PAGE.read_text()
    assert faults_table.written(page, FAULTS, ROWS) == page
    with pytest.raises(ValueError, match="no place"):
        faults_table.written("# Faults", FAULTS, ROWS)


def test_what_was_lost_is_seen_and_what_was_not_measured() -> None:
    faults = {"one": Fault("it", nightly=True), "two": Fault("that")}
    row = {"done": "it", "accepted": 9, "refused": 1, "lost": 2, "twice": 0, "seconds": 1.5, "said": "no"}
    assert faults_table.table(faults, {"one": row}).splitlines()[2:] == [
        "| `one` | it | `--nightly` | 9, 1 | 2 | nothing | 1.5 | no |",
        "| `two` | that | `make faults-load` | not measured yet |  |  |  |  |",
    ]
