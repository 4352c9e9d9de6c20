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
  - A play with the variable C(timings_kept), a file's name, has the same kept in a file of that name next to it, which later runs of other
    playbooks leave as it is. Check mode keeps nothing.
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

import datetime
import json
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

# Shorter tasks are not listed one by one.
SHOWN_SECONDS = 1.0
SUFFIXES = (".yml", ".yaml", ".json")


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
        # Those of the command line that are still to come; a playbook does not say its file's name itself.
        self.playbooks = list(context.CLIARGS.get("args") or ())
        self.task = self.action = ""
        self.started = datetime.datetime.now(datetime.UTC)
        # The name of the file that this run is kept in besides; empty for none.
        self.kept = ""
        self.phases: dict[str, float] = {}
        self.tasks: list[dict[str, Any]] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        file = Path(self.playbooks.pop(0)) if self.playbooks else Path()
        # One of a collection has no suffix, but the collection's name before it.
        self.playbook = file.stem if file.suffix in SUFFIXES else file.name.rpartition(".")[2]

    def v2_playbook_on_play_start(self, play: Any) -> None:
        kept = play.get_vars().get("timings_kept")
        if kept and not context.CLIARGS.get("check"):
            self.kept = Path(str(kept)).name

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        # A role's tasks have its name in front of theirs.
        role, _colon, name = task.get_name().rpartition(" : ")
        self._enter(role.rpartition(".")[2] or "playbook", name, str(task.action))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._enter("playbook", "", "")
        # What failed ended the run before its end.
        self._write(finished=not (stats.failures or stats.dark))

    def _enter(self, phase: str, task: str, action: str) -> None:
        now = time.monotonic()
        took = now - self.last
        self.phases[self.phase] = self.phases.get(self.phase, 0.0) + took
        if took >= SHOWN_SECONDS and self.task:
            begin = round(self.last - self.begin, 1)
            self.tasks.append(
                {
                    "phase": self.phase,
                    "task": self.task,
                    "action": self.action,
                    "begin": begin,
                    "seconds": round(took, 1),
                }
            )
        self.last, self.task, self.action = now, task, action
        if phase != self.phase:
            self.phase = phase
            self._write()

    def _write(self, finished: bool = False) -> None:
        path = Path(self.get_option("file"))
        if path.parent.is_dir():
            document = {
                "playbook": self.playbook,
                "started": self.started.isoformat(timespec="milliseconds"),
                "finished": finished,
                "seconds": round(self.last - self.begin, 1),
                "phases": {name: round(value, 1) for name, value in self.phases.items()},
                "tasks": self.tasks,
            }
            for file in [path, *([path.with_name(self.kept)] if self.kept else [])]:
                file.write_text(json.dumps(document, indent=2) + "\n")
