"""Memory of control groups, on cgroup v1 and v2, and what uses it up without being the one that the kernel kills."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNIFIED = (ROOT / "cgroup.controllers").exists()
MEMORY = ROOT if UNIFIED else ROOT / "memory"
LIMIT = "memory.max" if UNIFIED else "memory.limit_in_bytes"
USED = "memory.current" if UNIFIED else "memory.usage_in_bytes"
UNLIMITED = "max" if UNIFIED else "-1"


def group_of(pid: int) -> Path:
    """The folder of the memory group that a process is in."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers == "" if UNIFIED else "memory" in controllers.split(","):
            return MEMORY / path.lstrip("/")
    raise AssertionError(f"process {pid} is in no group of memory")


@contextlib.contextmanager
def used_up(group: Path, most: int, scratch: Path) -> Iterator[None]:
    """Fill up to so many bytes of memory on behalf of a group, until the end of the block.

    They are a file's in memory, written by a small process in the group: so what the kernel kills is the program that is there.
    """
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={most}", "tmpfs", scratch], check=True)
    command = f'echo $$ > "{group}/cgroup.procs" && exec dd if=/dev/zero of="{scratch}/file" bs=1M'
    filling = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        filling.kill()
        filling.wait()
        subprocess.run(["umount", scratch], check=True)
