"""The Main API before the auxiliary service: by ASGI, and over loopback before what is none."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from moto import mock_aws
from starlette.testclient import TestClient

from localcloud_auxiliary_service.cloud import Cloud
from localcloud_auxiliary_service.settings import Settings as AuxiliarySettings
from localcloud_auxiliary_service.web import build_app as build_auxiliary
from localcloud_events.settings import BadSettingsError
from localcloud_main_api import auxiliary as auxiliary_module
from localcloud_main_api.auxiliary import parameter_path
from localcloud_main_api.settings import Settings, load
from localcloud_main_api.web import build_app
from localcloud_web.readiness import Readiness

LOG = structlog.get_logger()
REGION = "eu-west-1"
VERSIONS = {"main_api_version": "v2.0.0", "auxiliary_service_version": "v1.0.0"}
OK = {"buckets": ["a"], "auxiliary_service_version": "v1.0.0"}


def settings(url: str = "http://auxiliary", **others: Any) -> Settings:
    return Settings(SERVICE_VERSION="v2.0.0", AUXILIARY_URL=url, **others)


@pytest.fixture
def api(regional: SimpleNamespace) -> Iterator[TestClient]:
    """Both services, before an AWS in memory."""
    with mock_aws():
        ssm, s3 = regional.ssm, regional.s3
        s3.create_bucket(Bucket="kantox-challenge-dev-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        for number in range(1, 26):
            ssm.put_parameter(Name=f"/kantox-challenge/dev/param{number}", Value=f"value {number}", Type="String")
        ssm.put_parameter(Name="/kantox-challenge/dev/secret", Value="hunter2", Type="SecureString")
        theirs = AuxiliarySettings(
            SERVICE_VERSION="v1.0.0", BUCKET_PREFIX="kantox-challenge-dev-", PARAMETER_PATH="/kantox-challenge/dev"
        )
        app = build_auxiliary(theirs, Cloud(s3, ssm, theirs), Readiness(), LOG)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        with TestClient(build_app(settings(), Readiness(), LOG, transport)) as client:
            yield client


def test_buckets(api: TestClient) -> None:
    assert api.get("/s3-buckets").json() == {"buckets": ["kantox-challenge-dev-bucket"], **VERSIONS}


def test_parameters_page_by_page(api: TestClient) -> None:
    every = api.get("/parameters").json()
    assert len(every.pop("parameters")) == 26
    assert every == VERSIONS
    first = api.get("/parameters?limit=15").json()
    rest = api.get("/parameters", params={"next": first["next"]}).json()
    assert (len(first["parameters"]), len(rest["parameters"])) == (15, 11)
    assert "next" not in rest


@pytest.mark.parametrize("name", ["/kantox-challenge/dev/param1", "kantox-challenge/dev/param1", "param1"])
def test_a_parameter(api: TestClient, name: str) -> None:
    answer = api.get(f"/parameter/{name}")
    assert answer.json() == {"value": "value 1", **VERSIONS}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["%2e%2e/s3-buckets", "%2e%2e", "%2e%2e%2fhealthz", "nothing", "a%3Fdecrypt=true", "x%00"]
)
def test_whatever_is_asked_for_is_a_parameter(api: TestClient, name: str) -> None:
    assert api.get(f"/parameter/{name}").status_code in (404, 503)
    assert parameter_path("../../x?y").startswith("/parameter/%2F..%2F")


@pytest.mark.parametrize("query", ["", "?decrypt=true"])
def test_a_secret_is_not_told(api: TestClient, query: str) -> None:
    answer = api.get(f"/parameter/secret{query}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("The parameter is a SecureString.")
    assert VERSIONS.items() <= answer.json().items()
    assert "hunter2" not in answer.text


def test_refusals_are_passed_on(api: TestClient) -> None:
    missing = api.get("/parameter/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    assert VERSIONS.items() <= missing.json().items()
    assert api.get("/parameters?next=%25").status_code == 400
    bad = api.get("/parameters?limit=0")
    assert (bad.status_code, bad.json()["main_api_version"]) == (422, "v2.0.0")
    assert api.get("/nowhere").json()["main_api_version"] == "v2.0.0"
    assert api.post("/parameters").status_code == 405


def test_one_request_id_is_in_both_logs(api: TestClient) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = api.get("/s3-buckets")
        given = api.get("/s3-buckets", headers={"X-Request-ID": "mine-1"})
    ids = [one["request_id"] for one in logs if one["event"] == "request"]
    assert ids == [answer.headers["x-request-id"]] * 2 + ["mine-1"] * 2
    assert given.headers["x-request-id"] == "mine-1"


def test_probes_metrics_and_documentation(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "live"}
    assert api.get("/readyz").json() == {"status": "ready"}
    assert "localcloud_main_api_auxiliary_retries_total 0.0" in api.get("/metrics").text
    assert "<title>Main API</title>" in api.get("/swagger/").text
    assert {"/s3-buckets", "/parameters", "/parameter/{name}"} <= api.get("/openapi.json").json()["paths"].keys()


def http(body: bytes, status: str = "200 OK", media_type: str = "application/json", more: str = "") -> bytes:
    fields = f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body


@contextmanager
def auxiliary(*answers: bytes | None) -> Iterator[tuple[str, Callable[[], int]]]:
    """Answer with these bytes, each once and the last always; None hangs. Gives the URL, and how often it was asked."""
    over, asked = threading.Event(), 0

    def run() -> None:
        nonlocal asked
        while not over.is_set():
            try:
                one, _address = server.accept()
            except OSError:
                return
            with one:
                one.recv(65536)
                answer = answers[min(asked, len(answers) - 1)]
                asked += 1
                if answer is None:
                    over.wait(30)
                else:
                    one.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", lambda: asked
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def ask(url: str, path: str = "/s3-buckets", **others: Any) -> Any:
    with TestClient(build_app(settings(url, **others), Readiness(), LOG)) as client:
        return client.get(path)


PROBLEM = {"status": 503, "detail": "AWS is away.", "auxiliary_service_version": "v1.0.0"}
SECRET_BODY = json.dumps({"value": ["hunter2"], "auxiliary_service_version": "v1"}).encode()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(json.dumps(OK).encode()), 200),
        (http(b"<html>hello</html>", media_type="text/html"), 502),
        (http(b"<html>hello</html>"), 502),
        (http(b""), 502),
        (http(b"{"), 502),
        (http(b'{"buckets": ["a"]}'), 502),
        (http(b'{"buckets": [1], "auxiliary_service_version": "v1"}'), 502),
        (http(json.dumps(OK).encode(), "302 Found", more="Location: http://127.0.0.1:1/\r\n"), 502),
        (http(json.dumps(OK).encode(), "500 Internal Server Error"), 502),
        (http(b"nonsense", "503 Service Unavailable", "text/html"), 502),
        (http(b"{}", "503 Service Unavailable", "application/problem+json"), 502),
        (http(json.dumps(PROBLEM).encode(), "503 Service Unavailable", "application/problem+json"), 503),
        (http(b"no gzip", more="Content-Encoding: gzip\r\n"), 502),
        (b"nonsense\r\n\r\n", 503),
        (b"", 503),
    ],
)
def test_what_the_auxiliary_service_answers(answer: bytes, status: int) -> None:
    with auxiliary(answer) as (url, _asked):
        given = ask(url)
    assert given.status_code == status
    if status != 200:
        assert given.headers["content-type"] == "application/problem+json"
        assert given.json()["main_api_version"] == "v2.0.0"
        assert "nonsense" not in given.text and "hello" not in given.text


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auxiliary_module, "MOST_BYTES", 1000)
    with auxiliary(http(json.dumps({**OK, "buckets": ["a" * 2000]}).encode())) as (url, _asked):
        assert ask(url).status_code == 502


def test_a_broken_connection_is_tried_a_second_time_only() -> None:
    with auxiliary(b"", http(json.dumps(OK).encode())) as (url, asked):
        assert ask(url).status_code == 200
        assert asked() == 2
    with auxiliary(b"") as (url, asked):
        assert ask(url).status_code == 503
        assert asked() == 2


def test_an_auxiliary_service_that_hangs_is_not_waited_for() -> None:
    with auxiliary(None) as (url, asked):
        answer = ask(url, AUXILIARY_TIMEOUT_SECONDS=0.3)
        assert asked() == 1
    assert (answer.status_code, answer.headers["retry-after"]) == (504, "2")


def test_an_auxiliary_service_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    answer = ask(f"http://127.0.0.1:{port}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["detail"] == "The auxiliary service can't be reached. Try again later."


def test_no_value_is_in_the_log() -> None:
    with structlog.testing.capture_logs() as logs, auxiliary(http(SECRET_BODY)) as (url, _asked):
        assert ask(url, "/parameter/x").status_code == 502
    assert [one["kind"] for one in logs if one["event"].startswith("no answer")] == ["GarbageError"]
    assert "hunter2" not in str(logs)


def test_all_bad_settings_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"SERVICE_VERSION": "", "AUXILIARY_URL": "https://x/path", "AUXILIARY_TIMEOUT_SECONDS": "0", "PORT": "x"}
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettingsError) as found:
        load()
    assert all(f"{name}: " in str(found.value) for name in bad)
