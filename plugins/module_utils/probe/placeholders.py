# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(${name}) in a proof's texts: which values are asked for, and the text with them. Pure.

C($${name}) stands for C(${name}) itself.
"""

from __future__ import annotations

import json
import re
import typing as t

_PATTERN = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[^}]*)\}|\$\{")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def names_in(value: t.Any) -> set[str]:
    """The names that any text in the value asks for, keys of maps among them.

    What begins like one and is none, such as C(${) or C(${a b}), counts by its text.
    """
    if isinstance(value, str):
        found = (one for one in _PATTERN.finditer(value) if not one["escaped"])
        return {one["name"] if one["name"] is not None else one[0] for one in found}
    if isinstance(value, dict):
        return {name for pair in value.items() for one in pair for name in names_in(one)}
    if isinstance(value, list):
        return {name for one in value for name in names_in(one)}
    return set()


def filled(value: t.Any, values: t.Mapping[str, t.Any]) -> t.Any:
    """The value with what its texts ask for. A text that is nothing but C(${name}) becomes the value itself, with its type.

    Raises KeyError for a name without a value.
    """
    if isinstance(value, str):
        whole = _PATTERN.fullmatch(value)
        if whole and whole["name"] is not None:
            return values[whole["name"]]
        return text_filled(value, values)
    if isinstance(value, dict):
        return {text_filled(str(key), values): filled(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, values) for one in value]
    return value


def text_filled(text: str, values: t.Mapping[str, t.Any]) -> str:
    """As filled(), but always a text. Raises KeyError for a name without a value."""
    return _PATTERN.sub(lambda one: "${" if one["escaped"] else as_text(values[one["name"]]), text)


def as_text(value: t.Any) -> str:
    """A value within a text: JSON, but for texts."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
