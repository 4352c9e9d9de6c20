# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Records how long each role took in the state folder's timings.json."""

from __future__ import annotations

DOCUMENTATION = r"""
name: timings
type: aggregate
short_description: Seconds of each phase of a run
version_added: 0.1.0
description:
  - Writes the seconds that each role (phase) of the run has taken so far to a JSON file, after each phase, and the tasks that took longest.
author:
  - localcloud.stack contributors (@localcloud)
options:
  file:
    description: The file. Its folder must exist, or nothing is written.
    type: path
    default: .localcloud/timings.json
    env:
      - name: LOCALCLOUD_TIMINGS
    ini:
      - section: callback_timings
        key: file
"""

import json
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

# Shorter tasks are not listed one by one.
SHOWN_SECONDS = 1.0


class CallbackModule(CallbackBase):
    """Adds up the time between the starts of tasks by the role they belong to; tasks without a role are `playbook`."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "localcloud.stack.timings"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.begin = self.last = time.monotonic()
        self.phase = "playbook"
        self.playbook = ""
        self.task = ""
        self.phases: dict[str, float] = {}
        self.tasks: list[dict[str, Any]] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.playbook = Path(playbook._file_name).stem

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        role = task._role.get_name() if task._role else "playbook"
        self._enter(role.rpartition(".")[2], task.get_name().rpartition(" : ")[2])

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._enter("playbook", "")
        self._write()

    def _enter(self, phase: str, task: str) -> None:
        now = time.monotonic()
        took = now - self.last
        self.phases[self.phase] = self.phases.get(self.phase, 0.0) + took
        if took >= SHOWN_SECONDS and self.task:
            self.tasks.append({"phase": self.phase, "task": self.task, "seconds": round(took, 1)})
        self.last, self.task = now, task
        if phase != self.phase:
            self.phase = phase
            self._write()

    def _write(self) -> None:
        path = Path(self.get_option("file"))
        if path.parent.is_dir():
            document = {
                "playbook": self.playbook,
                "seconds": round(self.last - self.begin, 1),
                "phases": {name: round(value, 1) for name, value in self.phases.items()},
                "tasks": self.tasks,
            }
            path.write_text(json.dumps(document, indent=2) + "\n")
