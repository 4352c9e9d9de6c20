# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs kubectl as a command, for the cluster that its arguments name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.localcloud.stack.plugins.plugin_utils.kubernetes_core import KubernetesCore


class ActionModule(KubernetesCore):
    """See the module's documentation."""

    # What the user has kubectl's commands do otherwise, in ~/.kube/kuberc, is not for ours.
    variables: Mapping[str, str] = {"KUBERC": "off"}

    def delegated(self, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        unknown = {*arguments} - {"binary", "arguments", "kubeconfig", "context"}
        if unknown or not isinstance(arguments.get("arguments"), list):
            raise AnsibleActionFail(
                f"kubectl takes kubeconfig, context, binary and the list arguments, but got {', '.join(sorted(arguments))}."
            )
        where = [f"--{name}={arguments[name]}" for name in ("kubeconfig", "context") if arguments.get(name)]
        argv = [arguments.get("binary") or "kubectl", *where, *arguments["arguments"]]
        return "ansible.builtin.command", {"argv": [str(word) for word in argv]}
