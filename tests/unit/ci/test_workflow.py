from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
FILE = PROJECT / ".github/workflows/ci.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
JOBS = WORKFLOW["jobs"]
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def steps():
    return [(name, step) for name, job in JOBS.items() for step in job["steps"]]


def test_the_jobs_are_those_of_the_blueprint():
    assert set(JOBS) == {"lint", "unit", "image", "charts", "secrets", "integration", "summary"}
    assert set(WORKFLOW["on"]) == {"push", "pull_request"}


def test_every_job_runs_make_targets_that_are_there():
    commands = [(name, step["run"]) for name, step in steps() if "run" in step]
    assert {name for name, _arguments in commands} == set(JOBS)
    for name, command in commands:
        words = command.split()
        assert words[0] == "make" and "\n" not in command.strip(), f"{name}: {command}"
        assert words[1] in TARGETS, f"{name}: no target {words[1]}"


def test_every_action_is_pinned_by_commit_and_tells_its_version():
    lines = [line for line in FILE.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_one_version():
    pins = {}
    for _job, step in steps():
        if "uses" in step:
            action, commit = step["uses"].split("@")
            assert pins.setdefault(action, commit) == commit, action


def test_nothing_may_write_and_no_credentials_stay():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [name for name, job in JOBS.items() if "permissions" in job]
    for name, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name


def test_every_job_ends_some_time_and_the_summary_waits_for_all():
    assert all("timeout-minutes" in job for job in JOBS.values())
    assert set(JOBS["summary"]["needs"]) == set(JOBS) - {"summary"} and JOBS["summary"]["if"] == "always()"


@pytest.mark.parametrize(
    ("results", "code"), [(["success"], 0), (["success", "failure"], 1), (["skipped"], 1), ([], 1)]
)
def test_the_summary_fails_unless_all_succeeded(tmp_path, results, code):
    needs = {f"job{number}": {"result": result} for number, result in enumerate(results)}
    page = tmp_path / "page"
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts/ci_summary.py"],
        env={"NEEDS": json.dumps(needs), "GITHUB_STEP_SUMMARY": str(page)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert all(f"| {job} |" in page.read_text() and job in done.stdout for job in needs)
