"""The recorded seconds of each phase."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.localcloud.stack.plugins.callback import timings


class Task:
    def __init__(self, name: str, role: str | None) -> None:
        self.name = name
        self._role = SimpleNamespace(get_name=lambda: role) if role else None

    def get_name(self) -> str:
        return self.name


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    clock = iter([0.0, 1.0, 4.0, 4.5, 10.0])
    monkeypatch.setattr(timings.time, "monotonic", lambda: next(clock))
    callback = timings.CallbackModule()
    path = tmp_path / "timings.json"
    monkeypatch.setattr(callback, "get_option", lambda _: str(path))
    callback.v2_playbook_on_start(SimpleNamespace(_file_name="playbooks/site.yml"))
    callback.v2_playbook_on_task_start(
        Task("localcloud.stack.cluster : Make the node", "localcloud.stack.cluster"), False
    )
    callback.v2_playbook_on_task_start(Task("localcloud.stack.cluster : Look", "localcloud.stack.cluster"), False)
    callback.v2_playbook_on_task_start(Task("Say it", None), False)
    callback.v2_playbook_on_stats(None)
    return json.loads(path.read_text())


def test_seconds_add_up_by_phase(recorded: dict) -> None:
    assert recorded["phases"] == {"playbook": 6.5, "cluster": 3.5}
    assert recorded["seconds"] == 10.0
    assert recorded["playbook"] == "site"


def test_long_tasks_are_listed(recorded: dict) -> None:
    assert recorded["tasks"] == [
        {"phase": "cluster", "task": "Make the node", "seconds": 3.0},
        {"phase": "playbook", "task": "Say it", "seconds": 5.5},
    ]
