"""The release's workflow: CI's pins, no more rights than it needs, and its own commands run on this checkout's files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
FILE = PROJECT / ".github/workflows/release.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
PINS = re.compile(r"uses: (\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$", re.MULTILINE)
STEPS = {step["name"]: step for job in WORKFLOW["jobs"].values() for step in job["steps"]}
VERSION = re.findall(r"^version: (\S+)$", (PROJECT / "galaxy.yml").read_text(), re.MULTILINE)[0]


def test_it_uses_what_ci_uses() -> None:
    pins = PINS.findall(FILE.read_text())
    assert len(pins) == len(re.findall(r"^ +uses:", FILE.read_text(), re.MULTILINE))
    assert set(pins) <= set(PINS.findall((PROJECT / ".github/workflows/ci.yml").read_text()))


def test_only_who_releases_may_write() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["bundle"]
    assert WORKFLOW["jobs"]["release"]["permissions"] == {"actions": "read", "contents": "write"}
    assert all("timeout-minutes" in job for job in WORKFLOW["jobs"].values())


def test_what_others_write_is_never_a_command() -> None:
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]


def test_each_bundle_has_all_blueprints() -> None:
    command = STEPS["Write the bundle"]["run"]
    ours = {path.name for path in (PROJECT / "blueprints").iterdir() if (path / "blueprint.yml").exists()}
    named = re.findall(r'BLUEPRINT="([^"]+)"', command)[0].split()
    assert {name.replace("-", "_") for name in named} == {name.replace("-", "_") for name in ours}


def run(step: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
    given = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("CHANGELOG.md", "galaxy.yml"):
        shutil.copy(PROJECT / name, tmp_path)
    return tmp_path


def test_a_tag_of_another_version_is_refused(checkout: Path) -> None:
    assert run("Refuse a tag that is not this version", checkout, GITHUB_REF_NAME=f"v{VERSION}").returncode == 0
    done = run("Refuse a tag that is not this version", checkout, GITHUB_REF_NAME="v99.0.0")
    assert done.returncode == 1
    assert f"The tag v99.0.0 is not the version of galaxy.yml, which is {VERSION}" in done.stderr


def test_the_notes_are_those_of_the_version(checkout: Path) -> None:
    with (checkout / "CHANGELOG.md").open("a") as file:
        file.write("\n## v0\\.0\\.1\n\nOlder\\.\n")
    assert run("Take the notes of this version", checkout, GITHUB_REF_NAME="v0.1.0").returncode == 0
    notes = (checkout / "notes.md").read_text()
    assert notes.startswith("## v0.1.0\n")
    assert "to a verified event with one command." in notes
    assert "Older" not in notes


def test_a_version_without_notes_is_refused(checkout: Path) -> None:
    done = run("Take the notes of this version", checkout, GITHUB_REF_NAME="v99.0.0")
    assert done.returncode == 1
    assert "CHANGELOG.md has nothing of v99.0.0. Run antsibull-changelog release" in done.stderr


def test_all_that_is_released_has_a_sum(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    for name in ("a.tar", "b.tar.gz"):
        (tmp_path / "release" / name).write_text(name)
    assert run("Sum, and sign if there is a key", tmp_path, BUNDLE_KEY="").returncode == 0
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tmp_path / "release",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "a.tar: OK\nb.tar.gz: OK\n"
