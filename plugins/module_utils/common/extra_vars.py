# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What -e makes of settings: C(-e name=value) is text, also where a list or a map belongs. Pure."""

from __future__ import annotations

import json
import typing as t

# What a setting must be, the type of it, and what stands for one where the text does not say what was meant.
WANTED: dict[str, tuple[type, t.Callable[[str], t.Any]]] = {
    "list": (list, lambda text: text.replace(",", " ").split()),
    "map": (dict, lambda text: {"<key>": "<value>"}),
}


def text_problem(name: str, value: t.Any, wanted: str) -> str | None:
    """A sentence if a setting is text where a C(list) or C(map) is wanted, with the way to give it; None if it is not."""
    if not isinstance(value, str):
        return None
    example = json.dumps({name: _meant(value, *WANTED[wanted])})
    return f"{name} is a text, but must be a {wanted}. On the command line, give it as -e '{example}'."


def _meant(text: str, wanted: type, guess: t.Callable[[str], t.Any]) -> t.Any:
    """What the text probably means: it may be the JSON of what is wanted."""
    try:
        found = json.loads(text)
    except ValueError:
        return guess(text)
    return found if isinstance(found, wanted) else guess(text)
