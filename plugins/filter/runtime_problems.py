# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the Ansible that runs. In a file of its own, which any Ansible and Python can read."""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common import supported
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def runtime_problems(core: str) -> list[str]:
    """What is wrong with this version of ansible-core and with the Python that runs it."""
    return supported.runtime_problems(str(core), tuple(sys.version_info[:2]))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters({"runtime_problems": runtime_problems})
