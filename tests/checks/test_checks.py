"""The checks of `make check-charts` and `make check-secrets` find what is planted for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
# Put together here, so that this file is none itself.
PLANTED = "AKIA" + "Z7QX3MNBVCR5TYUK"

CHART = {"apiVersion": "v2", "name": "bad", "version": "0.1.0"}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "check-bad"},
    "spec": {
        "hostNetwork": True,
        "restartPolcy": "Never",
        "containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}],
    },
}
SUITE = {"tests": [{"it": "fails", "asserts": [{"equal": {"path": "metadata.name", "value": "good"}}]}]}


def script(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROJECT / "scripts" / name, folder], cwd=PROJECT, capture_output=True, text=True, check=False
    )


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "README").write_text("nothing to hide\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "begin")
    return tmp_path


def commit_and_remove(repository: Path) -> None:
    (repository / "settings.py").write_text(f'aws_access_key_id = "{PLANTED}"\n')
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "add")
    git(repository, "rm", "--quiet", "settings.py")
    git(repository, "commit", "--quiet", "--message", "remove")


def leave_a_new_file(repository: Path) -> None:
    (repository / "settings.py").write_text(f'aws_access_key_id = "{PLANTED}"\n')


@pytest.mark.parametrize("plant", [commit_and_remove, leave_a_new_file])
def test_a_secret_is_found_and_not_shown(repository: Path, plant: Callable[[Path], None]) -> None:
    plant(repository)
    done = script("check_secrets.py", repository)
    assert done.returncode == 1
    assert "aws-access-token" in done.stdout
    assert "settings.py" in done.stdout
    assert PLANTED not in done.stdout + done.stderr


def test_what_git_ignores_and_what_is_named_a_false_alarm_is_left_out(repository: Path) -> None:
    (repository / "ignored").write_text(f'aws_access_key_id = "{PLANTED}"\n')
    leave_a_new_file(repository)
    (repository / ".gitleaksignore").write_text("settings.py:aws-access-token:1\n")
    done = script("check_secrets.py", repository)
    assert (done.returncode, done.stdout) == (0, "No secrets in 1 commits and 4 files.\n")


def test_a_folder_without_a_repository_is_no_success(tmp_path: Path) -> None:
    done = script("check_secrets.py", tmp_path)
    assert done.returncode == 1
    assert "git rev-list failed" in done.stderr


def test_every_tool_finds_what_is_planted_in_a_chart(tmp_path: Path) -> None:
    files = {
        "bad/Chart.yaml": CHART,
        "bad/templates/pod.yaml": POD,
        "bad/tests/pod_test.yaml": SUITE,
        "accepted-findings.yml": [{"tool": "t", "check": "c", "where": ["Pod/gone"], "reason": "r"}],
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content))
    done = script("check_charts.py", tmp_path)
    assert done.returncode == 1, done.stderr
    for told in (
        "helm lint: bad: ",
        "helm-unittest test: bad: ",
        "kubeconform schema: Pod/check-bad: ",
        "kube-score container-security-context-privileged: Pod/check-bad: ",
        "checkov CKV_K8S_16: Pod/check-bad: ",
        "checkov CKV_DOCKER_2: apps/producer/Dockerfile: ",
        "t c: Pod/gone: accepted, but not found any more",
    ):
        assert told in done.stdout, told
    assert "restartPolcy" in done.stdout
