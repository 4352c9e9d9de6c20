"""The config API's workflow: what starts it, what it may, and its own commands run against a real repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
FILE = PROJECT / ".github/workflows/config-api.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())
(JOB,) = WORKFLOW["jobs"].values()
STEPS = {step["name"]: step for step in JOB["steps"]}
CHOOSE, COMMIT = "Choose the version", "Change the environment's version, and commit"


def test_main_goes_to_dev_and_a_release_to_prod() -> None:
    push = WORKFLOW["on"].pop("push") if "push" in WORKFLOW["on"] else {}
    WORKFLOW["on"]["push"] = push
    assert list(WORKFLOW["on"]) == ["push"]
    assert (push["branches"], push["tags"]) == (["main"], ["release/v*"])
    assert JOB["env"]["ENVIRONMENT"] == "${{ github.ref_type == 'tag' && 'prod' || 'dev' }}"
    assert all((PROJECT / path.removesuffix("/**")).exists() for path in push["paths"])


def test_it_may_commit_and_have_an_identity_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert JOB["permissions"] == {"contents": "write", "id-token": "write"}
    # It would change what the identity says of itself, which the roles trust.
    assert "environment" not in JOB
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False


def test_every_action_is_pinned_by_commit_and_tells_its_version() -> None:
    lines = [line for line in FILE.read_text().splitlines() if "uses:" in line]
    assert len(lines) == 3
    assert all(re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)


def test_what_others_write_is_never_a_command() -> None:
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]


def run(step: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = {**inherited, "GIT_CONFIG_GLOBAL": "/dev/null", **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the charts' values and the script, and where it came from. helm does what the test says."""
    source = tmp_path / "source"
    for service in ("main-api", "auxiliary-service"):
        (source / "charts" / service).mkdir(parents=True)
        for environment in ("dev", "prod"):
            name = f"values-{environment}.yaml"
            shutil.copy(PROJECT / "charts" / service / name, source / "charts" / service / name)
    (source / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts/bump_version.py", source / "scripts")
    git(source, "init", "--quiet", "--initial-branch", "main")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "First")
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "hub.git")
    git(tmp_path, "clone", "--quiet", "hub.git", "checkout")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/helm").write_text("#!/bin/sh\nexit ${HELM_RESULT:-0}\n")
    (tmp_path / "bin/helm").chmod(0o755)
    return tmp_path / "checkout"


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [
        ("branch", "main", "COMMIT"),
        ("tag", "release/v1.2.3", "v1.2.3"),
        ("tag", "release/v1.2", None),
        ("tag", "release/v1.2.3;x", None),
    ],
)
def test_the_version(checkout: Path, kind: str, name: str, version: str | None) -> None:
    commit, output = git(checkout, "rev-parse", "HEAD"), checkout / "output"
    done = run(
        CHOOSE, checkout, GITHUB_SHA=commit, GITHUB_REF_TYPE=kind, GITHUB_REF_NAME=name, GITHUB_OUTPUT=str(output)
    )
    assert (done.returncode == 0) is (version is not None), done.stderr
    if version:
        assert output.read_text() == f"version={commit if version == 'COMMIT' else version}\n"
    else:
        assert "must be release/vX.Y.Z" in done.stderr and not output.exists()


def test_a_release_of_what_is_not_on_main_is_refused(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "-b", "other")
    git(checkout, "commit", "--quiet", "--allow-empty", "--message", "Other")
    commit = git(checkout, "rev-parse", "HEAD")
    given = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "release/v1.0.0", "GITHUB_OUTPUT": str(checkout / "output")}
    assert "is not on main" in run(CHOOSE, checkout, GITHUB_SHA=commit, **given).stderr


def roll(checkout: Path, environment: str, version: str, **more: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    return run(COMMIT, checkout, ENVIRONMENT=environment, VERSION=version, **{**more, "PATH": path})


def test_one_commit_changes_one_environment_and_starts_nothing(checkout: Path) -> None:
    done = roll(checkout, "prod", "v1.2.3")
    assert done.returncode == 0, done.stderr
    hub = checkout.parent / "hub.git"
    assert git(hub, "log", "-1", "--format=%s", "main") == "Roll v1.2.3 out to prod [skip ci]"
    assert git(hub, "show", "--format=", "--name-only", "main").splitlines() == [
        "charts/auxiliary-service/values-prod.yaml",
        "charts/main-api/values-prod.yaml",
    ]
    # A second time there is nothing to do.
    before = git(hub, "rev-parse", "main")
    assert roll(checkout, "prod", "v1.2.3").returncode == 0
    assert git(hub, "rev-parse", "main") == before


def test_values_that_break_the_schema_are_not_pushed(checkout: Path) -> None:
    hub = checkout.parent / "hub.git"
    before = git(hub, "rev-parse", "main")
    assert roll(checkout, "dev", "v1.2.3", HELM_RESULT="1").returncode != 0
    assert git(hub, "rev-parse", "main") == before


def test_what_others_have_pushed_meanwhile_stays(checkout: Path) -> None:
    other = checkout.parent / "other"
    git(checkout.parent, "clone", "--quiet", "hub.git", "other")
    (other / "more").write_text("x")
    git(other, "add", "more")
    git(other, "commit", "--quiet", "--message", "More")
    # As somebody pushes between our fetch and our push, the first time.
    hook = checkout / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\nrm $0\ngit -C {other} push --quiet origin main\n")
    hook.chmod(0o755)
    done = roll(checkout, "dev", "v9")
    assert done.returncode == 0, done.stderr
    log = git(checkout.parent / "hub.git", "log", "--format=%s", "main").splitlines()
    assert log == ["Roll v9 out to dev [skip ci]", "More", "First"]
