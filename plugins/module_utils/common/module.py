# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module of ours is: its arguments, and C(run(params, check_mode)), which returns its result or raises ModuleError.

A module calls C(run) in a process of its own by C(run_module), an action plugin in Ansible's own process by C(run_here). The result may
have C(warnings), a list of texts.
"""

from __future__ import annotations

import dataclasses
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable_lines
from ansible_collections.localcloud.stack.plugins.module_utils.common.secrets import secret_values
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import unexpected

Json = dict[str, t.Any]
Params = dict[str, t.Any]
Run = t.Callable[[Params, bool], Json]
# The verbosity (-vvv) at which Ansible shows a task's arguments.
INVOCATION_SHOWN = 3


def _none(_params: Params) -> t.Iterable[str]:
    return ()


@dataclasses.dataclass(frozen=True)
class Spec:
    """A module's arguments: the first six as AnsibleModule takes them.

    C(public): values that are no secrets, whatever argument they are given for. C(secrets): those among valid arguments that no C(no_log)
    marks. C(unshown): arguments that -vvv does not show.
    """

    argument_spec: Json
    mutually_exclusive: t.Sequence[t.Sequence[str]] = ()
    required_together: t.Sequence[t.Sequence[str]] = ()
    required_one_of: t.Sequence[t.Sequence[str]] = ()
    required_if: t.Sequence[t.Sequence[t.Any]] = ()
    required_by: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    public: t.AbstractSet[str] = frozenset()
    secrets: t.Callable[[Params], t.Iterable[str]] = _none
    unshown: t.Sequence[str] = ()

    @property
    def rules(self) -> Json:
        """As AnsibleModule and its validator take them; ansible-test allows none that says nothing."""
        names = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
        given = {name: rule for name in names if (rule := getattr(self, name))}
        return {"argument_spec": self.argument_spec, **given}

    def marked(self, params: Params) -> set[str]:
        """The secrets that C(no_log) marks among arguments, which need not be valid."""
        return secret_values(self.argument_spec, params) - self.public

    def all_secrets(self, params: Params) -> set[str]:
        """All secrets among valid arguments."""
        return self.marked(params) | {*self.secrets(params)}

    def shown(self, params: Params) -> Params:
        """What may be shown of arguments."""
        return {name: value for name, value in params.items() if name not in self.unshown}


def outcome(run: Run, params: Params, check_mode: bool, doing: str, secrets: t.Collection[str]) -> Json:
    """What C(run) ends with as a module's result, a failed one where it raises; none of the secrets is in what was not expected."""
    try:
        return {"changed": False, **run(params, check_mode)}
    except ModuleError as error:
        return {"failed": True, "msg": error.message, **error.details}
    except Exception as error:
        return unexpected(error, doing, secrets)


def run_module(spec: Spec, run: Run) -> None:
    """A module's main(): run it with the arguments that Ansible hands to this process, and end the process with its result."""
    module = AnsibleModule(**spec.rules, supports_check_mode=True)
    params = dict(module.params)
    module.params = spec.shown(params)
    secrets = spec.all_secrets(params)
    module.no_log_values.difference_update(spec.public)
    module.no_log_values.update(secrets)
    result = outcome(run, params, module.check_mode, f"The module {_name(run)}", secrets)
    for warning in result.pop("warnings", ()):
        module.warn(printable_lines(warning))
    if result.pop("failed", False) and "exception" not in result:
        module.fail_json(**result)
    # fail_json shows a traceback only where Ansible's settings ask for it; an unexpected error is of no use without.
    module.exit_json(**result, **({"failed": True} if "exception" in result else {}))


def run_here(spec: Spec, run: Run, arguments: Params, check_mode: bool, action: str, verbosity: int) -> Json:
    """A module's result, made in this process. C(arguments): as they are given to the task named C(action)."""
    validated = ArgumentSpecValidator(**spec.rules).validate(arguments)
    params: Params = validated.validated_parameters
    refused = bool(validated.error_messages)
    secrets = spec.marked(params) if refused else spec.all_secrets(params)
    result: Json = (
        {"failed": True, "msg": _refusal(validated, action)}
        if refused
        else outcome(run, params, check_mode, action, secrets)
    )
    if "warnings" in result:
        result["warnings"] = [printable_lines(one) for one in result["warnings"]]
    # A copy of thousands of arguments that is not shown would take longer than the work.
    if verbosity >= INVOCATION_SHOWN:
        result["invocation"] = {"module_args": spec.shown(params)}
    # Looking for no secret at all in thousands of results takes a while, too.
    return t.cast("Json", remove_values(result, secrets)) if secrets else result


def _refusal(validated: t.Any, action: str) -> str:
    """What is wrong with arguments, as AnsibleModule says it."""
    message = printable_lines(validated.error_messages[0])
    unsupported = isinstance(validated.errors[0], UnsupportedError)
    return f"Unsupported parameters for ({action}) module: {message}" if unsupported else message


def _name(run: Run) -> str:
    """The name of a module by its run()."""
    path = vars(sys.modules[run.__module__]).get("__file__") or run.__module__
    return str(path).replace(".py", "").rpartition("/")[2]
