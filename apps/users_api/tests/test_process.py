"""The service as a process: signals, outages, uploads larger than its memory."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
import running
from pictures import picture
from running import CREDENTIALS, SOURCES, Running, free_port, service, status, wait_until

MIB = 2**20


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running.aws() as url:
        yield url


@pytest.fixture
def server(endpoint: str) -> Iterator[Running]:
    with service(endpoint) as one:
        yield one


def post(url: str, email: str, avatar: bytes | None = None) -> httpx2.Response:
    files = {"avatar": ("a.png", avatar or picture())}
    return httpx2.post(f"{url}/user", data={"name": "Ann", "email": email}, files=files, timeout=30)


def half_upload(url: str, email: str) -> tuple[HTTPConnection, bytes]:
    """Begin an upload; give the connection and the rest of the body."""
    parts = [
        *(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in
          {"name": "Ann", "email": email}.items()),
        '--b\r\nContent-Disposition: form-data; name="avatar"; filename="a.png"\r\n\r\n',
    ]  # fmt: skip
    body = "".join(parts).encode() + picture() + b"\r\n--b--\r\n"
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest("POST", "/user")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:100])
    return connection, body[100:]


def in_progress(url: str) -> float:
    text = httpx2.get(f"{url}/metrics").text
    line = next(one for one in text.splitlines() if one.startswith("localcloud_users_api_requests_in_progress "))
    # The question itself is in progress, too.
    return float(line.split()[1]) - 1


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"PYTHONPATH": SOURCES, "PATH": "/usr/bin:/bin", **CREDENTIALS, **environment}
    return subprocess.run(
        [sys.executable, "-m", "localcloud_users_api", *arguments],
        env=settings, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_readiness_first_then_the_requests_then_the_process(endpoint, signum):
    with service(endpoint, SHUTDOWN_DELAY_SECONDS="2") as server:
        connection, rest = half_upload(server.url, f"stop{signum}@example.com")
        wait_until("the upload is in progress", lambda: in_progress(server.url) == 1)
        server.process.send_signal(signum)
        wait_until("readiness is gone", lambda: status(f"{server.url}/readyz") == 503)
        assert status(f"{server.url}/users") == 200, "until the delay is over everything is answered"
        wait_until("the port is closed", lambda: status(f"{server.url}/healthz") == 0)
        assert server.process.poll() is None
        connection.send(rest)
        answer = connection.getresponse()
        assert answer.status == 201 and json.loads(answer.read())["email"] == f"stop{signum}@example.com"
        assert server.process.wait(timeout=30) == 0


def test_a_signal_before_the_port_is_open_is_not_lost(endpoint):
    with service(endpoint, ready=False) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0


def test_an_outage_is_told_soon_and_over_without_a_restart():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with service(url, ready=False) as server:
        assert status(f"{server.url}/readyz") == 503 and status(f"{server.url}/healthz") == 200
        answer = post(server.url, "ann@example.com")
        assert (
            answer.status_code == 503 and answer.headers["retry-after"] and "problem" in answer.headers["content-type"]
        )
        with running.aws(port):
            wait_until("the service is ready", lambda: status(f"{server.url}/readyz") == 200)
            assert post(server.url, "ann@example.com").status_code == 201
        wait_until("the outage is told", lambda: status(f"{server.url}/users") == 503)
        assert status(f"{server.url}/readyz") == 200, "who is there to answer 503 must be asked"


def test_a_cloud_without_the_table_is_no_cloud_for_us():
    with running.aws(resources=False) as endpoint, service(endpoint, ready=False) as server:
        wait_until("the table is missed", lambda: status(f"{server.url}/users") == 503)
        assert status(f"{server.url}/readyz") == 503


def test_an_emulator_that_takes_connections_and_says_nothing_is_an_outage():
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with service(endpoint, ready=False, AWS_CONCURRENCY="2") as server, ThreadPoolExecutor(60) as pool:
            answers = pool.map(status, [f"{server.url}/user/a@example.com"] * 40)
            assert status(f"{server.url}/healthz") == 200, "the event loop is free"
            wait_until("readiness tells", lambda: status(f"{server.url}/readyz") == 503)
            # Two at a time wait; what the queue does not hold is refused at once.
            assert 503 in set(answers)


def test_of_many_posts_at_once_one_wins(server):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post(server.url, "race@example.com").status_code, range(12)))
    assert sorted(answers) == [201] + [409] * 11
    assert httpx2.get(f"{server.url}/user/race@example.com/avatar").status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_an_oversized_upload_is_never_taken_in_whole(server, announced):
    process = psutil.Process(server.process.pid)
    post(server.url, f"warm{announced}@example.com")
    before = process.memory_info().rss

    head = b'--b\r\nContent-Disposition: form-data; name="avatar"; filename="a"\r\n\r\n'

    def body():
        yield head
        for _ in range(200):
            yield b"x" * MIB

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if announced:
        headers["Content-Length"] = str(200 * MIB + len(head))
    answer = httpx2.post(f"{server.url}/user", content=body(), headers=headers, timeout=60)
    assert answer.status_code == 413 and answer.headers["content-type"] == "application/problem+json"
    assert process.memory_info().rss - before < 40 * MIB


def test_callers_that_leave_do_not_break_it(server):
    for number in range(5):
        connection, _rest = half_upload(server.url, f"left{number}@example.com")
        connection.close()
    wait_until("nothing is in progress", lambda: in_progress(server.url) == 0)
    assert httpx2.get(f"{server.url}/user/left0@example.com").status_code == 404
    text = httpx2.get(f"{server.url}/metrics").text
    assert 'status="500"' not in text and 'route="/user",status="499"} 5.0' in text
    server.process.terminate()
    log, _ = server.process.communicate(timeout=30)
    assert "a bug" not in log and "Traceback" not in log


def test_paths_are_decoded_once(server):
    made = post(server.url, "a%2fb@example.com")
    assert httpx2.get(made.headers["location"]).json() == made.json()
    assert httpx2.get(f"{server.url}/user/a%2fb@example.com").status_code == 404
    assert httpx2.delete(made.headers["location"]).status_code == 204


def test_the_sweep_as_a_command(endpoint):
    settings = {"AWS_ENDPOINT_URL": endpoint, "DYNAMODB_TABLE": "my-app-table", "S3_BUCKET": "my-app-bucket"}
    swept = run("sweep", **settings)
    assert swept.returncode == 0 and json.loads(swept.stdout.splitlines()[-1])["orphaned_avatars_removed"] == 0
    failed = run("sweep", **{**settings, "S3_BUCKET": "not-there"})
    assert failed.returncode == 1 and "next_step" in failed.stdout


def test_bad_settings_end_it_with_one_line():
    refused = run(AWS_ENDPOINT_URL="x")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert all(name in refused.stderr for name in ("AWS_ENDPOINT_URL", "DYNAMODB_TABLE", "S3_BUCKET"))
    assert run("nonsense").returncode == 2
    half = run(DYNAMODB_TABLE="users", S3_BUCKET="avatars", AWS_SECRET_ACCESS_KEY="")
    assert half.returncode == 2 and "credentials" in half.stderr


def test_a_taken_port_ends_it_with_its_name(server, endpoint):
    port = str(urlsplit(server.url).port)
    taken = run(DYNAMODB_TABLE="users", S3_BUCKET="avatars", AWS_ENDPOINT_URL=endpoint, PORT=port)
    assert taken.returncode == 2 and f"PORT: cannot listen on {port}" in taken.stderr


def test_logs_are_lines_of_json_without_addresses(endpoint):
    with service(endpoint, LOG_LEVEL="INFO") as server:
        post(server.url, "secret@example.com")
        httpx2.get(f"{server.url}/user/secret@example.com")
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(server.process.stdout))
        reader.start()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
        reader.join()
    events = [json.loads(line)["event"] for line in lines]
    assert events[0] == "started" and "request" in events and events[-1] == "stopped"
    assert "secret@" not in "".join(lines)
