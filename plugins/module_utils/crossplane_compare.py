# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a declared object differs from what is there, field by field.

Pure: data in, data out. Only declared fields count: what a server fills in by itself is no difference.
"""

from __future__ import annotations

import json
import typing as t

Json = dict[str, t.Any]

# Longest value in a text, in characters.
SHOWN = 60


class Change(t.NamedTuple):
    """One field that differs: its path with dots and [index], what is there, and what is declared (None: nothing)."""

    path: str
    before: t.Any
    after: t.Any

    def __str__(self) -> str:
        return f"{self.path}: {shown(self.before)} -> {shown(self.after)}"


def shown(value: t.Any) -> str:
    """A value in a message: JSON, shortened."""
    text = "nothing" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def differences(declared: t.Any, found: t.Any, path: str = "", observed: bool = False) -> list[Change]:
    """What of the declared value is missing in, or unlike, the found one.

    Texts that hold JSON are compared as JSON. Empty and missing are the same. What was C(observed) in AWS need not have
    every field, and its lists are sets: AWS gives most of them back in an order of its own.
    """
    if _empty(declared) and _empty(found):
        return []
    if isinstance(declared, dict) and isinstance(found, dict):
        return [
            change
            for key, value in declared.items()
            if key in found or not observed
            for change in differences(value, found.get(key), _join(path, key), observed)
        ]
    if isinstance(declared, list) and isinstance(found, list) and len(declared) == len(found):
        pairs = _paired(declared, found) if observed else zip(declared, found, strict=True)
        return [
            change
            for index, (one, other) in enumerate(pairs)
            for change in differences(one, other, f"{path}[{index}]", observed)
        ]
    return [] if _same(declared, found) else [Change(path, found, declared)]


def removed(declared: t.Any, owned: Json, found: t.Any, path: str = "") -> list[Change]:
    """Fields that we applied once (C(owned): a managedFields entry's C(fieldsV1)) and that are declared no more.

    The format of C(owned) is that of sigs.k8s.io/structured-merge-diff: C(f:name) for a field, C(k:{...}) for a list's
    item by its keys, C(v:...) for a set's value.
    """
    changes: list[Change] = []
    for key, below in owned.items():
        if not key.startswith("f:"):
            continue  # items of lists: a list that is declared otherwise differs as a whole already
        name = key.removeprefix("f:")
        here = found.get(name) if isinstance(found, dict) else None
        if not isinstance(declared, dict) or name not in declared:
            if not _empty(here):
                changes.append(Change(_join(path, name), here, None))
        else:
            changes += removed(declared[name], below, here, _join(path, name))
    return changes


def _paired(declared: t.Sequence[t.Any], found: t.Sequence[t.Any]) -> list[tuple[t.Any, t.Any]]:
    """Each declared item with the found one that is most like it."""
    rest = list(found)
    pairs = []
    for one in declared:
        best = min(rest, key=lambda other: len(differences(one, other, observed=True)))
        rest.remove(best)
        pairs.append((one, best))
    return pairs


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _empty(value: t.Any) -> bool:
    """Whether Kubernetes and AWS may leave it out: they give nothing, an empty value or a zero back for each other."""
    return value is None or value is False or (isinstance(value, str | list | dict | int) and not value)


def _same(one: t.Any, other: t.Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _same_document(one, other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _same_document(one: str, other: str) -> bool:
    if not (one.lstrip()[:1] in ("{", "[") and other.lstrip()[:1] in ("{", "[")):
        return False
    try:
        return bool(_plain(json.loads(one)) == _plain(json.loads(other)))
    except ValueError:
        return False


def _plain(document: t.Any) -> t.Any:
    """A policy document as AWS understands it: one value and a list of one are the same, lists are sets."""
    if isinstance(document, dict):
        return {key: _plain(value) for key, value in document.items()}
    if isinstance(document, list):
        items = sorted((_plain(one) for one in document), key=lambda one: json.dumps(one, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return document
