# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What code on the controller did not expect becomes a sentence, as Ansible else prints the error's text alone, such as 'role'."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.plugins.action import ActionBase
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import sentence, unexpected
from jinja2 import TemplateError

Function = Callable[..., Any]


class Action(ActionBase):
    """An action that fails with a sentence, whatever it meets."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            return self.act(task_vars or {})
        except AnsibleError:
            raise
        except Exception as error:
            return unexpected(error, f"The action {self._task.action}")

    @abstractmethod
    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do the work; return the result. Raises AnsibleError."""


def filters(functions: Mapping[str, Function]) -> dict[str, Function]:
    """These filters, by their names, which fail with a sentence, whatever they meet; but for undefined values, which Jinja knows."""
    return {name: _filter(name, function) for name, function in functions.items()}


def _filter(name: str, function: Function) -> Function:
    @functools.wraps(function)
    def filter_told(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except (AnsibleError, TemplateError):
            raise
        except Exception as error:
            raise AnsibleFilterError(sentence(error, f"The filter {name}")) from error

    return filter_told
