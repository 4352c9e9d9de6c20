# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that run in the process that Ansible has for the task anyway.

A module otherwise gets a Python of its own, which spends most of its second on importing Ansible, boto3 and the Kubernetes
client, and on reading botocore's descriptions of services. The main process imports this file when it looks the action up, so
that all this is there in every task's process.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import read_ahead
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import run_here
from ansible_collections.localcloud.stack.plugins.plugin_utils.main_process import kept, load_for_templates
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain, unlogged

with kept(), contextlib.suppress(ImportError):  # the modules say what is not there
    importlib.import_module("kubernetes.dynamic")
load_for_templates()

# The variable that has all of them run as any module, if it is false.
SWITCH = "localcloud_in_process"
# Services whose descriptions nearly every look into AWS needs.
READ_AHEAD = ("dynamodb", "sns", "sqs", "sts")


class InProcess(ActionBase):
    """Run the module of the same name here where it would run on this machine, by this Python; else as any module."""

    # By the module in a process of its own.
    _supports_async = True
    # Whether all that is done here is to look, in check mode, whether there is anything to do. What is to outlive a playbook
    # that is stopped, or takes long, is better done by a process of its own.
    looks_only = False
    # Whether it asks AWS, so that descriptions of services are read ahead.
    talks_to_aws = False
    module: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # By the main process, so that the tasks' own need not.
        with kept():
            cls.module = importlib.import_module(cls.__module__.replace(".action.", ".modules."))
            if cls.talks_to_aws and not missing_packages("boto3"):
                # The module says itself what is wrong with AWS's configuration on this machine.
                with contextlib.suppress(AwsError):
                    read_ahead(READ_AHEAD)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._at_home(task_vars or {}):
            here = self._run_here(self.looks_only or self._task.check_mode)
            if not self.looks_only or self._task.check_mode or not (here.get("changed") or here.get("failed")):
                return {**result, **here}
        executed = self._execute_module(task_vars=unlogged(task_vars), wrap_async=self._task.async_val)
        return {**result, **executed}

    def _run_here(self, check_mode: bool) -> dict[str, Any]:
        module, verbosity = self.module, self._display.verbosity
        return run_here(module.SPEC, module.run, plain(self._task.args), check_mode, self._task.action, verbosity)

    def _at_home(self, task_vars: Mapping[str, Any]) -> bool:
        on = self._templar.template(task_vars.get(SWITCH, True))
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        return (
            boolean(on)
            and self._connection.transport == "local"
            and not self._task.async_val
            and self._connection.become is None
            and not any(self._task.environment or [])
            and self._templar.template(task_vars.get("ansible_python_interpreter")) == sys.executable
        )
