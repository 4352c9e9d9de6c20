"""The nightly run: faults under load, with the same pins and rights as CI's."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[3]
FILE = PROJECT / ".github/workflows/nightly.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
PINS = re.compile(r"uses: (\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$", re.MULTILINE)


def test_it_runs_what_make_test_has_no_time_for() -> None:
    commands = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    as_root = [
        f"sudo --preserve-env=HOME,PATH make {target}"
        for target in ("test NIGHTLY=1", "bench-bundle", "molecule-kind NIGHTLY=1", "test-matrix")
    ]
    assert commands == ["make faults-load ARGS='--nightly --shuffle'", *as_root]
    assert set(WORKFLOW["on"]) == {"schedule", "workflow_dispatch"}


def test_it_uses_what_ci_uses_and_may_no_more() -> None:
    pins = PINS.findall(FILE.read_text())
    assert len(pins) == FILE.read_text().count("uses:")
    assert set(pins) <= set(PINS.findall((PROJECT / ".github/workflows/ci.yml").read_text()))
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job and "permissions" not in job for job in WORKFLOW["jobs"].values())
