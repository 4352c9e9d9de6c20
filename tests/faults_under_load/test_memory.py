"""Memory is short: for one pod, and for all of them together."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from tests.faults_under_load import cgroup
from tests.faults_under_load.catalog import injects
from tests.faults_under_load.cloud import EMULATOR, NAMESPACE

CONSUMER = "app.kubernetes.io/name=consumer"
SHORT_SECONDS = 15
MIB = 2**20


@injects("memory-short-pod")
def test_a_pod_at_its_limit(cloud: Any, under_load: Any, tmp_path: Path) -> None:
    with under_load(unnoticed=True):
        process, _groups = cloud.pod_process(CONSUMER)
        with cgroup.used_up(cgroup.group_of(process.pid), 1024 * MIB, tmp_path):
            psutil.wait_procs([process], timeout=60)
            assert not process.is_running(), "the kernel killed nothing"
        wait_for("the kubelet to tell why the container ended", lambda: not_told(cloud), 60)


def not_told(cloud: Any) -> str | None:
    """None as soon as a pod of the consumer says that it was killed for lack of memory."""
    pods = json.loads(cloud.kubectl("-n", NAMESPACE, "get", "pods", "-l", CONSUMER, "-o", "json"))["items"]
    reasons = [
        one.get("lastState", {}).get("terminated", {}).get("reason")
        for pod in pods
        for one in pod["status"].get("containerStatuses", [])
    ]
    return None if "OOMKilled" in reasons else f"reasons: {reasons}"


@contextlib.contextmanager
def limited(group: Path, room: int) -> Iterator[None]:
    """Leave a group so many bytes more than it has."""
    limit = int((group / cgroup.USED).read_text()) + room
    (group / cgroup.LIMIT).write_text(str(limit))
    try:
        yield
    finally:
        (group / cgroup.LIMIT).write_text(cgroup.UNLIMITED)


@injects("memory-short-node")
def test_all_pods_at_one_limit(cloud: Any, under_load: Any, tmp_path: Path) -> None:
    group = cgroup.MEMORY / cloud.name
    # A group with processes of its own may hand on no controllers.
    filling = group / "filling"
    filling.mkdir()
    try:
        with under_load(limit=240) as trial:
            emulator, _groups = cloud.pod_process(EMULATOR)
            before = {one.pid for one in cloud.node.children(recursive=True)}
            with limited(group, 64 * MIB), cgroup.used_up(filling, 512 * MIB, tmp_path):
                time.sleep(SHORT_SECONDS)
            trial.end()
            killed = before - {one.pid for one in cloud.node.children(recursive=True)}
            assert killed, "the kernel killed nothing"
            if not emulator.is_running():
                trial.excused = "what the emulator had got since its last orderly stop, as it was killed itself"
                # What it lost is made again, and the witness with it.
                cloud.bring_up()
    finally:
        filling.rmdir()
