# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, whose main process holds the lock for the whole run."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.localcloud.stack.plugins.module_utils.packages import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.processes import same_process

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil
    from filelock import FileLock


class ActionModule(ActionBase):
    """Refuse to go on while another run works on the same state folder. See the module's documentation."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if problem := missing_packages("filelock", "psutil"):
            raise AnsibleActionFail(problem)
        arguments = self.validate_argument_spec(argument_spec={"folder": {"type": "path", "required": True}})[1]
        folder = Path(arguments["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "run.lock"):
            holder = read_holder(folder / "run.json")
            own = psutil.Process(os.getppid())
            if holder is not None and holder.pid != own.pid:
                raise AnsibleActionFail(
                    f"Another run works on {folder}: process {holder.pid}, `{' '.join(holder.cmdline()[1:])[:120]}`. "
                    "Wait for its end, or stop it with Ctrl-C, then run again."
                )
            (folder / "run.json").write_text(json.dumps({"pid": own.pid, "created": own.create_time()}))
        return {"changed": False, "pid": own.pid}


def read_holder(path: Path) -> psutil.Process | None:
    """The process that the file names, if it is still the same and alive."""
    try:
        held = json.loads(path.read_text())
        return same_process(held["pid"], held["created"])
    except (OSError, ValueError, KeyError):
        return None
