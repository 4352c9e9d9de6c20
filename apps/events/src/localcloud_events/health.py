"""What a worker's probes tell; pure."""

from __future__ import annotations

import time
from collections.abc import Callable


class Health:
    """Whether the main loop makes progress, and whether the worker's last call to AWS worked.

    Its fields are single assignments of one thread (the main loop's), read by the probes' threads: no lock is needed.
    """

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._last = clock()
        self._obstacle: str | None = "starting"

    def beat(self) -> None:
        """Note that the main loop made progress."""
        self._last = self._clock()

    @property
    def live(self) -> bool:
        """Whether the last progress is not older than the limit in seconds."""
        return self._clock() - self._last <= self._limit

    @property
    def ready(self) -> bool:
        """Whether the worker's resources were found and its last call worked."""
        return self._obstacle is None

    @property
    def obstacle(self) -> str:
        """Why the worker is not ready, empty if it is."""
        return self._obstacle or ""

    def mark_ready(self) -> None:
        """Note that the last call worked."""
        self._obstacle = None

    def mark_unready(self, obstacle: str) -> None:
        """Note why the last call did not work."""
        self._obstacle = obstacle
