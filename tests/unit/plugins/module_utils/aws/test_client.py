"""An endpoint that is given with its keys is asked, and nothing else, whatever variables and configuration files say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws import client as aws_client
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import http_get
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

SERVICES = ("sts", "sqs", "s3", "dynamodb")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[object]]]:
    """A URL that clients may be led to, and who came."""
    came: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            came.append(address)
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def ask(clients: Clients) -> None:
    clients.get("sts").get_caller_identity()
    clients.get("sqs").list_queues()
    clients.get("s3").list_buckets()
    clients.get("dynamodb").list_tables()


@pytest.fixture
def led_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: tuple[str, list[object]]
) -> tuple[str, list[object]]:
    """All of the environment that can lead an AWS client elsewhere does so."""
    url = elsewhere[0]
    config = tmp_path / "config"
    config.write_text(f"[default]\nendpoint_url = {url}\nuse_fips_endpoint = true\nca_bundle = /nonexistent\n")
    variables = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    variables |= dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), url
    )
    variables |= {f"AWS_ENDPOINT_URL_{service.upper()}": url for service in SERVICES}
    variables |= {"AWS_ENDPOINT_URL": url, "AWS_PROFILE": "does-not-exist", "AWS_DEFAULT_PROFILE": "nor-does-this"}
    variables |= {
        "AWS_CA_BUNDLE": "/nonexistent",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
    }
    variables |= {
        "AWS_DATA_PATH": "/nonexistent",
        "AWS_MAX_ATTEMPTS": "x",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }
    variables |= {"AWS_ACCESS_KEY_ID": "elsewhere", "AWS_SESSION_TOKEN": "elsewhere", "NO_PROXY": "example.org"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return elsewhere


def test_only_the_endpoint_that_is_given_is_asked(endpoint: str, led_astray: tuple[str, list[object]]) -> None:
    clients = Clients(Connection(endpoint, "eu-central-1", "test", "test", aws_ca_bundle="/nonexistent"))
    ask(clients)
    assert http_get(f"{endpoint}/moto-api/", clients.connection.verify).status == 200
    assert led_astray[1] == []
    assert clients.endpoint_url == endpoint
    assert {clients.endpoint_of(service) for service in SERVICES} == {endpoint}


def test_where_no_keys_are_given_the_profile_is_the_users(endpoint: str, led_astray: tuple[str, list[object]]) -> None:
    with pytest.raises(AwsError, match="does-not-exist|nor-does-this"):
        ask(Clients(Connection(endpoint, "eu-central-1")))


def test_the_environments_endpoint_stands_in_for_one_that_is_not_given(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    ask(Clients(Connection(None, "eu-central-1", "test", "test")))


def test_a_missing_bundle_is_named_where_there_are_certificates() -> None:
    with pytest.raises(AwsError, match="no file /nonexistent"):
        Clients(Connection("https://localhost", "eu-central-1", "test", "test", aws_ca_bundle="/nonexistent"))


class Throttling(BaseHTTPRequestHandler):
    """Throttles as many requests as it is told to, then answers as DynamoDB."""

    left = 0
    asked = 0

    def do_POST(self) -> None:
        Throttling.asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        throttled = Throttling.asked <= Throttling.left
        said = b'{"__type": "ProvisionedThroughputExceededException"}' if throttled else b'{"TableNames": []}'
        self.send_response(400 if throttled else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def throttling(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Throttling, "asked", 0)
    monkeypatch.setattr(aws_client, "THROTTLED_WAIT", 0.001)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Throttling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def tables(url: str, **config: object) -> list[str]:
    connection = Connection(url, "eu-central-1", "test", "test", aws_config=dict(config))
    return list(Clients(connection).get("dynamodb").list_tables()["TableNames"])


def test_a_throttled_request_is_sent_again(throttling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttling, "left", aws_client.MAX_ATTEMPTS_AWS - 1)
    assert tables(throttling) == []
    assert Throttling.asked == aws_client.MAX_ATTEMPTS_AWS


def test_a_request_that_is_always_throttled_ends(throttling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttling, "left", 100)
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        tables(throttling)
    assert Throttling.asked == aws_client.MAX_ATTEMPTS_AWS


def test_the_users_own_retries_hold(throttling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttling, "left", 100)
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        tables(throttling, retries={"mode": "standard", "total_max_attempts": 1})
    assert Throttling.asked == 1
