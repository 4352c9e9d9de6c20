"""The threads in which blocking calls run, so that they never hold up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle() -> None:
            # Counted until it is really over, which may be later than its caller's patience.
            self._taken -= 1
            timer.cancel()
            _pass_on(job, answer)

        def ended(_job: Future[T]) -> None:
            # A call may outlive the loop.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle)

        self._taken += 1
        job = self._executor.submit(partial(call, *args, **kwargs))
        # Cancels only what has not begun: a call that runs is bounded by its client's timeouts.
        timer = loop.call_later(PATIENCE, job.cancel)
        job.add_done_callback(ended)
        return await answer

    def close(self) -> None:
        """Take no more calls; the process's end waits for those that run."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _pass_on(job: Future[T], answer: asyncio.Future[T]) -> None:
    """Give a call's end to its caller, unless that has gone."""
    if answer.done():
        return
    error = BusyError() if job.cancelled() else job.exception()
    if error is None:
        answer.set_result(job.result())
    else:
        answer.set_exception(error)
