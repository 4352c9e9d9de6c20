"""Stopping by a signal. Imports little, so that the handler stands before the slow imports begin."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """A signal came while the worker was idle. No Exception, because botocore would take that for a failed call."""


class Stop:
    """A request to stop, which ends an idle wait at once and leaves work in hand alone.

    It uses no lock and no threading.Event: a handler runs in the main thread, which may hold that very lock.
    """

    def __init__(self) -> None:
        self.requested = False
        self._idle = False

    def install(self) -> Stop:
        """Stop on SIGTERM and SIGINT. Without a handler PID 1 would not even see them."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        return self

    def while_idle(self, call: Callable[[], T], otherwise: T) -> T:
        """Make a call which a stop may cut short, because nothing is lost by it; give `otherwise` if it was."""
        result = otherwise
        try:
            try:
                self._idle = True
                if not self.requested:
                    result = call()
            finally:
                self._idle = False
        except Interrupted:
            # The call may have ended just before: then its result is work in hand, and is kept.
            pass
        return result

    def sleep(self, seconds: float) -> None:
        """Sleep until the time is over or a stop is requested."""
        self.while_idle(lambda: time.sleep(seconds), None)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._idle:
            self._idle = False
            raise Interrupted
