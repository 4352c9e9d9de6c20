# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, where the measurements are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.plugin_utils import told

ENGINES = Path(__file__).resolve().parents[2] / "engines"
ARGUMENTS = {
    "declared": {"type": "dict", "required": True},
    "engine": {"type": "str", "default": ""},
    "version": {"type": "str", "default": ""},
    "strict": {"type": "bool", "default": False},
    "warn": {"type": "bool", "default": True},
}


class ActionModule(told.Action):
    """Warn of what the emulator does not do. See the module's documentation."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        given = self.validate_argument_spec(argument_spec=ARGUMENTS)[1]
        if given["engine"] in ("", "aws") or not any(given["declared"].values()):
            return {"changed": False, "gaps": [], "note": "", "refused": []}
        # Only where there is something to compare.
        from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import gaps, read_known

        try:
            found, note, refused = gaps(given["declared"], given["engine"], given["version"], read_known(ENGINES))
        except (OSError, ValueError) as error:
            raise AnsibleActionFail(
                f"What emulators do can't be read from {ENGINES} ({error}). Install the collection again."
            ) from error
        if given["warn"] and refused:
            raise AnsibleActionFail(
                f"No resource was declared or changed: {' Also: '.join(map(printable, refused))} Take an engine that does it, or leave it out."
            )
        messages = [printable(one) for one in [*([note] if note else []), *(gap.message for gap in found)]]
        if given["strict"] and found:
            raise AnsibleActionFail(
                f"No resource was declared or changed: {' Also: '.join(messages)} Take an engine that does it or leave it out, or set "
                "aws_resources_strict_engine to false, which only warns."
            )
        result = {"changed": False, "gaps": [gap._asdict() for gap in found], "note": note, "refused": refused}
        return {**result, "warnings": messages} if given["warn"] and messages else result
