"""The module around proofs by HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.modules import http_probe as module


class Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/right" else 500)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proof_changes_nothing(run_module: Any, url: str) -> None:
    result = run_module(module, steps=[{"name": "ask", "url": f"{url}/right", "contains": "hello"}])
    assert (result["changed"], result["steps"][0]["status"]) == (False, 200)
    assert set(result["latency_ms"]) == {"ask", "total"}


def test_check_mode_sends_nothing(run_module: Any, url: str) -> None:
    result = run_module(module, True, steps=[{"name": "ask", "url": f"{url}/right"}])
    assert result["steps"] == [{"name": "ask", "status": None, "ms": None}]
    assert (result["latency_ms"], result["saved"], Handler.asked) == ({}, {}, [])


@pytest.mark.parametrize("check_mode", [False, True])
def test_all_that_is_wrong_is_said_before_anything_is_sent(run_module: Any, url: str, check_mode: bool) -> None:
    steps = [{"url": f"{url}/right", "stat": 5}, {"url": f"{url}/${{nothing}}", "file": "/none"}]
    message = run_module(module, check_mode, steps=steps, timeout=0)["msg"]
    for words in (
        "steps[0].stat is unknown",
        "steps[1].url asks for ${nothing}",
        "steps[1].file: file /none",
        "timeout is 0",
    ):
        assert words in message
    assert message.endswith("Nothing was sent.")
    assert Handler.asked == []


def test_a_failure_tells_step_and_figures_and_no_secret(run_module: Any, url: str) -> None:
    headers = {"Authorization": "Bearer hush-hush"}
    result = run_module(module, steps=[{"name": "ask", "url": f"{url}/wrong", "headers": headers}])
    assert (result["failed"], result["failed_step"], result["steps"][0]["status"]) == (True, "ask", 500)
    assert "the status is 500 instead of 200. The answer: hello." in result["msg"]
    assert "hush-hush" not in str(result)
