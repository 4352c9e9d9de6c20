"""Probes and metrics over HTTP."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from localcloud_events.health import Health

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Page = Callable[[], tuple[str, str]]
# Connections at a time, and seconds that one may last.
MOST, LONGEST = 32, 10.0
OK, UNAVAILABLE, NOT_FOUND = "200 OK", "503 Service Unavailable", "404 Not Found"


def application(health: Health, registry: CollectorRegistry) -> WSGIApplication:
    """Make the WSGI application with /healthz, /readyz and /metrics."""
    metrics: WSGIApplication = make_wsgi_app(registry)
    pages: dict[str, Page] = {"/healthz": lambda: _healthz(health), "/readyz": lambda: _readyz(health)}

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return metrics(environ, start_response)
        status, text = pages.get(path, _not_found)()
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    return answer


@contextmanager
def serving(app: WSGIApplication, port: int) -> Iterator[int]:
    """Serve the application in a thread while the context is open, and give its port (`port` 0 means any free one).

    Raises OSError if the port cannot be had.
    """
    with _Server(("", port), _Handler) as server:
        server.set_app(app)
        # shutdown() waits for the poll interval: half a second by default, which every stop would pay.
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="http", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _healthz(health: Health) -> tuple[str, str]:
    return (OK, "live") if health.live else (UNAVAILABLE, "no progress within the limit")


def _readyz(health: Health) -> tuple[str, str]:
    return (OK, "ready") if health.ready else (UNAVAILABLE, health.obstacle)


def _not_found() -> tuple[str, str]:
    return NOT_FOUND, "there are /healthz, /readyz and /metrics"


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Has a thread for each connection, and no more than MOST: the oldest makes room, so that probes are answered."""

    daemon_threads = True
    # The default of 5 makes callers wait for a second as soon as a few come at once.
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._open: dict[Any, float] = {}
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection."""
        with self._lock:
            if len(self._open) >= MOST:
                _end(next(iter(self._open)))
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what has lasted too long, however it trickles; the loop calls this several times a second."""
        now = time.monotonic()
        with self._lock:
            for request, since in self._open.items():
                if now > since + LONGEST:
                    _end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away or was too slow: that is no fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up of HTTPServer, which in a pod can cost seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()


def _end(request: Any) -> None:
    """Wake the thread that reads from the connection."""
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    # Seconds; a client that sends nothing must not hold a thread for ever.
    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: probes come every second."""
