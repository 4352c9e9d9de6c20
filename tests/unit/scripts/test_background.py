"""A command in the background: its group of little weight, on both versions of cgroups, and without any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.scripts import background


@pytest.fixture
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """What looks like cgroup v1 or v2: a group's files are there as soon as it is."""
    if request.param == "v2":
        (tmp_path / "cgroup.controllers").write_text("cpu memory")
        return tmp_path
    (tmp_path / "cpu").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("root", "folder", "file", "weight"),
    [("v1", "cpu", "cpu.shares", background.SHARES), ("v2", ".", "cpu.weight", background.WEIGHT)],
    indirect=["root"],
)
def test_the_group_has_little_weight_and_goes_at_the_end(root: Path, folder: str, file: str, weight: int) -> None:
    group = background.enter(root)
    assert group == root / folder / background.NAME
    assert (group / file).read_text() == str(weight)
    assert (group / "cgroup.procs").read_text() == str(os.getpid())
    for left in group.iterdir():
        left.unlink()  # In a real one they go with the folder.
    background.leave(group)
    assert not group.exists()
    assert (group.parent / "cgroup.procs").read_text() == str(os.getpid())


def test_without_cgroups_nothing_is_made(tmp_path: Path) -> None:
    assert background.enter(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_command_has_a_nice_value_and_its_exit_code_is_handed_on() -> None:
    own = os.nice(0)
    command = [sys.executable, "-c", "import os, sys; sys.exit(os.nice(0))"]
    done = subprocess.run([sys.executable, background.__file__, *command], check=False)
    assert done.returncode == min(own + background.NICE, 19)
