# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that run in the process that Ansible has for the task anyway.

A module otherwise gets a Python of its own, which spends most of its second on importing Ansible, boto3 and the Kubernetes
client, and on reading botocore's descriptions of services. The main process imports this file when it looks the action up, so
that all this is there in every task's process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.release import __version__
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import read_ahead
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable_lines
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import unexpected
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain, unlogged

# So many more objects than at the last time make Python look for garbage again; 700 by default, which lists of thousands of
# resources pass all the time without any garbage among them. These are about 20 MiB.
NEW_OBJECTS = 100_000


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is made in here stays: no garbage is looked for among it, neither here nor by the tasks' own processes.

    Each of these would else copy all of its memory as soon as it collects garbage.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS)
        gc.enable()


with kept(), contextlib.suppress(ImportError):  # the modules say what is not there
    importlib.import_module("kubernetes.dynamic")

# Before, values of a vault came encrypted to the action.
OLDEST_CORE = (2, 19)
# The verbosity (-vvv) at which Ansible shows a task's arguments.
INVOCATION_SHOWN = 3
# Services whose descriptions nearly every look into AWS needs.
READ_AHEAD = ("dynamodb", "sns", "sqs", "sts")


class Ended(BaseException):
    """A module's result; no module catches it."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def module_class(arguments: Mapping[str, Any]) -> type[AnsibleModule]:
    """An AnsibleModule that takes these arguments and ends with Ended instead of ending the process."""

    class Module(AnsibleModule):
        def _load_params(self) -> None:
            self.params = dict(arguments)
            self.said: list[str] = []

        def warn(self, warning: str) -> None:
            self.said.append(printable_lines(warning))

        def exit_json(self, **result: Any) -> NoReturn:
            shown = dict(result)
            # Of thousands of arguments a copy for nobody would take longer than the work.
            if self._verbosity >= INVOCATION_SHOWN:
                shown["invocation"] = {"module_args": self.params}
            if self.said:
                shown["warnings"] = self.said
            # Looking for no secret at all in thousands of results takes a while, too.
            raise Ended(remove_values(shown, self.no_log_values) if self.no_log_values else shown)

        def fail_json(self, msg: str, **result: Any) -> NoReturn:
            self.exit_json(failed=True, msg=printable_lines(msg), **result)

    return Module


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
        internal = {
            "_ansible_check_mode": check_mode,
            "_ansible_diff": self._task.diff,
            "_ansible_verbosity": self._display.verbosity,
            # Else the module writes its arguments into the system's log, where any of them may hold a secret.
            "_ansible_no_log": True,
        }
        self.module.AnsibleModule = module_class({**plain(self._task.args), **internal})
        try:
            self.module.main()
        except Ended as ended:
            return ended.result
        except Exception as error:
            return unexpected(error, self._task.action)
        return unexpected(RuntimeError("it ended without a result"), self._task.action)

    def _at_home(self, task_vars: Mapping[str, Any]) -> bool:
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        return (
            tuple(int(part) for part in __version__.split(".")[:2]) >= OLDEST_CORE
            and self._connection.transport == "local"
            and not self._task.async_val
            and self._connection.become is None
            and not any(self._task.environment or [])
            and self._templar.template(task_vars.get("ansible_python_interpreter")) == sys.executable
        )
