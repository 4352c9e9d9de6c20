"""A number alone does not tell a process."""

from __future__ import annotations

import subprocess

import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.common.processes import same_process


def test_only_the_same_living_process_counts() -> None:
    child = subprocess.Popen(["sleep", "60"])
    created = psutil.Process(child.pid).create_time()
    assert same_process(child.pid, created) == psutil.Process(child.pid)
    assert same_process(child.pid, created - 100) is None
    child.kill()
    psutil.Process(child.pid).status()
    child.wait()
    assert same_process(child.pid, created) is None
