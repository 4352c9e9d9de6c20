"""What is asked of a Prometheus, and what becomes of its answers."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.prometheus.dashboards import (
    any_of,
    filled,
    named,
    panels,
)
from ansible_collections.localcloud.stack.plugins.module_utils.prometheus.read import (
    Options,
    PrometheusError,
    at_points,
    http_fetch,
    read,
)

NOW = 1_764_446_430.0
DASHBOARD = {
    "title": "cluster",
    "panels": [
        {"type": "row", "title": "Pods"},
        {
            "type": "timeseries",
            "title": "CPU",
            "description": "Who computes?",
            "fieldConfig": {"defaults": {"unit": "s"}},
            "targets": [
                {"expr": 'sum(rate(cpu{namespace=~"$namespace"}[$__rate_interval]))', "legendFormat": "{{pod}}"}
            ],
        },
        {"type": "stat", "title": "Down", "targets": [{"expr": "count(up == 0)"}]},
    ],
}
CPU = 'sum(rate(cpu{namespace=~"apps"}[2m]))'


def options(**changes: Any) -> Options:
    given = {
        "url": "", "dashboards": [DASHBOARD], "variables": {"namespace": "apps"}, "queries": {"published": "p"}, "range": 120, "points": 2, "series": 2,
    }  # fmt: skip
    return Options(**{**given, **changes})


def series(pod: str, *pairs: tuple[float, str]) -> dict[str, Any]:
    return {"metric": {"pod": pod}, "values": [list(pair) for pair in pairs]}


def fetch(path: str) -> Any:
    name, _mark, query = path.partition("?")
    given = dict(urllib.parse.parse_qsl(query))
    if given.get("query") == "time()":
        return {"result": [NOW, str(NOW)]}
    if name == "query_range":
        if given["query"] == CPU:
            start = float(given["start"])
            pairs = [(start, "1"), (start + 60, "NaN"), (start + 120, "3")]
            return {"result": [series("a", *pairs), series("b", (start, "9")), series("c", (start, "0.5"))]}
        raise PrometheusError("it refuses the query")
    if name == "alerts":
        return {
            "alerts": [
                {"state": "firing", "labels": {"alertname": "Watchdog", "severity": "none"}},
                {"state": "pending", "labels": {"alertname": "Later"}},
                {
                    "state": "firing",
                    "activeAt": "2026-01-01T12:00:00Z",
                    "labels": {"alertname": "TargetDown", "severity": "warning"},
                    "annotations": {"summary": "a is down"},
                },
            ]
        }
    if name == "targets":
        lost = {"health": "down", "labels": {"job": "j", "instance": "i"}, "lastError": "refused"}
        return {"activeTargets": [{"health": "up"}, lost]}
    return {"query": {"result": [{"metric": {"job": "n/p"}, "value": [NOW, "1.5"]}]}}.get(name, {"version": "3.16.0"})


def test_what_dashboards_show_is_asked_by_prometheus_own_clock() -> None:
    found = read(options(), fetch, lambda: NOW - 42)
    assert (found["version"], found["clock_seconds_ahead"]) == ("3.16.0", 42.0)
    cpu, down = found["charts"]
    assert (cpu["dashboard"], cpu["row"], cpu["title"], cpu["answers"], cpu["unit"], cpu["single"]) == (
        "cluster", "Pods", "CPU", "Who computes?", "s", False,
    )  # fmt: skip
    # Whole minutes, so that a second look sees the same points.
    assert (cpu["start"], cpu["step"]) == (NOW - 30 - 120, 60)
    # c has the smallest values of the three.
    assert [(one["name"], one["values"]) for one in cpu["series"]] == [
        ("a", [1.0, None, 3.0]),
        ("b", [9.0, None, None]),
    ]
    assert cpu["more"] == 1
    assert (down["single"], down["series"]) == (True, [])
    assert found["errors"] == [{"query": "count(up == 0)", "message": "it refuses the query"}]
    assert [one["name"] for one in found["alerts"]] == ["TargetDown"]
    assert found["targets"] == {"all": 2, "up": 1, "down": [{"job": "j", "instance": "i", "error": "refused"}]}
    assert found["answers"] == {"published": [{"labels": {"job": "n/p"}, "value": 1.5}]}


def test_points_have_their_place_whatever_is_missing() -> None:
    assert at_points([[100.0, "1"], [219.9, "+Inf"], [160.2, "12345678.9"], [400, "5"]], 100, 60, 3) == [
        1.0,
        12345680.0,
        None,
    ]


def test_variables_are_filled_in() -> None:
    assert filled('x{a=~"$a", b=~"${b}"}[$__rate_interval]', {"a": "1"}) == 'x{a=~"1", b=~".*"}[2m]'
    assert any_of(["b", "a.b"]) == "a\\\\.b|b"
    assert any_of([]) == ".*"


def test_names_of_series() -> None:
    assert named("{{job}} {{ route }}", {"job": "n/users", "other": "x"}) == "n/users"
    assert named("", {"__name__": "up", "b": "2", "a": "1"}) == "a=1, b=2"


def test_a_dashboard_without_anything_has_no_panels() -> None:
    assert list(panels({}, {})) == []


@pytest.fixture
def answering() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """An address, and what is answered there by path: status and body."""
    answers: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"status":"error","error":"parse error"}', "refuses the query: parse error"),
        (404, b"<html>", "HTTP status 404"),
        (200, b"<html>", "is not a Prometheus"),
        (200, b"[]", "is not a Prometheus"),
    ],
)
def test_what_is_not_answered_is_named(answering: Any, status: int, body: bytes, said: str) -> None:
    url, answers = answering
    answers["/api/v1/alerts"] = (status, body)
    with pytest.raises(PrometheusError, match=said):
        http_fetch(url)("alerts")
    answers["/api/v1/alerts"] = (200, b'{"status":"success","data":{"alerts":[]}}')
    assert http_fetch(url)("alerts") == {"alerts": []}


def test_where_nothing_listens_the_pod_is_named() -> None:
    with pytest.raises(PrometheusError, match="does not answer: .*kubectl -n monitoring get pods"):
        read(options(url="http://127.0.0.1:9"))
