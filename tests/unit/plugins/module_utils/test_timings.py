"""The recorded seconds of each phase."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.localcloud.stack.plugins.callback import timings


class Task:
    def __init__(self, name: str, action: str = "localcloud.stack.k8s") -> None:
        self.name = name
        self.action = action

    def get_name(self) -> str:
        return self.name


def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failures: int = 0,
    playbook: str = "playbooks/site.yml",
    **variables: str,
) -> dict:
    """What is written of a run whose play has these variables."""
    clock = iter([0.0, 1.0, 4.0, 4.5, 10.0])
    monkeypatch.setattr(timings.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(timings.context, "CLIARGS", {"args": (playbook,), **timings.context.CLIARGS})
    callback = timings.CallbackModule()
    path = tmp_path / "timings.json"
    monkeypatch.setattr(callback, "get_option", lambda _: str(path))
    callback.v2_playbook_on_start(SimpleNamespace())
    callback.v2_playbook_on_play_start(SimpleNamespace(get_vars=lambda: variables))
    callback.v2_playbook_on_task_start(Task("localcloud.stack.cluster : Make the node"), False)
    callback.v2_playbook_on_task_start(Task("localcloud.stack.cluster : Look"), False)
    callback.v2_playbook_on_task_start(Task("Say it", "summary"), False)
    callback.v2_playbook_on_stats(SimpleNamespace(failures={"localhost": failures} if failures else {}, dark={}))
    return json.loads(path.read_text())


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    return run(tmp_path, monkeypatch)


def test_seconds_add_up_by_phase(recorded: dict) -> None:
    assert recorded["phases"] == {"playbook": 6.5, "cluster": 3.5}
    assert recorded["seconds"] == 10.0
    assert recorded["playbook"] == "site"
    assert datetime.datetime.fromisoformat(recorded["started"]).tzinfo


def test_a_playbook_of_a_collection_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, monkeypatch, playbook="localcloud.stack.verify")["playbook"] == "verify"


def test_long_tasks_are_listed(recorded: dict) -> None:
    assert recorded["tasks"] == [
        {"phase": "cluster", "task": "Make the node", "action": "localcloud.stack.k8s", "begin": 1.0, "seconds": 3.0},
        {"phase": "playbook", "task": "Say it", "action": "summary", "begin": 4.5, "seconds": 5.5},
    ]


def test_a_play_has_its_run_kept_besides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = run(tmp_path, monkeypatch, timings_kept="../up.json")
    assert json.loads((tmp_path / "up.json").read_text()) == recorded


def test_other_plays_and_check_mode_keep_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    monkeypatch.setattr(timings.context, "CLIARGS", {"check": True})
    run(tmp_path, monkeypatch, timings_kept="up.json")
    assert [path.name for path in tmp_path.iterdir()] == ["timings.json"]


def test_a_run_that_failed_did_not_come_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, monkeypatch)["finished"]
    assert not run(tmp_path, monkeypatch, failures=1)["finished"]
