# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module of this name of kubernetes.core for the cluster that its arguments name."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import CommandError, run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.supported import helm_modules_problem
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import version_said
from ansible_collections.localcloud.stack.plugins.plugin_utils.kubernetes_core import KubernetesCore


class ActionModule(KubernetesCore):
    """See the module's documentation."""

    def delegated(self, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        # Where it runs elsewhere, Helm is there.
        if self._connection.transport == "local":
            helm = shutil.which(str(arguments.get("binary_path") or "helm"))
            collection = kubernetes_core_version()
            if helm and collection and (problem := helm_modules_problem(helm_says(helm), collection)):
                raise AnsibleActionFail(problem)
        return super().delegated(arguments)


def kubernetes_core_version() -> str | None:
    """The version of kubernetes.core that is installed; None where it is not, or where it is a checkout."""
    try:
        (folder, *_others) = importlib.import_module("ansible_collections.kubernetes.core").__path__
        described = json.loads(Path(folder, "MANIFEST.json").read_text())
    except (ImportError, OSError, ValueError):
        return None
    return str(described["collection_info"]["version"])


def helm_says(program: str) -> str:
    """What a Helm says of its version; nothing where it can't be started."""
    try:
        return version_said(run_command, program)[1]
    except CommandError:
        return ""
