import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress

import pytest
from prometheus_client import CollectorRegistry, Counter

from localcloud_events import web
from localcloud_events.health import Health
from localcloud_events.web import application, serving


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_probes_and_metrics_over_http() -> None:
    clock = Clock()
    health = Health(limit=10, clock=clock)
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    with serving(application(health, registry), 0) as port:
        assert get(port, "/healthz") == (200, "live\n")
        assert get(port, "/readyz") == (503, "starting\n")
        health.mark_ready()
        assert get(port, "/readyz") == (200, "ready\n")
        health.mark_unready("no queue")
        assert get(port, "/readyz") == (503, "no queue\n")
        clock.now = 11
        assert get(port, "/healthz")[0] == 503
        health.beat()
        assert get(port, "/healthz")[0] == 200
        assert "things_total 3.0" in get(port, "/metrics")[1]
        assert get(port, "/other")[0] == 404


def test_a_silent_client_holds_nobody_up() -> None:
    health = Health(limit=10)
    with serving(application(health, CollectorRegistry()), 0) as port, socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/healthz")[0] == 200


def test_slow_clients_are_bounded_in_number_and_in_time(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(web, "LONGEST", 1.0)
    with serving(application(Health(limit=1000), CollectorRegistry()), 0) as port, ExitStack() as stack:
        before = threading.active_count()
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3 * web.MOST)]
        for one in slow:
            one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert get(port, "/healthz")[0] == 200, "the oldest make room"
        end = time.monotonic() + 30
        while threading.active_count() > before + web.MOST:
            assert time.monotonic() < end, f"{threading.active_count() - before} threads"
            time.sleep(0.01)
        begin = time.monotonic()
        last = slow[-1]
        last.settimeout(0.05)
        with suppress(ConnectionError):
            while time.monotonic() < begin + 40:
                last.sendall(b"x")
                with suppress(TimeoutError):
                    if not last.recv(100):
                        break
        assert time.monotonic() - begin < 30, "it is ended although it trickles"
    assert "Traceback" not in capfd.readouterr().err


def test_a_client_that_goes_away_is_no_error_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(application(Health(limit=1000), CollectorRegistry()), 0) as port:
        for content in (b"", b"GET /metrics", b"GET /metrics HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.sendall(content)
        assert get(port, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_taken_port_is_an_error() -> None:
    app = application(Health(limit=1), CollectorRegistry())
    with serving(app, 0) as port, pytest.raises(OSError, match="in use"), serving(app, port):
        pass
