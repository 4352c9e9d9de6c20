"""HTTP until the process is told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from localcloud_web.connections import KEEP_ALIVE, Connection
from localcloud_web.readiness import Readiness
from localcloud_web.settings import ServerSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from localcloud_events.lifecycle import Stop

# Seconds for requests that run when the port is closed. With the delay before, less than a pod's 30.
LAST_REQUESTS = 20
# Ticks of uvicorn between two looks at all connections: one second.
LOOK = 10
BAD_SETTINGS = 2


class CannotListenError(Exception):
    """The port can't be had; the log has the cause."""


class Server(uvicorn.Server):
    """Serves until a stop is requested: then readiness goes at once, and the port is closed `delay` seconds later."""

    def __init__(self, config: uvicorn.Config, stop: Stop, readiness: Readiness, delay: float) -> None:
        super().__init__(config)
        self._stop, self._readiness, self._delay = stop, readiness, delay
        self._close_at: float | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to Stop, which had them before uvicorn was even imported."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is time to end."""
        if self._stop.requested and self._close_at is None:
            self._readiness.drain()
            self._close_at = time.monotonic() + self._delay
        if self._close_at is not None and time.monotonic() >= self._close_at:
            self.should_exit = True
        if counter % LOOK == 0:
            self._drop_overdue()
        return await super().on_tick(counter)

    def _drop_overdue(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in list(self.server_state.connections):
            if isinstance(one, Connection) and one.overdue(now):
                one.drop()


def serve(app: ASGIApp, settings: ServerSettings, stop: Stop, readiness: Readiness) -> None:
    """Serve until a stop is requested; raises CannotListenError."""
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        limit_concurrency=settings.max_connections,
        log_config=None,
        access_log=False,
        server_header=False,
        # What proxies say is the application's to judge.
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_REQUESTS,
        timeout_keep_alive=KEEP_ALIVE,
    )
    try:
        Server(config, stop, readiness, settings.shutdown_delay).run()
    except SystemExit:
        raise CannotListenError from None


def log_libraries() -> None:
    """Let what the libraries warn of be lines of JSON, too."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Pillow's, of a picture that is half broken.
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def refuse(app: str, reason: str) -> int:
    """Say why the process does not serve; give its exit code."""
    print(f"{app}: {reason}", file=sys.stderr)
    return BAD_SETTINGS
