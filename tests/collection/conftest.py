"""The collection as others get it: its tracked files in a folder of their own, and caches that outlive a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where environments are kept between runs, shared by all checkouts."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localcloud/collection"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A copy of the tracked files where Ansible's tools expect a collection."""
    target = tmp_path / "ansible_collections/localcloud/stack"
    for name in tracked():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name, follow_symlinks=False)
    return target


def tracked() -> list[str]:
    """The files that git tracks or would add, and that are there; relative to the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and os.path.lexists(PROJECT / name)]
