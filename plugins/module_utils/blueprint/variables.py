# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A blueprint's variables: a default each, which an inventory or C(-e) replaces. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import BOOLEANS, short
from ansible_collections.localcloud.stack.plugins.module_utils.common.extra_vars import text_problem
from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import names_secret
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import type_name


class VariableError(PrintableError):
    """A value is not of its default's type; the message says what it must be."""


def typed(name: str, default: Any, given: Any) -> Any:
    """The given value as one of the default's type: C(-e name=value) is always text. Raises VariableError."""
    if default is None:
        return given
    if isinstance(default, bool):
        found = BOOLEANS.get(given.lower()) if isinstance(given, str) else given
        return _wanted(name, found, given, bool, "true or false")
    if isinstance(default, int):
        return _wanted(name, _number(given, int), given, int, "a whole number")
    if isinstance(default, float):
        return float(_wanted(name, _number(given, float), given, (int, float), "a number"))
    if isinstance(default, (list, Mapping)):
        wanted = "list" if isinstance(default, list) else "map"
        if problem := text_problem(name, given, wanted):
            raise VariableError(problem)
        return _wanted(name, given, given, list if wanted == "list" else Mapping, f"a {wanted}")
    return (
        str(given)
        if isinstance(given, (int, float)) and not isinstance(given, bool)
        else _wanted(name, given, given, str, "text")
    )


def _number(given: Any, kind: type) -> Any:
    try:
        return kind(given) if isinstance(given, str) else given
    except ValueError:
        return None


def _wanted(name: str, value: Any, given: Any, kinds: Any, described: str) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        shown = f"{short(given)} is not {described}" if not names_secret(name) else f"must be {described}"
        raise VariableError(shown if isinstance(given, str) else f"must be {described}, not {type_name(given)}")
    return value


def kept(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What may be written to disk of given values."""
    return {name: value for name, value in overrides.items() if not names_secret(name)}


def secret_values(blueprint: Mapping[str, Any]) -> list[str]:
    """The values of the blueprint's variables that are named like secrets."""
    return [
        str(value) for name, value in blueprint["variables"].items() if names_secret(name) and value not in (None, "")
    ]
