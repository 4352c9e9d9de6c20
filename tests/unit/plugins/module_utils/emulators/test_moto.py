"""moto's server as an engine outside, asked on loopback: what it is recognized by, its account, and what it does not store."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import boto3
import pytest
from ansible_collections.localcloud.stack.plugins.filter import emulators as filters
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import health_facts

START_SECONDS = 60


def started(**environment: str) -> Iterator[str]:
    """The endpoint of a server of its own, until the test ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", port],
        env={**{name: value for name, value in os.environ.items() if name != "MOTO_ACCOUNT_ID"}, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield answering(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def answering(endpoint: str, process: subprocess.Popen[bytes]) -> str:
    """Wait until a server answers."""
    deadline, last = time.monotonic() + START_SECONDS, ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            health_facts(endpoint)
        except AwsError as error:
            last = str(error)
            time.sleep(0.1)
        else:
            return endpoint
    pytest.fail(f"moto did not answer at {endpoint} within {START_SECONDS} s (exit {process.poll()}): {last}")


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    yield from started()


@pytest.fixture(scope="module")
def ours() -> Iterator[str]:
    yield from started(MOTO_ACCOUNT_ID="000000000000")


def client(service: str, endpoint: str) -> object:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def answer(endpoint: str) -> dict[str, object]:
    return {
        "health": health_facts(endpoint),
        "account": {"id": client("sts", endpoint).get_caller_identity()["Account"]},  # type: ignore[attr-defined]
    }


def test_it_is_recognized_and_refused_with_its_own_account(plain: str) -> None:
    assert health_facts(plain) == {"engine": "moto", "version": None, "edition": None, "services": {}}
    (problem,) = filters.answer_problems(answer(plain), plain)
    assert "has the account 123456789012" in problem


def test_it_is_taken_with_the_setting_that_the_refusal_names(ours: str) -> None:
    assert filters.answer_problems(answer(ours), ours) == []


def test_it_does_not_store_what_dead_letter_queues_are_compared_by(ours: str) -> None:
    """The reason of the engine's never_ready: once it is stored, that has to go."""
    sqs = client("sqs", ours)
    allowed = {"RedriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"})}
    url = sqs.create_queue(QueueName="dlq", Attributes=allowed)["QueueUrl"]  # type: ignore[attr-defined]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=allowed)  # type: ignore[attr-defined]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]  # type: ignore[attr-defined]
    assert "RedriveAllowPolicy" not in found
    assert found["QueueArn"] == "arn:aws:sqs:eu-central-1:000000000000:dlq"
