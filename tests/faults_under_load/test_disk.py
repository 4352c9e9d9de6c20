"""No byte left: for the node, in the host's cache, and for etcd by its quota."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import default_root

from tests.faults_under_load.catalog import injects

FULL_SECONDS = 15
JUNK = "localcloud-faults-junk"


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """Take all that is free in a folder's file system, until the end of the block."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb") as file:
            free = os.statvfs(folder)
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
        # And the crumbs that are left.
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        assert os.statvfs(folder).f_bavail == 0
        yield
    finally:
        ballast.unlink(missing_ok=True)


@injects("disk-full-node")
def test_the_node_has_no_byte_left(cloud: Any, under_load: Any) -> None:
    with under_load(), full(cloud.folder):
        time.sleep(FULL_SECONDS)


@pytest.fixture
def blueprint(cloud: Any, tmp_path: Path) -> Iterator[Path]:
    """A blueprint with an image that is not built yet; its resources are removed in the end."""
    folder = tmp_path / "orders"
    code, output = cloud.run("playbooks/new_blueprint.yml", new_blueprint_dir=str(folder))
    assert code == 0, output[-2000:]
    # As no other copy of it: nothing that was built before is taken.
    service = folder / "app/service.py"
    service.write_text(f"{service.read_text()}\n# {tmp_path}\n")
    yield folder
    cloud.run("playbooks/teardown.yml", stack_blueprint=str(folder))


@pytest.fixture
def small_cache(cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The host's cache with all that is in it; what is written goes to a file system of 2 GiB, whose folder is returned."""
    root, disk = default_root(), tmp_path / "disk"
    merged = tmp_path / "home" / root.name
    for folder in (disk, merged):
        folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", disk], check=True)
    try:
        for name in ("upper", "work"):
            (disk / name).mkdir()
        layers = f"lowerdir={root.resolve()},upperdir={disk}/upper,workdir={disk}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", merged], check=True)
        monkeypatch.setenv("XDG_CACHE_HOME", str(merged.parent))
        yield disk
        monkeypatch.undo()
        # What is remembered of the cluster names programs of this cache.
        cloud.heal()
        # The node goes on with programs of it.
        subprocess.run(["umount", "--lazy", merged], check=True)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@injects("disk-full-cache")
def test_the_cache_has_no_byte_left(cloud: Any, under_load: Any, blueprint: Path, small_cache: Path) -> None:
    settings = {"stack_blueprint": str(blueprint), "localstack_service_engine": "ministack"}
    with under_load(limit=120, unnoticed=True) as trial:
        with full(small_cache):
            code, output = cloud.run("site.yml", **settings)
        said = " ".join(output.split())
        assert code != 0
        assert "0.0 GiB are free at" in said, said[-3000:]
        assert "Traceback" not in said
        trial.said = "names the folder without space, and that `make clean-cache` frees it"
        assert "clean-cache" in said, said[-3000:]
        trial.end()
    # Its resources are new, and would count as what is there twice.
    code, output = cloud.run("site.yml", **settings)
    assert code == 0, output[-3000:]


@injects("disk-full-etcd")
def test_etcd_is_at_its_quota(cloud: Any, under_load: Any) -> None:
    manifest = cloud.node_folder / "etc-kubernetes/manifests/etcd.yaml"
    original = manifest.read_text()
    data = cloud.node_folder / "etcd/member/snap/db"
    document = yaml.safe_load(original)
    quota = data.stat().st_size + 16 * 2**20
    document["spec"]["containers"][0]["command"].append(f"--quota-backend-bytes={quota}")
    try:
        with under_load(unnoticed=True) as trial:
            restart_etcd(cloud, manifest, yaml.safe_dump(document))
            # Each write of the same object adds to what etcd keeps until it is compacted.
            refusals = (write(cloud, number) for number in range(200))
            said = next((one for one in refusals if one is not None), "")
            assert "database space exceeded" in said, said
            trial.end()
            cloud.heal()
            trial.said = "by kubectl, that etcd's space is exceeded; the run makes room and goes on"
    finally:
        restart_etcd(cloud, manifest, original)
        cloud.kubectl("delete", "configmap", JUNK, "--ignore-not-found")


def write(cloud: Any, number: int) -> str | None:
    """Write 900 kB into etcd; what refuses it."""
    content = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": JUNK, "namespace": "default"},
            "data": {"junk": f"{number:09d}" * 100_000},
        }
    )
    command = [cloud.facts["kubectl"], "--kubeconfig", cloud.facts["kubeconfig"], "replace", "--force=false", "-f", "-"]
    if number == 0:
        command[3:5] = ["create"]
    done = subprocess.run(command, input=content, text=True, capture_output=True, check=False)
    return None if done.returncode == 0 else done.stderr


def restart_etcd(cloud: Any, manifest: Path, content: str) -> None:
    """Change its manifest, and wait until the new one serves."""
    # None, where it is just being started again.
    before = [one for one in cloud.node.children(recursive=True) if one.name() == "etcd"]
    manifest.write_text(content)

    def restarting() -> str | None:
        if any(one.is_running() for one in before):
            return "the old one still runs"
        try:
            cloud.kubectl("get", "--raw=/readyz")
        except subprocess.CalledProcessError as error:
            return str(error.stderr)[-300:]
        return None

    wait_for("etcd to start with other settings", restarting, 120)
