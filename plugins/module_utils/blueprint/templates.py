# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates in a tree of values, each rendered by itself, so that every one that fails is reported with its path. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.messages import join
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError

# A text with a template, and the variables that it may use beside those that the renderer knows. Raises TemplateError.
Render = Callable[[str, Mapping[str, Any]], Any]


class TemplateError(PrintableError):
    """A template can't be rendered; the message says why."""


def resolved(value: Any, path: str, scope: Mapping[str, Any], render: Render, problems: list[str]) -> Any:
    """The value with its templates rendered, those of a map's keys as well. What fails is None, and reported."""
    if isinstance(value, Mapping):
        return {
            _key(key, path, scope, render, problems): resolved(
                one, join(path, [key]).lstrip("."), scope, render, problems
            )
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [resolved(one, join(path, [index]), scope, render, problems) for index, one in enumerate(value)]
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        try:
            return render(value, scope)
        except TemplateError as error:
            problems.append(f"{path}: {error}")
            return None
    return value


def _key(key: Any, path: str, scope: Mapping[str, Any], render: Render, problems: list[str]) -> Any:
    """A map's key, rendered; one that fails is kept as it is, and reported."""
    found = resolved(key, path, scope, render, problems) if isinstance(key, str) else key
    return key if found is None else found
