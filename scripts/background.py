"""Run a command with what CPU time everything else on this machine leaves: `background.py COMMAND …`.

Linux shares CPU time between sessions first (autogroup, sched(7)), and `nice` orders the processes of one session alone. So the command gets a
cgroup of little weight, where one can be made, and `nice` in any case. The exit code is the command's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# All commands that run in the background share it, and a node's cgroup is none of its own.
NAME = "background-of-tests"
NICE = 5
# Of 1,024 (cgroup v1) and of 100 (v2), which any other group has.
SHARES, WEIGHT = 256, 25


def enter(root: Path = ROOT) -> Path | None:
    """Move this process into the group. Returns the group's folder, or None where there is no way: then `nice` has to do."""
    unified = (root / "cgroup.controllers").exists()
    group = (root if unified else root / "cpu") / NAME
    try:
        group.mkdir(exist_ok=True)
        if unified:
            (group / "cpu.weight").write_text(str(WEIGHT))
        else:
            (group / "cpu.shares").write_text(str(SHARES))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return None
    return group


def leave(group: Path) -> None:
    """Move this process back, and remove the group unless others run in it."""
    with contextlib.suppress(OSError):
        (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


def main(command: list[str]) -> int:
    os.nice(NICE)
    group = enter()
    try:
        with subprocess.Popen(command, close_fds=False) as running:  # make hands its jobserver on
            signal.signal(signal.SIGTERM, lambda *_: running.terminate())
            return running.wait()
    finally:
        if group:
            leave(group)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
