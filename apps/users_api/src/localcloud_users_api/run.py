"""The life of the process: settings, logs, clients, then HTTP until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
import uvicorn
from botocore.exceptions import BotoCoreError

from localcloud_events import logs
from localcloud_events.problems import PROBLEMS
from localcloud_events.settings import BadSettingsError
from localcloud_users_api.clients import build_store
from localcloud_users_api.connections import KEEP_ALIVE, Connection
from localcloud_users_api.outages import explain
from localcloud_users_api.readiness import Readiness
from localcloud_users_api.settings import Settings, load
from localcloud_users_api.store import Store
from localcloud_users_api.web import build_app

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_events.lifecycle import Stop

APP = "localcloud_users_api"
FAILED, BAD_SETTINGS = 1, 2
# Seconds for requests that run when the port is closed. With the delay before, less than a pod's 30.
LAST_REQUESTS = 20
# Ticks of uvicorn between two looks at all connections: one second.
LOOK = 10


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


def run(arguments: Sequence[str], stop: Stop) -> int:
    """Serve, or sweep once; give the process's exit code (0, 1 on a failure, 2 on bad settings)."""
    if list(arguments) not in ([], ["sweep"]):
        return _refuse("the only argument there is is `sweep`")
    try:
        settings = load()
    except BadSettingsError as error:
        return _refuse(str(error))
    logs.configure(settings.log_level)
    log = logs.logger(APP)
    _log_libraries()
    try:
        store = build_store(settings, log)
    except (BotoCoreError, ValueError) as error:
        return _refuse(f"AWS SDK's own settings: {error}")
    if arguments:
        return _sweep(store, settings, log)
    return _serve(store, settings, stop, log)


def _serve(store: Store, settings: Settings, stop: Stop, log: FilteringBoundLogger) -> int:
    readiness = Readiness()
    config = uvicorn.Config(
        build_app(settings, store, readiness, log),
        host="0.0.0.0",  # noqa: S104
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        limit_concurrency=settings.max_connections,
        log_config=None,
        access_log=False,
        server_header=False,
        # What proxies say is read by Links, which asks who they are.
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_REQUESTS,
        timeout_keep_alive=KEEP_ALIVE,
    )
    log.info("started", endpoint=settings.endpoint or "AWS", region=settings.region, port=settings.port)
    try:
        Server(config, stop, readiness, settings.shutdown_delay).run()
    except SystemExit:
        return _refuse(f"PORT: cannot listen on {settings.port}; the log has the cause")
    log.info("stopped")
    return 0


def _sweep(store: Store, settings: Settings, log: FilteringBoundLogger) -> int:
    try:
        removed = store.sweep(datetime.now(UTC))
    except PROBLEMS as error:
        log.error("sweep failed", **explain(error, settings.endpoint))
        return FAILED
    log.info("swept", orphaned_avatars_removed=removed)
    return 0


def _log_libraries() -> None:
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


def _refuse(reason: str) -> int:
    print(f"{APP}: {reason}", file=sys.stderr)
    return BAD_SETTINGS
