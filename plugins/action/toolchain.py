# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, so that long builds can say how far they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.localcloud.stack.plugins.module_utils.packages import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, BuildError, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import PartsError

display = Display()


class ActionModule(ActionBase):
    """Make sure that parts of the embedded node are built. See the module's documentation."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if problem := missing_packages("filelock", "yaml"):
            raise AnsibleActionFail(problem)
        arguments = self.validate_argument_spec(
            argument_spec={
                "project": {"type": "path", "required": True},
                "parts": {"type": "list", "elements": "str", "required": True},
                "cache": {"type": "path"},
            }
        )[1]
        cache = Cache(Path(arguments["cache"]) if arguments["cache"] else default_root())
        try:
            inventory = Inventory.read(Path(arguments["project"]))
            builder = Builder(inventory, cache, lambda line: display.display(f"  toolchain: {printable(line)}"))
            missing = builder.missing(arguments["parts"])
            if self._task.check_mode and missing:
                return {"changed": True, "missing": missing, "parts": {}, "versions": versions(inventory)}
            # What is built here is read in images by other users; the process is this task's own.
            os.umask(0o022)
            results = builder.require(arguments["parts"])
        except (BuildError, PartsError, OSError) as error:
            raise AnsibleActionFail(str(error)) from error
        return {
            "changed": bool(missing),
            "missing": missing,
            "parts": {
                result.name: {"path": str(result.path), "digest": result.digest, "image": result.image}
                for result in results.values()
            },
            "versions": versions(inventory),
        }


def versions(inventory: Inventory) -> dict[str, str]:
    """The pinned version of each part that has one."""
    return {name: part.spec["version"] for name, part in inventory.parts.items() if "version" in part.spec}
