"""A real server on this machine, whose answers a test scripts."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclasses.dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    drip: float = 0  # seconds between the bytes of the body


Route = Callable[[Received], Reply]


class Server:
    """C(routes) answer by method and path, such as C(GET /a); C(received) is what came."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.received: list[Received] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                received = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                server.received.append(received)
                route = server.routes.get(f"{self.command} {self.path}", lambda _one: Reply(404, b"not here"))
                reply = route(received)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for one in [reply.body[i : i + 1] for i in range(len(reply.body))] if reply.drip else [reply.body]:
                    self.wfile.write(one)
                    time.sleep(reply.drip)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (as http.server looks for them)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def says(self, route: str, *replies: Reply) -> None:
        """The replies of a route one after the other, and the last one from then on."""
        left = list(replies)
        self.routes[route] = lambda _one: left.pop(0) if len(left) > 1 else left[0]

    def asked(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.received]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def other_server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply
