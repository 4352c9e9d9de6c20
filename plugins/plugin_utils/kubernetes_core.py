# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules of kubernetes.core that work on the cluster of their arguments, whatever the environment says.

Their own rules let variables beat a kubeconfig that is given: K8S_AUTH_HOST sends objects, with a token, to another server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import new_class
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    CLUSTER_VARIABLES,
    UndecidedClusterError,
    api_server,
    chosen_cluster,
    cluster_variables,
    own_networks,
    proxy_exception,
)
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import unlogged


class WithoutVariables(ActionBase):
    """Goes before an action's class: its module starts without the variables that would lead it elsewhere."""

    # Variables that the module gets besides.
    added: Mapping[str, str]

    def _compute_environment_string(self, raw_environment_out: dict[str, Any] | None = None) -> str:
        """What stands before the module's command: the task's `environment`, and env(1), which alone can unset variables."""
        declared: dict[str, Any] = {}
        prefix = super()._compute_environment_string(declared)
        if raw_environment_out is not None:
            raw_environment_out.clear()
            raw_environment_out.update(declared)
        here = self._connection.transport == "local"
        left_out = cluster_variables({*os.environ, *declared}) if here else CLUSTER_VARIABLES
        words = [f"-u {name}" for name in left_out] + [
            f"{name}={self._connection._shell.quote(value)}" for name, value in self.added.items()
        ]
        return " ".join([prefix, "env", *words]).strip() if words else prefix


class KubernetesCore(ActionBase):
    """Run the module of the same name of kubernetes.core, for the cluster that its arguments name."""

    # Variables that the program of the module gets.
    variables: Mapping[str, str] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments, added = dict(self._task.args), dict(self.variables)
        if self._connection.transport == "local":
            try:
                arguments, near = for_cluster(arguments)
                added.update(near)
            except UndecidedClusterError as error:
                raise AnsibleActionFail(str(error)) from None
        name, arguments = self._delegate(arguments)
        action = self._shared_loader_obj.action_loader.get(name, class_only=True, collection_list=None)
        if action is None:
            raise AnsibleActionFail(
                f"There is no {name}: the collection kubernetes.core is not installed. "
                "Install it with `ansible-galaxy collection install kubernetes.core`, then run again."
            )
        task = self._task.copy(exclude_parent=False)
        task.action, task.args = name, arguments
        # type() would do; pylint takes what it makes for abstract, as it sees only the first of the bases.
        kind = new_class("ActionModule", (WithoutVariables, action), exec_body=lambda body: body.update(added=added))
        done: dict[str, Any] = kind(
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        ).run(task_vars=unlogged(task_vars))
        return done

    def _delegate(self, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The action that does the work, and its arguments."""
        return f"kubernetes.core.{self._task.action.rpartition('.')[2]}", arguments


def for_cluster(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments with the cluster that is meant, and the variables that let its API server be reached.

    Raises UndecidedClusterError.
    """
    chosen = dict(arguments)
    kubeconfig, context = chosen.pop("kubeconfig", None), chosen.pop("context", None)
    if not isinstance(kubeconfig, Mapping):
        kubeconfig, context = chosen_cluster(kubeconfig, context, os.environ)
    given = {"kubeconfig": kubeconfig, "context": context}
    chosen.update({name: value for name, value in given.items() if value})
    return chosen, proxy_exception(api_server(kubeconfig, context), os.environ, own_networks())
