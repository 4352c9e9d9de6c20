"""An emulator that keeps its data: killed while events flow, it loses none that it had accepted."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.test_stack import NAME, NAMESPACE, TOPIC, envelope

EMULATOR = "app.kubernetes.io/component=emulator"


@pytest.fixture
def load(stack: Any) -> Any:
    """Publishes events until told to stop; the identifiers of those that were accepted."""
    sns = stack.client("sns")
    (arn,) = [one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(f":{TOPIC}")]
    accepted: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.05):
            identifier = f"test-{uuid.uuid4()}"
            try:
                sns.publish(TopicArn=arn, Message=envelope(identifier))
            except (ClientError, BotoCoreError):
                continue
            accepted.append(identifier)

    thread = threading.Thread(target=publish)
    thread.start()
    yield accepted
    stop.set()
    thread.join()


def test_a_restart_under_load_loses_nothing(stack: Any, load: list[str], eventually: Any) -> None:
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    eventually(lambda: len(load) >= 20)
    before = len(load)
    stack.kubectl("-n", NAMESPACE, "delete", "pod", "--selector", EMULATOR, "--wait=false")
    stack.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/localstack", "--timeout=90s")
    eventually(lambda: len(load) >= before + 20)
    for identifier in load[: before + 20]:
        assert eventually(lambda wanted=identifier: "Item" in table.get_item(Key={"Id": wanted}))
