"""The last run's bars, and which of them its length is made of."""

from __future__ import annotations

from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.report.timeline import timeline
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.report.facts import facts, pod

TIMINGS = facts()["timings"]
QUEUE = {
    "kind": "Queue",
    "name": "work",
    "created_at": "2026-01-01T12:00:05Z",
    "created_to_ready_seconds": 25,
}
TOPIC = {**QUEUE, "kind": "Topic", "name": "events", "created_to_ready_seconds": 2}
TIMES = st.floats(0, 100)
TASKS = st.lists(
    st.fixed_dictionaries(
        {
            "phase": st.just("p"),
            "task": st.text(max_size=3),
            "action": st.sampled_from(["crossplane_wait", "helm"]),
            "begin": TIMES,
            "seconds": TIMES,
        }
    )
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.just("Queue"),
            "name": st.text(max_size=3),
            "created_at": st.integers(0, 59).map(lambda second: f"2026-01-01T12:00:{second:02}Z"),
            "created_to_ready_seconds": st.integers(0, 100),
        }
    )
)


def critical(*resources: dict[str, Any]) -> list[str]:
    found = timeline(TIMINGS, resources, [pod("consumer")])
    assert found is not None
    return [one.name for one in found.bars if one.critical]


def test_the_critical_path_goes_through_what_a_task_waited_for() -> None:
    """And so not through the installation, which went on meanwhile."""
    assert critical(QUEUE, TOPIC) == [
        "cluster: Run the node",
        "aws_resources: Apply",
        "Queue work",
        "aws_resources: Wait until all are Ready",
        "playbook: Prove",
    ]


def test_without_anything_waited_for_it_is_the_tasks() -> None:
    assert critical() == [f"{one['phase']}: {one['task']}" for one in TIMINGS["tasks"]]


def test_what_is_of_another_run_is_left_out() -> None:
    before, after = {**QUEUE, "created_at": "2026-01-01T11:00:05Z"}, {**QUEUE, "created_to_ready_seconds": 2500}
    found = timeline(TIMINGS, [before, after, {**QUEUE, "created_at": None}], [])
    assert found is not None
    assert {one.kind for one in found.bars} == {"task"}


def test_an_interrupted_run_says_so() -> None:
    found = timeline({**TIMINGS, "finished": False}, [], [])
    assert found is not None
    assert not found.finished


def test_nothing_recorded_is_no_timeline() -> None:
    assert timeline({}, [], []) is None
    assert timeline({"playbook": "site", "seconds": 3, "tasks": []}, [], []) is None


@given(TASKS, ROWS)
def test_any_run_has_an_end_and_keeps_its_bars(tasks: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    found = timeline({**TIMINGS, "seconds": 200.0, "tasks": tasks}, rows, [])
    assert found is not None
    assert len(found.bars) == len(tasks) + len(rows)
    # A duration may be too small to move a time.
    assert any(one.critical for one in found.bars) or not any(one["seconds"] > 0.1 for one in tasks)
