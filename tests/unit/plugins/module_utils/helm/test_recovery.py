"""How a Helm release comes out of an operation that was killed, and which operations are left alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm.recovery import (
    RECOVERY,
    RUN,
    UNFINISHED,
    Guard,
    Revision,
    recovery_of,
    run_of,
    running_problem,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = dt.datetime(2026, 11, 28, 19, 20, 51, tzinfo=dt.UTC)
STATUSES = ("deployed", "superseded", "failed", "uninstalled", *UNFINISHED)


def history(*statuses: str, **labels: Any) -> list[Revision]:
    """Revisions with these states, oldest first; C(labels) of the newest. Its operation began 40 s ago."""
    revisions = [Revision(number, status) for number, status in enumerate(statuses, 1)]
    newest = revisions[-1]._replace(
        labels=labels, since=NOW - dt.timedelta(seconds=40), description="Preparing upgrade"
    )
    return [*revisions[:-1], newest]


@pytest.mark.parametrize(
    ("statuses", "back_to"),
    [
        (["deployed", "pending-upgrade"], 1),
        (["deployed", "pending-rollback"], 1),
        (["superseded", "deployed", "pending-upgrade"], 2),
        (["superseded", "deployed", "failed", "pending-upgrade"], 2),
        # Killed between the two marks that end an upgrade.
        (["superseded", "pending-upgrade"], 1),
        (["failed", "pending-upgrade"], 1),
        (["superseded", "failed", "pending-upgrade"], 1),
        # An older one that was recovered from counts no more than it serves.
        (["superseded", "pending-upgrade", "deployed", "pending-rollback"], 3),
        (["pending-upgrade", "pending-rollback"], None),
        (["pending-install"], None),
        (["failed", "pending-install"], None),
        (["superseded", "uninstalled", "pending-install"], None),
        # What was uninstalled is no way back.
        (["superseded", "uninstalled", "failed", "pending-upgrade"], 3),
        (["uninstalling"], None),
        (["superseded", "uninstalling"], None),
    ],
)
def test_the_way_out_of_an_unfinished_operation(statuses: list[str], back_to: int | None) -> None:
    found = recovery_of(history(*statuses))
    assert found is not None
    assert (found.revision.number if found.revision else None) == back_to


@pytest.mark.parametrize(
    "statuses", [[], ["deployed"], ["superseded"], ["failed"], ["deployed", "failed"], ["uninstalled"], ["unknown"]]
)
def test_what_has_ended_needs_none(statuses: list[str]) -> None:
    assert recovery_of(history(*statuses) if statuses else []) is None


@given(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=8))
def test_what_is_deployed_is_never_uninstalled(statuses: list[str]) -> None:
    """Unless somebody began to: by no history at all does a pending operation end the revision that serves."""
    found = recovery_of(history(*statuses))
    *older, newest = statuses
    if newest.startswith("pending-") and "deployed" in older[_after("uninstalled", older) :]:
        assert found is not None
        assert found.revision is not None
        assert found.revision.status == "deployed"
    if newest not in UNFINISHED:
        assert found is None


def _after(status: str, statuses: list[str]) -> int:
    return max((number + 1 for number, one in enumerate(statuses) if one == status), default=0)


def problem(revisions: list[Revision], timeout: float = 300, alive: bool | None = None) -> str | None:
    return running_problem("shop of shops", revisions, Guard(NOW, timeout, lambda _run: alive))


@pytest.mark.parametrize("status", UNFINISHED)
def test_an_operation_of_others_is_left_alone_until_it_is_old(status: str) -> None:
    revisions = history("deployed", status)
    said = problem(revisions)
    assert said is not None
    for part in (
        "shop of shops",
        f"revision 2 is {status} since 2026-11-28 19:20:11 UTC (40 s)",
        "'Preparing upgrade'",
        "a Helm outside this stack",
        "run again in 260 s",
    ):
        assert part in said
    assert problem(revisions, timeout=40) is None
    # A clock that is behind does not make it old.
    assert problem([*revisions[:-1], revisions[-1]._replace(since=NOW + dt.timedelta(hours=1))]) is not None


@pytest.mark.parametrize("status", ["deployed", "failed", "superseded", "uninstalled"])
def test_what_has_ended_is_not_running(status: str) -> None:
    assert problem(history(status)) is None
    assert problem([]) is None


def test_an_operation_of_ours_runs_as_long_as_its_process() -> None:
    ours = history("deployed", "pending-upgrade", **{RUN: "here.1"})
    assert problem(ours, alive=False) is None
    assert "another run of this stack" in (problem(ours, alive=True) or "")
    assert problem(ours, timeout=40, alive=True) is not None
    # On another machine nobody sees it.
    assert problem(ours, alive=None) is not None
    assert problem(ours, timeout=40, alive=None) is None


def test_a_run_that_the_record_inherited_is_not_its_own() -> None:
    """Helm hands labels down: a colleague's upgrade by hand has those of our last one."""
    inherited = history("deployed", "pending-upgrade", **{RUN: "here.1"})
    inherited[0] = inherited[0]._replace(labels={RUN: "here.1"})
    assert run_of(inherited) is None
    assert problem(inherited, alive=False) is not None


def test_the_run_of_a_rollback_and_of_a_removal() -> None:
    """Helm takes no labels for these, so the run marks the record that it finds."""
    rolled_back = [
        Revision(1, "deployed"),
        Revision(2, "pending-upgrade", {RECOVERY: "here.2"}),
        Revision(3, "pending-rollback"),
    ]
    assert run_of(rolled_back) == "here.2"
    assert run_of(history("pending-rollback")) is None
    assert run_of(history("uninstalling", **{RECOVERY: "here.3", RUN: "here.1"})) == "here.3"
    assert run_of(history("uninstalling", **{RUN: "here.1"})) is None
