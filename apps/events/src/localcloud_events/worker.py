"""The life of a worker: settings, logs, HTTP, then its loop with waits between failures, until it is told to stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from botocore.exceptions import BotoCoreError
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from localcloud_events import logs, web
from localcloud_events.health import Health
from localcloud_events.lifecycle import Stop
from localcloud_events.problems import PROBLEMS, explain
from localcloud_events.settings import BadSettingsError, WorkerSettings, load

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

SettingsT = TypeVar("SettingsT", bound=WorkerSettings)

BAD_SETTINGS, FAILED = 2, 1


class Worker(Protocol):
    """What a worker does. Both methods may raise one of PROBLEMS, which is then waited out."""

    def connect(self) -> None:
        """Find the worker's AWS resources. Reads only, so a stop may cut it short."""

    def step(self, *, patient: bool) -> None:
        """Do one piece of work. `patient` says that it may wait for work; it may not before a call has worked,
        because the worker counts as ready only after that."""


Build = Callable[[SettingsT, Stop, CollectorRegistry, "FilteringBoundLogger"], Worker]


def run(app: str, settings_type: type[SettingsT], build: Build[SettingsT], stop: Stop) -> int:
    """Run a worker until it is told to stop; give the process's exit code (0, 1 on a bug, 2 on bad settings)."""
    try:
        settings = load(settings_type)
    except BadSettingsError as error:
        return _refuse(app, str(error))
    logs.configure(settings.log_level)
    log = logs.logger(app)
    registry = new_registry()
    health = Health(settings.liveness_limit)
    with ExitStack() as stack:
        try:
            worker = build(settings, stop, registry, log)
            port = stack.enter_context(web.serving(web.application(health, registry), settings.http_port))
        except BotoCoreError as error:
            return _refuse(app, f"AWS SDK's own settings: {error}")
        except OSError as error:
            return _refuse(app, f"HTTP_PORT: cannot listen on {settings.http_port}: {error.strerror}")
        log.info("started", endpoint=settings.endpoint or "AWS", region=settings.region, http_port=port)
        return _supervise(Supervisor(worker, stop, health, log, settings.endpoint), log)


def _supervise(supervisor: Supervisor, log: FilteringBoundLogger) -> int:
    try:
        supervisor.run()
    except Exception:
        log.exception("stopped by an unexpected error")
        return FAILED
    log.info("stopped")
    return 0


def new_registry() -> CollectorRegistry:
    """Make a registry with the process's own metrics; not the global one, so that tests can have many."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


@dataclass
class Supervisor:
    """Keeps a worker going: connects, steps, and after a failure waits longer each time until a step has worked.

    `longest` is the longest such wait in seconds.
    """

    worker: Worker
    stop: Stop
    health: Health
    log: FilteringBoundLogger
    endpoint: str
    longest: float = 15
    _connected: bool = field(default=False, init=False)

    def run(self) -> None:
        """Run until a stop is requested. Errors other than PROBLEMS pass through."""
        first = min(0.5, self.longest)
        retrying = Retrying(
            retry=retry_if_exception_type(PROBLEMS),
            wait=wait_exponential_jitter(multiplier=first, max=self.longest, jitter=first),
            stop=lambda _state: self.stop.requested,
            sleep=self.stop.sleep,
            before_sleep=self._wait_out,
            retry_error_callback=lambda _state: None,
        )
        while not self.stop.requested:
            retrying(self._attempt)

    def _attempt(self) -> None:
        self.health.beat()
        if not self._connected:
            self.stop.while_idle(self.worker.connect, None)
        if self.stop.requested:
            return
        self._connected = True
        self.worker.step(patient=self.health.ready)
        if not self.health.ready:
            self.log.info("ready")
        self.health.mark_ready()

    def _wait_out(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is None:
            return
        self._connected = False
        problem = explain(error, self.endpoint)
        self.health.mark_unready(problem.what)
        self.log.warning(
            "waiting", **problem.fields(), attempt=state.attempt_number, retry_in_seconds=round(state.upcoming_sleep, 1)
        )


def _refuse(app: str, reason: str) -> int:
    print(f"{app}: {reason}", file=sys.stderr)
    return BAD_SETTINGS
