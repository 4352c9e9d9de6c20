"""Each behaviour of the contract comes out as it is committed in engines/."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import title

from compat.conftest import CHECK_SECONDS, Run
from compat.outcomes import NEW


def test_outcome_is_as_committed(engine: str, behaviour: str, runs: dict[str, Future[Run]]) -> None:
    run = runs[engine].result()
    if behaviour not in run.started:
        pytest.skip(f"{behaviour} can't be asked of {engine} within the time")
    outcome = run.started[behaviour].result(CHECK_SECONDS)
    committed = run.committed.get(behaviour, NEW)
    if outcome.left:
        pytest.fail(f"could not be removed: {outcome.left}", pytrace=False)
    if outcome.seen != committed:
        now = "does it" if outcome.seen is None else outcome.seen
        pytest.fail(
            f"{title(run.target.engine)} {run.target.version}, {behaviour}: now {now!r}, before {committed or 'does it'!r}. "
            f"engines/{run.file.name} and docs/engines.md have it now; look at the difference and commit it.",
            pytrace=False,
        )
