import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

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


def test_a_taken_port_is_an_error() -> None:
    app = application(Health(limit=1), CollectorRegistry())
    with serving(app, 0) as port, pytest.raises(OSError, match="in use"), serving(app, port):
        pass
