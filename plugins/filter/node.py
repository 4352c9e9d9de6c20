# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which Kubernetes the embedded node can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.node.upgrade import version_problems
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def kubernetes_problems(kubernetes: str, project: str, node: str) -> list[str]:
    """A sentence for what is wrong with a minor version of Kubernetes, and with the way there from what the node runs."""
    return version_problems(Path(project), str(kubernetes), Path(node))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return told.filters({"kubernetes_problems": kubernetes_problems})
