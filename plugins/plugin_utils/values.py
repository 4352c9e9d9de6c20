# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that Ansible has marked with where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """A copy of Ansible's own containers and tagged values as Python's."""
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    native = next((kind for kind in (str, int, float) if isinstance(value, kind) and not isinstance(value, bool)), None)
    return native(value) if native else value


def unlogged(task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
    """The task's variables with which its module writes no arguments into the system's log, where some may hold secrets."""
    return {**(task_vars or {}), "ansible_no_target_syslog": True}
