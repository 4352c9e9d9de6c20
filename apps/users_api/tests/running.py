"""An AWS and a service as processes of their own, for tests that talk to them over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

APPS = Path(__file__).resolve().parents[2]
SOURCES = os.pathsep.join(str(APPS / app / "src") for app in ("events", "web", "users_api"))
REGION, TABLE, BUCKET = "eu-central-1", "my-app-table", "my-app-bucket"
LIMIT_SECONDS = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_until(what: str, holds: Callable[[], bool], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait until the condition holds; fail with its name after LIMIT_SECONDS, or when the process has ended."""
    end = time.monotonic() + LIMIT_SECONDS
    while not holds():
        assert process is None or process.poll() is None, (
            f"the process ended with {process.returncode}, not yet: {what}"
        )
        assert time.monotonic() < end, f"not within {LIMIT_SECONDS} s: {what}"
        time.sleep(0.02)


def status(url: str) -> int:
    """Give the status of a GET, 0 where nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def client(service: str, endpoint: str | None = None) -> Any:
    """Make a client with test credentials."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def make_table(dynamodb: Any, table: str = TABLE) -> None:
    """Make the table of the users."""
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def make_bucket(s3: Any, bucket: str = BUCKET) -> None:
    """Make the bucket of the avatars."""
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command that ends with the context."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    started = subprocess.Popen(
        command, env={**inherited, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGCONT)
        started.kill()
        started.communicate()


# moto takes other requests between a condition and its write, so it gets one request at a time.
ATOMIC = """
from moto import server
serve = server.run_simple
server.run_simple = lambda *arguments, **options: serve(*arguments, **{**options, "threaded": False})
"""


@contextmanager
def aws(port: int | None = None, *, resources: bool = True) -> Iterator[str]:
    """Run moto's server, with table and bucket if wished; give its endpoint."""
    port = port or free_port()
    endpoint = f"http://127.0.0.1:{port}"
    # Its log would fill the pipe, which has no reader.
    program = f"import logging; logging.disable()\n{ATOMIC}\nserver.main(['-p', '{port}'])"
    with process(sys.executable, "-c", program, **CREDENTIALS) as server:
        wait_until("moto answers", lambda: status(f"{endpoint}/moto-api/") > 0, server)
        if resources:
            make_table(client("dynamodb", endpoint))
            make_bucket(client("s3", endpoint))
        yield endpoint


@dataclass(frozen=True)
class Running:
    """A running service."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def service(endpoint: str, *, ready: bool = True, **environment: str) -> Iterator[Running]:
    """Run the service; wait until it is ready, or only until it listens."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "PYTHONPATH": SOURCES,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "DYNAMODB_TABLE": TABLE,
        "S3_BUCKET": BUCKET,
        "PORT": str(port),
        "SHUTDOWN_DELAY_SECONDS": "0",
        "LOG_LEVEL": "WARNING",
        **CREDENTIALS,
        **environment,
    }
    with process(sys.executable, "-m", "localcloud_users_api", **settings) as started:
        wait_until("the service listens", lambda: status(f"{url}/healthz") == 200, started)
        if ready:
            wait_until("the service is ready", lambda: status(f"{url}/readyz") == 200, started)
        yield Running(url, started)
