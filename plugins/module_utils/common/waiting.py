# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for a fact, never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError


class WaitError(ModuleError):
    """The condition did not come true in time; the message names it and the last state seen."""


def wait_for(
    what: str,
    look: Callable[[], str | None],
    timeout: float,
    interval: float = 0.1,
    growth: float = 1,
    longest: float = 2,
) -> None:
    """Call `look` until it returns None; otherwise it returns the state that is still in the way.

    `timeout` and `interval` in seconds; each interval is `growth` times the one before, up to `longest`. Raises WaitError.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while (state := look()) is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitError(f"Waited {timeout:.0f} s for {what}; last state: {state}")
        pause.wait(min(interval, left))
        interval = max(interval, min(interval * growth, longest))
