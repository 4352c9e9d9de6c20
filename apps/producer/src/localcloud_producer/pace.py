"""How many events are due at a moment; pure."""

from __future__ import annotations

from collections.abc import Callable

# Seconds by which the pace may be behind and still catch up. A slow call must not lower the rate, and an outage must
# not end in a burst.
CATCH_UP = 1.0


class Pace:
    """A steady rate, in events per second of the given clock. The first event is due at once."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._next = clock()

    def due(self, most: int) -> int:
        """Take the events that are due now, `most` at the most."""
        now = self._clock()
        if now < self._next or most <= 0:
            return 0
        oldest = max(self._next, now - CATCH_UP)
        # Counted first, so that a huge rate cannot make a huge number of it.
        events = int(min((now - oldest) / self._interval + 1, most))
        self._next = oldest + events * self._interval
        return events

    def wait(self) -> float:
        """Give the seconds until the next event is due."""
        return max(0.0, self._next - self._clock())
