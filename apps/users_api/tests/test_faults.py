"""The service before an AWS that throttles, fails, is late and loses answers: nothing lost, nothing twice."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
import running
from pictures import picture
from running import free_port, process, service, status, wait_until

# What localstack_service_faults puts before an emulator.
PROXY = Path(__file__).resolve().parents[3] / "plugins/module_utils/emulators/fault_proxy.py"
COUNT = 12
FAULTS = [
    {"service": "dynamodb", "fault": "throttle", "rate": 0.3},
    {"service": "dynamodb", "fault": "error", "rate": 0.2},
    {"service": "dynamodb", "fault": "timeout", "rate": 0.1, "milliseconds": 50},
    {"service": "dynamodb", "fault": "latency", "rate": 0.1, "milliseconds": 50},
    {"service": "s3", "fault": "throttle", "rate": 0.2},
    {"service": "s3", "fault": "error", "rate": 0.2},
    {"service": "s3", "fault": "timeout", "rate": 0.1, "milliseconds": 50},
]
TRIES = 50


@contextmanager
def proxy(endpoint: str, faults: list[dict[str, object]], seed: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = (f"--upstream={endpoint}", f"--seed={seed}", f"--faults={json.dumps(faults)}")
    with process(sys.executable, str(PROXY), "--address=127.0.0.1", f"--port={port}", *own) as started:
        wait_until("the proxy answers", lambda: status(f"{url}/_faults") == 200, started)
        yield url


@pytest.fixture
def endpoint() -> Iterator[str]:
    with running.aws() as url:
        yield url


class Client:
    """Who sends a request again as long as the answer is 503, as the documentation says."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http
        self.refused = 0

    def ask(self, method: str, path: str, **request: object) -> httpx2.Response:
        for _try in range(TRIES):
            answer = self.http.request(method, path, **request)  # type: ignore[arg-type]
            if answer.status_code != 503:
                return answer
            self.refused += 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == 503
            assert int(answer.headers["retry-after"]) > 0
        raise AssertionError(f"{method} {path} is answered by 503 {TRIES} times")


def test_nothing_is_lost_and_nothing_is_twice(endpoint: str) -> None:
    with (
        proxy(endpoint, FAULTS, "7") as before,
        service(before) as server,
        httpx2.Client(base_url=server.url, timeout=30) as http,
        closing(running.client("dynamodb", endpoint)) as dynamodb,
    ):
        client = Client(http)
        addresses = [f"user{number}@example.com" for number in range(COUNT)]
        for address in addresses:
            files = {"avatar": ("a.png", picture())}
            made = client.ask("POST", "/user", data={"name": "Ann", "email": address}, files=files)
            # What was answered by 503 may have been done.
            assert made.status_code in {201, 409}, made.text
        listed: list[str] = []
        following = None
        while True:
            page = client.ask("GET", "/users", params={"limit": 7, **({"next": following} if following else {})}).json()
            listed += [one["email"] for one in page["users"]]
            following = page["next"]
            if following is None:
                break
        assert sorted(listed) == sorted(addresses)
        for address in addresses:
            assert client.ask("GET", f"/user/{address}").status_code == 200
            assert client.ask("GET", f"/user/{address}/avatar").content == picture()
        for address in addresses[::2]:
            assert client.ask("DELETE", f"/user/{address}").status_code in {204, 404}
        assert client.refused > 0
        left = dynamodb.scan(TableName=running.TABLE)["Items"]
        assert sorted(one["email"]["S"] for one in left) == sorted(addresses[1::2])
        assert (server.process.poll(), status(f"{server.url}/readyz")) == (None, 200)
        with urllib.request.urlopen(f"{before}/_faults") as counted:
            assert json.load(counted).keys() == {f"{one['service']}.{one['fault']}" for one in FAULTS}
