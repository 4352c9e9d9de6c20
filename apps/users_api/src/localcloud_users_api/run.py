"""The life of the process: settings, logs, clients, then HTTP until it is told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from localcloud_events import logs
from localcloud_events.problems import PROBLEMS
from localcloud_events.settings import BadSettingsError
from localcloud_users_api.clients import build_store
from localcloud_users_api.settings import Settings, load
from localcloud_users_api.store import Store
from localcloud_users_api.web import UsersMetrics, build_app
from localcloud_web.outages import explain
from localcloud_web.readiness import Readiness
from localcloud_web.server import CannotListenError, log_libraries, refuse, serve

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_events.lifecycle import Stop

APP = "localcloud_users_api"
FAILED = 1


def run(arguments: Sequence[str], stop: Stop) -> int:
    """Serve, or sweep once; give the process's exit code (0, 1 on a failure, 2 on bad settings)."""
    if list(arguments) not in ([], ["sweep"]):
        return refuse(APP, "the only argument there is is `sweep`")
    try:
        settings = load()
    except BadSettingsError as error:
        return refuse(APP, str(error))
    logs.configure(settings.log_level)
    log = logs.logger(APP)
    log_libraries()
    try:
        store = build_store(settings, log)
    except (BotoCoreError, ValueError) as error:
        return refuse(APP, f"AWS SDK's own settings: {error}")
    if arguments:
        return _sweep(store, settings, log)
    return _serve(store, settings, stop, log)


def _serve(store: Store, settings: Settings, stop: Stop, log: FilteringBoundLogger) -> int:
    readiness = Readiness()
    log.info("started", endpoint=settings.endpoint or "AWS", region=settings.region, port=settings.port)
    metrics = UsersMetrics()
    for client in (store.dynamodb, store.s3):
        metrics.calls.watch(client)
    try:
        serve(build_app(settings, store, readiness, log, metrics), settings, stop, readiness)
    except CannotListenError:
        return refuse(APP, f"PORT: cannot listen on {settings.port}; the log has the cause")
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
