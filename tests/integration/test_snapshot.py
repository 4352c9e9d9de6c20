"""A stack is saved with what is in it while it runs, and is brought back as it was."""

from __future__ import annotations

import os
import stat
from typing import Any

from tests.integration.test_stack import NAME

ENGINE = {"localstack_service_engine": "ministack"}


def test_what_was_there_comes_back(stack: Any, playbook: Any, name: str, later: Any) -> None:
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

    again = playbook("site.yml", **ENGINE)
    assert " changed=0 " in again.stdout, again.stdout + again.stderr
