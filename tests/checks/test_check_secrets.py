"""`make check-secrets` finds what is planted for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# Put together here, so that this file is none itself.
PLANTED = "AKIA" + "Z7QX3MNBVCR5TYUK"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROJECT / "scripts/check_secrets.py", folder],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
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
    done = check(repository)
    assert done.returncode == 1
    assert "aws-access-token" in done.stdout
    assert "settings.py" in done.stdout
    assert PLANTED not in done.stdout + done.stderr


def test_what_git_ignores_and_what_is_named_a_false_alarm_is_left_out(repository: Path) -> None:
    (repository / "ignored").write_text(f'aws_access_key_id = "{PLANTED}"\n')
    leave_a_new_file(repository)
    (repository / ".gitleaksignore").write_text("settings.py:aws-access-token:1\n")
    done = check(repository)
    assert (done.returncode, done.stdout) == (0, "No secrets in 1 commits and 4 files.\n")


def test_a_folder_without_a_repository_is_no_success(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 1
    assert "git rev-list failed" in done.stderr
