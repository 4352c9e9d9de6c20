"""What `make test` runs, as make itself tells it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
# Run by the scenarios of Molecule, as they need a stack.
BY_SCENARIOS = {"integration"}
# pytest's testpaths.
BY_DEFAULT = {"unit"}


@pytest.fixture(scope="module")
def planned() -> str:
    """The commands of all jobs of `make test`."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        ["make", "--dry-run", "test"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_scenario_is_run_once(planned: str) -> None:
    for path in (PROJECT / "molecule").iterdir():
        assert planned.count(f": molecule test --scenario-name {path.name}\n") == 1, path.name


def test_every_folder_of_tests_is_run(planned: str) -> None:
    folders = {path.parent.name for path in (PROJECT / "tests").glob("*/test_*.py")} - BY_SCENARIOS - BY_DEFAULT
    assert folders
    for name in sorted(folders):
        assert f" tests/{name}" in planned, name
    assert 'unit: HELM="$(python scripts/part.py helm helm)" pytest\n' in planned


def test_every_check_is_run(planned: str) -> None:
    for command in ("ruff check .", "yamllint .", "ansible-lint", "antsibull-changelog lint"):
        assert planned.count(f"lint: {command}\n") == 1, command
    for name in ("refusals", "collection", "check-charts", "check-secrets"):
        assert f"\n{name}: pytest " in planned or f"\n{name}: HELM=" in planned or f"\n{name}: python " in planned, name


def test_clusters_wait_for_what_they_are_made_of(planned: str) -> None:
    begins = planned.index("ansible-playbook tests/parts.yml")
    assert planned.count("ansible-playbook tests/parts.yml") == 1
    assert begins < planned.index(": molecule test ")
    assert begins < planned.index(": pytest tests/faults")
