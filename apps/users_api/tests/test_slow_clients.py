"""Clients that send or take too slowly, or are too many: each is dropped in time, and the others are served."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import running
import uvicorn
from running import free_port, service, status, wait_until
from test_process import post

from localcloud_events.lifecycle import Stop
from localcloud_web import connections
from localcloud_web.connections import Connection
from localcloud_web.readiness import Readiness
from localcloud_web.server import Server

HEADER = b"POST /user HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
LARGE = 64 * 2**20


async def application(scope, receive, send):
    """Answer each request with as many bytes as its path says, without reading its body."""
    if scope["type"] != "http":
        return
    size = int(scope["path"][1:] or 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"x" * size})


@contextmanager
def serving(most: int = 100) -> Iterator[tuple[Server, int]]:
    """Serve `application` in a thread."""
    port = free_port()
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, http=Connection, ws="none", lifespan="off",
        log_config=None, limit_concurrency=most, timeout_keep_alive=connections.KEEP_ALIVE,
    )  # fmt: skip
    server = Server(config, Stop(), Readiness(), 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until("it listens", lambda: server.started)
    try:
        yield server, port
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def connect(port: int, content: bytes = b"", *, buffer: int = 0) -> socket.socket:
    one = socket.socket()
    if buffer:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    one.connect(("127.0.0.1", port))
    one.settimeout(30)
    one.sendall(content)
    return one


def closed(one: socket.socket) -> bool:
    """Whether the other side has closed the connection, whatever it has sent before."""
    one.setblocking(False)
    try:
        while one.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def trickle(one: socket.socket, until: float) -> None:
    """Send a byte every 20 ms until the connection is closed."""
    with suppress(OSError):
        while time.monotonic() < until and not closed(one):
            one.send(b"x")
            time.sleep(0.02)


@pytest.mark.parametrize("begun", [b"", b"\r\n", b"GET /", b"GET /0 HTTP/1.1\r\nHost: x\r\nX-"])
def test_a_header_must_come_in_time_however_it_trickles(monkeypatch, begun):
    monkeypatch.setattr(connections, "HEADER", 1)
    with serving() as (_, port), connect(port, begun) as one:
        begin = time.monotonic()
        if begun[:1] in (b"", b"\r"):
            wait_until("it is dropped", lambda: closed(one))
        else:
            trickle(one, begin + 60)
        assert 0.5 < time.monotonic() - begin < 40


@pytest.mark.parametrize("begun", [b"", b"GET /0 HTTP/1.1\r\nX-"])
def test_a_kept_connection_must_send_its_next_header_in_time(monkeypatch, begun):
    monkeypatch.setattr(connections, "HEADER", 1)
    monkeypatch.setattr(connections, "KEEP_ALIVE", 2)
    with serving() as (_, port), connect(port, b"GET /5 HTTP/1.1\r\nHost: x\r\n\r\n") as one:
        assert b"xxxxx" in one.recv(4096)
        one.sendall(begun)
        begin = time.monotonic()
        wait_until("it is dropped", lambda: closed(one))
        assert 0.5 < time.monotonic() - begin < 40


def test_the_rest_of_a_body_that_nobody_reads_has_an_end(monkeypatch):
    monkeypatch.setattr(connections, "REST", 1)
    with serving() as (_, port), connect(port, b"POST /0 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") as one:
        begin = time.monotonic()
        trickle(one, begin + 60)
        assert time.monotonic() - begin < 40


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
def test_a_response_that_nobody_takes_is_dropped(monkeypatch, close):
    monkeypatch.setattr(connections, "TAKING", 1)
    monkeypatch.setattr(connections, "SLOWEST", 2**30)
    asked = f"GET /{LARGE} HTTP/1.1\r\nHost: x\r\n".encode() + close + b"\r\n"
    with serving() as (server, port), connect(port, asked * 2, buffer=4096):
        wait_until("it is answered", lambda: server.server_state.total_requests > 0)
        wait_until("it is dropped", lambda: not server.server_state.connections)


@pytest.mark.parametrize(
    "endless", [b"GET /0 HTTP/1.1\r\nX-A: ", b"GET /", b"POST /0 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;"]
)
def test_a_header_without_an_end_is_not_taken_in(endless):
    with serving() as (_, port), connect(port, endless) as one:
        sent = 0
        with suppress(ConnectionError):
            while sent < 4 * 2**20:
                sent += one.send(b"a" * 65536)
        assert sent < 4 * 2**20, "it was all taken"


def test_a_body_may_be_larger_than_a_header():
    body = b"x" * 2**20
    asked = b"POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving() as (_, port), connect(port) as one:
        for _ in range(3):
            one.sendall(asked + body)
            assert one.recv(4096).endswith(b"xxx")


def test_the_longest_quiet_connection_makes_room():
    with serving(most=20) as (server, port), ExitStack() as stack:
        first = stack.enter_context(connect(port, b"GET /3 HTTP/1.1\r\nX: "))
        wait_until("the first is there", lambda: len(server.server_state.connections) == 1)
        others = [stack.enter_context(connect(port)) for _ in range(50)]
        wait_until("the first is dropped", lambda: closed(first))
        assert status(f"http://127.0.0.1:{port}/3") == 200
        wait_until("the oldest are dropped", lambda: sum(map(closed, others)) >= 30)
        assert not closed(others[-1])


def test_a_bad_day_of_slow_clients_ends_by_itself():
    """200 half headers, 30 half uploads, 20 that say nothing: the service answers meanwhile, and frees each place."""
    with running.aws() as endpoint, service(endpoint) as server, ExitStack() as stack:
        port = urlsplit(server.url).port or 0
        half = HEADER + b"Content-Length: 2000000\r\n\r\n--b\r\n"
        contents = [HEADER] * 200 + [half] * 30 + [b""] * 20
        begin = time.monotonic()
        slow = [stack.enter_context(connect(port, content)) for content in contents]
        # Those that the room for uploads does not hold are refused at once; the others have it for a while.
        wait_until("there is no room", lambda: post(server.url, "busy@example.com", b"x" * 10**6).status_code == 503)
        assert status(f"{server.url}/readyz") == 200 and status(f"{server.url}/users") == 200
        left = list(slow)
        while left and time.monotonic() < begin + 40:
            left = [one for one in left if not closed(one)]
            assert status(f"{server.url}/healthz") == 200
            time.sleep(0.2)
        assert not left, f"{len(left)} of {len(slow)} are still held"
        assert post(server.url, "ann@example.com").status_code == 201
