# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules of kubernetes.core that work on the cluster of their arguments, whatever the environment says.

Their own rules let variables beat a kubeconfig that is given: K8S_AUTH_HOST sends objects, with a token, to another server.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    UndecidedClusterError,
    api_server,
    chosen_cluster,
    cluster_variables,
    own_networks,
    proxy_exception,
)
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import unlogged


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
        else:
            added.update(self._without_remote_variables(task_vars))
        name, arguments = self.delegated(arguments)
        with without_variables():
            return self.performed(lambda: self._perform(name, arguments, added, task_vars))

    def performed(self, perform: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of what is done by this function, which may be called again."""
        return perform()

    def _perform(
        self, name: str, arguments: dict[str, Any], added: Mapping[str, str], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Run the action of this name, and return its result."""
        action = self._shared_loader_obj.action_loader.get(
            name,
            task=self._task_of(name, arguments, added),
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
            collection_list=None,
        )
        if action is None:
            raise AnsibleActionFail(
                f"There is no {name}: the collection kubernetes.core is not installed. "
                "Install it with `ansible-galaxy collection install kubernetes.core`, then run again."
            )
        done: dict[str, Any] = action.run(task_vars=unlogged(task_vars))
        return done

    def delegated(self, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The action that does the work, and its arguments."""
        return f"kubernetes.core.{self._task.action.rpartition('.')[2]}", arguments

    def _task_of(self, name: str, arguments: dict[str, Any], added: Mapping[str, str]) -> Any:
        """The task of that action, whose C(environment) leads to no other cluster."""
        declared = self._task.environment or []
        environment = [
            {key: value for key, value in one.items() if key not in cluster_variables(one)}
            for one in ([declared] if isinstance(declared, Mapping) else declared)
        ]
        task = self._task.copy(exclude_parent=False)
        # Those of play and block are in the task's own already; they are not to be added again.
        task.squash()
        task.action, task.args, task.environment = name, arguments, [*environment, {**added}]
        return task

    def _without_remote_variables(self, task_vars: dict[str, Any] | None) -> dict[str, str]:
        """What the environment needs besides on another machine, where variables can't be taken out: for Helm empty ones are none.

        Raises AnsibleActionFail for those of kubernetes.core, which takes empty ones as they are.
        """
        look = {"gather_subset": ["!all", "!min", "env"]}
        done = self._execute_module("ansible.builtin.setup", look, task_vars=unlogged(task_vars))
        found = sorted(cluster_variables(done.get("ansible_facts", {}).get("ansible_env", {})))
        if refused := [name for name in found if not name.startswith("HELM_")]:
            raise AnsibleActionFail(
                f"On the machine of this task the environment leads to a cluster by {', '.join(refused)}, besides the arguments. "
                "Take it out there, then run again."
            )
        return dict.fromkeys(found, "")


@contextlib.contextmanager
def without_variables() -> Iterator[None]:
    """In here the processes that this one starts have no variables that would lead them elsewhere."""
    taken = {name: os.environ.pop(name) for name in cluster_variables(os.environ)}
    try:
        yield
    finally:
        os.environ.update(taken)


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
