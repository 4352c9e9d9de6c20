"""A stack is saved with what is in it while it runs, and is brought back as it was."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.test_ingress import DOMAIN
from tests.integration.test_stack import NAME

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(stack: Any) -> dict[str, Any]:
    """Those that the stack was brought up with: by hand, or by the scenario, whose stack has a domain."""
    with_domain = {"stack_domain": DOMAIN, "stack_ingress_source_ranges": [f"{stack.facts['gateway']}/32"]}
    has_domain = stack.kubectl("get", "ingress", "--all-namespaces", "--output", "name")
    return {"localstack_service_engine": "ministack", **(with_domain if has_domain else {})}


def test_what_was_there_comes_back(stack: Any, playbook: Any, settings: dict[str, Any], name: str, later: Any) -> None:
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    file = stack.folder / f"snapshots/{name}.tar.zst"
    later(file.unlink, missing_ok=True)
    table.put_item(Item={"Id": f"{name}-kept"})

    done = playbook("playbooks/save.yml", stack_snapshot_name=name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Saved as {file}" in done.stdout
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    refused = playbook("playbooks/save.yml", stack_snapshot_name=name)
    assert refused.returncode != 0
    assert "and none is replaced" in " ".join(refused.stdout.split() + refused.stderr.split())

    # The emulator has what it had, and goes on.
    assert "Item" in table.get_item(Key={"Id": f"{name}-kept"})
    table.delete_item(Key={"Id": f"{name}-kept"})
    table.put_item(Item={"Id": f"{name}-later"})

    done = playbook("playbooks/restore.yml", stack_snapshot_name=name)
    assert done.returncode == 0, done.stdout + done.stderr
    for proof in ("topic -> queue -> consumer -> table", "requests answered as expected"):
        assert proof in done.stdout
    assert "Item" in table.get_item(Key={"Id": f"{name}-kept"})
    assert "Item" not in table.get_item(Key={"Id": f"{name}-later"})

    again = playbook("site.yml", **settings)
    assert " changed=0 " in again.stdout, again.stdout + again.stderr


def killed(stack: Any, playbook: str, name: str, eventually: Any, begun: Any) -> None:
    """Start a playbook about this snapshot, and kill it and its modules as soon as it has begun."""
    running = subprocess.Popen(
        ["ansible-playbook", f"playbooks/{playbook}.yml", "-e", json.dumps({"stack_snapshot_name": name})],
        cwd=PROJECT,
        env={**os.environ, "LOCALCLOUD_DIR": str(stack.folder.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    processes = [psutil.Process(running.pid)]
    try:
        eventually(begun)
        # A module runs in a separate session.
        processes += processes[0].children(recursive=True)
    finally:
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(processes)


@pytest.mark.nightly
def test_what_is_killed_meanwhile_is_gone_on_with(
    stack: Any, playbook: Any, settings: dict[str, Any], name: str, later: Any, eventually: Any
) -> None:
    folder = stack.folder / "snapshots"
    later((folder / f"{name}.tar.zst").unlink, missing_ok=True)
    killed(stack, "save", name, eventually, lambda: list(folder.glob(f".{name}*")))
    assert not (folder / f"{name}.tar.zst").exists()
    # The kubelet may stand still, and etcd.
    healed = playbook("site.yml", **settings)
    assert healed.returncode == 0, healed.stdout + healed.stderr
    done = playbook("playbooks/save.yml", stack_snapshot_name=name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.name for one in folder.iterdir() if name in one.name] == [f"{name}.tar.zst"]

    killed(stack, "restore", name, eventually, (stack.folder / "snapshot-unpacked").exists)
    done = playbook("playbooks/restore.yml", stack_snapshot_name=name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (stack.folder / "snapshot-unpacked").exists()
    assert " changed=0 " in playbook("site.yml", **settings).stdout
