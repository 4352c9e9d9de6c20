"""Whether the service may be sent requests: what it needs has answered once, and it was not asked to stop.

What AWS does later is no reason to be unready: every pod would be at once, and callers would find no pod that listens
instead of a 503 that says when to try again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# A failure that is waited out as fields of a log line, `what` among them.
Explain = Callable[[BaseException], dict[str, str]]

# Seconds between two looks, and after which a look without an answer counts as a bad one.
INTERVAL, PATIENCE = 2.0, 3.0


class Readiness:
    """What the readiness probe tells. Only the event loop changes it."""

    def __init__(self) -> None:
        self._obstacle: str | None = "starting"
        self._look: asyncio.Future[None] | None = None
        self.draining = False

    @property
    def obstacle(self) -> str | None:
        """Why the service is not ready; None if it is."""
        return "stopping" if self.draining else self._obstacle

    def drain(self) -> None:
        """Be unready for good."""
        self.draining = True

    async def watch(
        self,
        check: Callable[[], None],
        problems: tuple[type[Exception], ...],
        explain: Explain,
        log: FilteringBoundLogger,
    ) -> None:
        """Look until it is ready once, by a blocking `check` that raises one of `problems`."""
        # A thread of its own, so that a crowd of requests does not look like an outage.
        executor = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        try:
            while self._obstacle is not None:
                self._note(await self._problem(executor, check, problems, explain), log)
                await asyncio.sleep(INTERVAL if self._obstacle else 0)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def ready(self) -> None:
        """Be ready without a look, as a service is that needs nothing to begin with."""
        self._obstacle = None

    async def _problem(
        self,
        executor: ThreadPoolExecutor,
        check: Callable[[], None],
        problems: tuple[type[Exception], ...],
        explain: Explain,
    ) -> dict[str, str]:
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().run_in_executor(executor, check)
            self._look.add_done_callback(lambda look: look.cancelled() or look.exception())
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._look)
        except TimeoutError:
            return {"what": f"no answer from AWS within {PATIENCE:g} s"}
        except problems as error:
            return explain(error)
        return {}

    def _note(self, problem: dict[str, str], log: FilteringBoundLogger) -> None:
        before, self._obstacle = self._obstacle, problem.get("what")
        if before == self._obstacle:
            return
        if self._obstacle is None:
            log.info("ready")
        else:
            log.warning("not ready", **problem)
