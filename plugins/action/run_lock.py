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
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.common.processes import same_process
from ansible_collections.localcloud.stack.plugins.plugin_utils import told

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil
    from filelock import FileLock


class ActionModule(told.Action):
    """Refuse to go on while another run works on the same state folder. See the module's documentation."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
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
                    f"Another run works on {folder}: process {holder.pid}{playbooks(holder)}. "
                    "Wait for its end, or stop it with Ctrl-C, then run again."
                )
            (folder / "run.json").write_text(json.dumps({"pid": own.pid, "created": own.create_time()}))
        return {"changed": False, "pid": own.pid}


def playbooks(process: psutil.Process) -> str:
    """Which playbooks a run of Ansible works on; nothing else of its command line, which may hold secrets (C(-e password=…))."""
    with contextlib.suppress(psutil.Error):
        names = [one for one in process.cmdline()[1:] if one.endswith((".yml", ".yaml")) and one[0] not in "-@"]
        return printable(f" ({', '.join(names)})") if names else ""
    return ""


def read_holder(path: Path) -> psutil.Process | None:
    """The process that the file names, if it is still the same and alive."""
    try:
        held = json.loads(path.read_text())
        return same_process(held["pid"], held["created"])
    except (OSError, ValueError, KeyError):
        return None
