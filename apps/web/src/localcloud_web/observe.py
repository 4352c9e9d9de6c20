"""Around every request: metrics, a line of log, and an answer even if a bug ends it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from starlette.requests import ClientDisconnect

from localcloud_web import problem
from localcloud_web.readiness import Readiness

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Asked every few seconds by machines; not worth a line each.
QUIET = {"/healthz", "/readyz", "/metrics"}
# What nginx calls a request whose client went away; it is never sent.
CLIENT_GONE = 499
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Metrics:
    """The service's metrics, in a registry of its own. app: what their names begin with."""

    def __init__(self, app: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self.requests = Counter(f"{app}_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(f"{app}_request_seconds", "Time to answer.", labels[:2], registry=self.registry)
        self.in_progress = Gauge(f"{app}_requests_in_progress", "Requests being answered.", registry=self.registry)


class Observe:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, metrics: Metrics, readiness: Readiness, log: FilteringBoundLogger) -> None:
        self._app, self._metrics, self._readiness, self._log = app, metrics, readiness, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        begin = time.perf_counter()
        with self._metrics.in_progress.track_inprogress():
            status = await self._answer(scope, receive, send, request_id)
        self._note(scope, request_id, status, time.perf_counter() - begin)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> int:
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._headers(request_id)]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            # It went away before all of its request had come: no answer can be sent.
            return CLIENT_GONE
        except Exception:
            self._log.exception("a bug ended a request", request_id=request_id.decode(), route=_route(scope))
            if not status:
                answer = problem.response(500, "The service failed. Its log has the cause under this X-Request-ID.")
                await answer(scope, receive, watched)
        return status

    def _headers(self, request_id: bytes) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", request_id), (b"x-content-type-options", b"nosniff")]
        # Callers that keep their connection would come back to a closed port.
        return [*headers, (b"connection", b"close")] if self._readiness.draining else headers

    def _note(self, scope: Scope, request_id: bytes, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = _route(scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if route not in QUIET:
            # The route, not the path: what is in that may be private, as a user's address is.
            self._log.info(
                "request",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=request_id.decode(),
            )


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unknown")


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return bytes(value)
    return uuid4().hex.encode()
