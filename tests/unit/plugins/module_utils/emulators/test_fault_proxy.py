"""Which faults a request gets, what AWS's clients make of the answers, and what is refused."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import fault_proxy
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.fault_proxy import Call, Plan, call_of, rules
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

PROGRAM = Path(fault_proxy.__file__)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SQS = Call("sqs", "ReceiveMessage")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"service": "sqs", "fault": "throttle", "rate": 0.5}, ""),
        # As `-e` gives it.
        ({"service": "sqs", "fault": "latency", "rate": "1", "milliseconds": "20"}, ""),
        ({"service": "s3", "fault": "reorder", "rate": 1}, "f[0].fault: reorder is for sqs only"),
        ({"service": "dynamodb", "fault": "duplicate", "rate": 1}, "f[0].fault: duplicate is for sns and sqs only"),
        ({"service": "sqs", "fault": "fire", "rate": 1}, "f[0].fault: must be one of throttle, error, latency"),
        ({"service": "sqs", "fault": [], "rate": 1}, "f[0].fault: must be one of"),
        ({"service": "SQS", "fault": "error", "rate": 1}, "f[0].service: must be"),
        ({"service": "sqs", "fault": "error", "rate": 0}, "f[0].rate: must be"),
        ({"service": "sqs", "fault": "error", "rate": 1.5}, "f[0].rate: must be"),
        ({"service": "sqs", "fault": "error", "rate": True}, "f[0].rate: must be"),
        ({"service": "sqs", "fault": "error"}, "f[0].rate: must be"),
        ({"service": "sqs", "fault": "error", "rate": 1, "milliseconds": 5}, "f[0].milliseconds: is for"),
        ({"service": "sqs", "fault": "latency", "rate": 1, "milliseconds": 60001}, "f[0].milliseconds: must be"),
        ({"service": "sqs", "fault": "error", "rate": 1, "often": 1}, "f[0].often: is not known"),
        ("sqs", "f[0]: must be a map"),
    ],
)
def test_mistakes_have_their_path(rule: Any, told: str) -> None:
    found = fault_proxy.problems([rule], "f")
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(fault_proxy.problems([{"service": 1, "fault": 2, "rate": 3}, "x"], "f")) == 4
    assert fault_proxy.problems("sqs", "f")[0].startswith("f: must be a list of faults")


@given(JSON)
def test_whatever_is_given_is_refused_or_a_plan(value: Any) -> None:
    if not fault_proxy.problems(value, "f"):
        Plan(rules(value), "1").faults(SQS)


def drawn(seed: str, others: int) -> list[list[str]]:
    plan = Plan(rules([{"service": one, "fault": "error", "rate": 0.3} for one in ("sqs", "sns")]), seed)
    found = []
    for _request in range(50):
        for _between in range(others):
            plan.faults(Call("sns", "Publish"))
        found.append(sorted(plan.faults(SQS)))
    return found


def test_what_is_drawn_follows_from_the_seed_alone() -> None:
    assert drawn("1", 0) == drawn("1", 3)
    assert drawn("1", 0) != drawn("2", 0)


def test_a_rate_is_the_share_of_the_services_requests() -> None:
    plan = Plan(rules([{"service": "sqs", "fault": "error", "rate": 0.25}]), "1")
    assert 400 < sum(bool(plan.faults(SQS)) for _request in range(2000)) < 600
    assert not any(plan.faults(Call("sns", "Publish")) or plan.faults(Call("", "")) for _request in range(100))


SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261129/eu-central-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("headers", "query", "body", "call"),
    [
        ({"Authorization": SIGNED.format("sqs"), "X-Amz-Target": "AmazonSQS.SendMessage"}, "", b"{}", ("sqs", "SendMessage")),
        (
            {"Authorization": SIGNED.format("sns"), "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            "", b"Action=Publish&Message=a", ("sns", "Publish"),
        ),
        ({}, "X-Amz-Credential=test%2F20261129%2Feu-central-1%2Fs3%2Faws4_request", b"", ("s3", "")),
        ({}, "", b"", ("", "")),
    ],
)  # fmt: skip
def test_what_a_request_asks(headers: dict[str, str], query: str, body: bytes, call: tuple[str, str]) -> None:
    assert call_of(headers, query, body) == call


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"{}", b'{"Messages": null}', b'{"Messages": [1]}', b"[1]"])
def test_what_has_no_messages_stays_as_it_is(body: bytes) -> None:
    assert Plan([], "1").reordered(body) == body


def test_messages_come_in_another_order_and_all() -> None:
    found = json.loads(
        Plan([], "1").reordered(json.dumps({"Messages": [{"Body": str(one)} for one in range(4)]}).encode())
    )
    assert sorted(one["Body"] for one in found["Messages"]) == ["0", "1", "2", "3"]
    assert [one["Body"] for one in found["Messages"]] != ["0", "1", "2", "3"]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def command(port: str, upstream: str, faults: list[dict[str, Any]]) -> list[str]:
    own = [
        "--address=127.0.0.1",
        f"--port={port}",
        f"--upstream={upstream}",
        "--seed=1",
        f"--faults={json.dumps(faults)}",
    ]
    return [sys.executable, str(PROGRAM), *own]


@pytest.fixture
def behind(moto: str) -> Iterator[Any]:
    """Start a proxy with one fault, and give its address."""
    running: list[subprocess.Popen[bytes]] = []

    def start(**rule: Any) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        running.append(subprocess.Popen(command(port, moto, [{"rate": 1, **rule}])))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_faults", timeout=5).close()
            except OSError:
                assert running[-1].poll() is None
                time.sleep(0.05)
            else:
                return f"http://127.0.0.1:{port}"
        pytest.fail(f"the proxy did not answer within 30 s: {running[-1].poll()}")

    yield start
    for one in running:
        one.kill()
        one.wait()


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service, endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )  # fmt: skip


ASKED = {
    "sqs": "list_queues", "sns": "list_topics", "dynamodb": "list_tables", "s3": "list_buckets", "kms": "list_keys",
    "iam": "list_roles", "sts": "get_caller_identity", "kinesis": "list_streams", "secretsmanager": "list_secrets",
    "ssm": "describe_parameters", "events": "list_event_buses",
}  # fmt: skip


@pytest.mark.parametrize("fault", ["throttle", "error"])
def test_clients_read_the_answers_as_awss_own(behind: Any, fault: str) -> None:
    """The codes by which botocore's retries know throttling (botocore.retries.standard)."""
    from botocore.retries.standard import ThrottledRetryableChecker

    known = ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    for service, operation in ASKED.items():
        with pytest.raises(ClientError) as error:
            getattr(client(service, behind(service=service, fault=fault)), operation)()
        code = error.value.response["Error"]["Code"]
        status = error.value.response["ResponseMetadata"]["HTTPStatusCode"]
        assert (code in known) if fault == "throttle" else (code, status) == ("InternalFailure", 500), service


def test_a_timeout_is_of_what_was_done(behind: Any, moto: str) -> None:
    with pytest.raises(ConnectionClosedError):
        client("sqs", behind(service="sqs", fault="timeout", milliseconds=1)).create_queue(QueueName="done")
    assert client("sqs", moto).get_queue_url(QueueName="done")


def test_what_is_sent_once_comes_twice(behind: Any, moto: str) -> None:
    sqs = client("sqs", moto)
    queue = sqs.create_queue(QueueName="twice")["QueueUrl"]
    client("sqs", behind(service="sqs", fault="duplicate")).send_message(QueueUrl=queue, MessageBody="a")
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [one["Body"] for one in found] == ["a", "a"]


def test_objects_go_through_unchanged(behind: Any, moto: str) -> None:
    s3 = client("s3", behind(service="s3", fault="latency", milliseconds=1))
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    packed = bytes(range(256)) * 4096
    s3.put_object(Bucket="bucket", Key="a b/ö+%", Body=packed, ContentEncoding="gzip")
    found = client("s3", moto).get_object(Bucket="bucket", Key="a b/ö+%")
    assert (found["Body"].read(), found["ContentEncoding"]) == (packed, "gzip")
    assert s3.get_object(Bucket="bucket", Key="a b/ö+%")["Body"].read() == packed
    assert s3.head_object(Bucket="bucket", Key="a b/ö+%")["ContentLength"] == len(packed)


def test_a_mistake_ends_the_program_with_its_path() -> None:
    done = subprocess.run(
        command("1", "http://127.0.0.1:1", [{"service": "sqs"}]),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "localstack_service_faults[0].fault: must be one of" in done.stderr
