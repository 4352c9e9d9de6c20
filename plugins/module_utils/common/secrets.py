# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values among a module's arguments are secrets, by the C(no_log) of its argument spec. Pure."""

from __future__ import annotations

import typing as t

Spec = t.Mapping[str, t.Mapping[str, t.Any]]


def secret_values(argument_spec: Spec, params: object) -> set[str]:
    """The texts and numbers of arguments, and of their suboptions, that are marked C(no_log). The arguments need not be valid."""
    if isinstance(params, list):
        return {secret for one in params for secret in secret_values(argument_spec, one)}
    if not isinstance(params, t.Mapping):
        return set()
    found: set[str] = set()
    for name, option in argument_spec.items():
        for value in (params[one] for one in (name, *option.get("aliases", ())) if one in params):
            found.update(_texts(value) if option.get("no_log") else secret_values(option.get("options") or {}, value))
    return found


def _texts(value: object) -> t.Iterator[str]:
    """All texts and numbers in a value; not those that are empty, and no names in a mapping."""
    if isinstance(value, t.Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
        yield str(value)
