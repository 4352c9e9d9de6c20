"""The threads in which blocking calls run, so that they never hold up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Calls that may wait for each thread, and seconds that one may wait. More would be longer than callers do.
QUEUE = 16
PATIENCE = 3.0


class BusyError(Exception):
    """So many calls wait already that one more would not be answered in time."""


class Pool:
    """A bounded number of threads with a bounded queue before them."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._most = threads * (QUEUE + 1)
        self._taken = 0

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in a thread and give its result; raises BusyError, or what the call raises."""
        if self._taken >= self._most:
            raise BusyError
        job = self._executor.submit(partial(call, *args, **kwargs))
        future = asyncio.wrap_future(job)
        self._taken += 1
        # Counted until it is really over, which may be later than its caller's patience.
        future.add_done_callback(self._free)
        # Cancels only what has not begun: a call that runs is bounded by its client's timeouts.
        timer = asyncio.get_running_loop().call_later(PATIENCE, job.cancel)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if job.cancelled():
                raise BusyError from None
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """Take no more calls; the process's end waits for those that run."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _free(self, _future: object) -> None:
        self._taken -= 1
