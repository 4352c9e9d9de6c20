"""An emulator that keeps its data: killed while events flow, it loses none that it had accepted."""

from __future__ import annotations

from typing import Any

from tests.integration.test_stack import EMULATOR, NAME, NAMESPACE


def test_a_restart_under_load_loses_nothing(stack: Any, load: list[str], eventually: Any) -> None:
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    eventually(lambda: len(load) >= 20)
    before = len(load)
    # As a rolling update ends it; what one killed outright had not written yet is gone with it.
    stack.kubectl("-n", NAMESPACE, "delete", "pod", "--selector", EMULATOR, "--wait=false")
    stack.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/localstack", "--timeout=90s")
    eventually(lambda: len(load) >= before + 20)
    for identifier in load[: before + 20]:
        assert eventually(lambda wanted=identifier: "Item" in table.get_item(Key={"Id": wanted}))
