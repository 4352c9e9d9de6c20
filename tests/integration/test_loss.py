"""An emulator that keeps nothing: killed while events flow, what is lost is told, and a run brings the rest back.

The provider must not make the resources again by itself: run the stack with a long crossplane_poll_interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.playbook_output import changed_tasks
from tests.integration.test_stack import EMULATOR, NAME, NAMESPACE, TOPIC


def kill(stack: Any) -> None:
    """End the emulator at once, and wait for the next one."""
    stack.kubectl("-n", NAMESPACE, "delete", "pod", "--selector", EMULATOR, "--grace-period=0", "--force")
    stack.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/localstack", "--timeout=90s")


def test_the_loss_is_told_and_mended(
    stack: Any, load: list[str], playbook: Any, kinds_files: set[Path], eventually: Any
) -> None:
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    eventually(lambda: len(load) >= 20)
    eventually(lambda: "Item" in table.get_item(Key={"Id": load[0]}))
    kill(stack)
    seen = playbook("playbooks/verify.yml")
    said = " ".join(seen.stdout.split())
    assert seen.returncode != 0, said
    for lost in (f"Topic/{TOPIC} is gone from AWS", f"Table/{NAME} is gone from AWS", f"Queue/{NAME} is gone from AWS"):
        assert lost in said
    assert "Items, messages and objects from before are gone" in said
    assert "Run the play again (`make up`)" in said
    # Helm alone does not look whether what it once made is there.
    stack.kubectl("-n", NAMESPACE, "delete", "deployment", "justtrack-t1-consumer", "--wait=false")
    stack.kubectl("-n", "crossplane-system", "delete", "deployment", "crossplane-rbac-manager", "--wait=false")
    mended = playbook("site.yml", crossplane_poll_interval="24h")
    assert mended.returncode == 0, mended.stdout[-3000:]
    assert "Verified: event" in mended.stdout
    assert any(path.exists() for path in kinds_files), "known by another name, it would outlive the node"
    changed = changed_tasks(mended.stdout)
    assert {"Install Crossplane", "Install the applications"} <= {name.rpartition(" : ")[2] for name in changed}
    # Publishing goes on by itself, as the topic has its old name; what came between topic and subscription went nowhere.
    before = len(load)
    eventually(lambda: len(load) >= before + 20)
    assert eventually(lambda: "Item" in table.get_item(Key={"Id": load[before + 19]}))
    assert "Item" not in table.get_item(Key={"Id": load[0]}), "what was told to be gone"
