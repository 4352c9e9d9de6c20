# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, where the user reads it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.summary import summary
from ansible_collections.localcloud.stack.plugins.plugin_utils import told

FACTS = {
    "cloud": {"type": "dict", "default": {}},
    "notes": {"type": "list", "elements": "str", "default": []},
    "pods": {"type": "list", "elements": "dict", "required": True},
    "resources": {"type": "list", "elements": "dict", "required": True},
    "tables": {"type": "list", "elements": "dict", "required": True},
    "proofs": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "dict", "required": True},
    "links": {"type": "dict", "required": True},
    "commands": {"type": "dict", "required": True},
}


class ActionModule(told.Action):
    """Print what a run has made and proved. See the module's documentation."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if problem := missing_packages("tabulate"):
            raise AnsibleActionFail(problem)
        facts = self.validate_argument_spec(argument_spec=FACTS)[1]
        text = summary(facts)
        Display().display(f"\n{text}\n")
        return {"changed": False, "text": text}
