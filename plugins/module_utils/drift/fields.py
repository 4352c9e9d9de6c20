# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a declared object differs from what is there, field by field.

Pure: data in, data out. Only declared fields count: what a server fills in by itself is not a difference. Where a kind's rules
say that it owns a list or a map as a whole, what is there besides is a difference, too.
"""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ADOPTED_AS, DELETED
from ansible_collections.localcloud.stack.plugins.module_utils.aws.policies import same_policy
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.comparison import NOTHING, Rule
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Json = dict[str, t.Any]
Rules = t.Mapping[str, Rule]

# Longest value in a text, in characters.
SHOWN = 60
# Of a field that no rule knows.
UNKNOWN = Rule("unknown")
NO_JSON = object()
SCALARS = frozenset((str, int, bool, float))
# Where a managed resource says what is to be in AWS.
PARAMETERS = "spec.forProvider"
HTTPS = "https://"


class Change(t.NamedTuple):
    """One field that differs: its path with dots and [index], what is there, and what is declared (None: nothing)."""

    path: str
    before: t.Any
    after: t.Any

    def __str__(self) -> str:
        return f"{printable(self.path)}: {shown(self.before)} -> {shown(self.after)}"


def parameters_of(obj: Json) -> Json:
    """What a managed resource declares of what is to be in AWS (C(spec.forProvider)); nothing for other objects."""
    return (obj.get("spec") or {}).get("forProvider") or {}


def shown(value: t.Any) -> str:
    """A value in a message: JSON, shortened."""
    text = "nothing" if value is None else printable(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


class View(t.NamedTuple):
    """How values are looked at.

    rules: those of a kind for the fields of its C(spec.forProvider). observed: what was found is what AWS or the provider
    says: it need not have every field, and its lists are sets unless a rule says otherwise, as AWS gives most of them back in
    an order of its own. exact: false, zero and an empty text are not the same as nothing.
    """

    rules: Rules = NOTHING
    observed: bool = False
    exact: bool = False

    def rule(self, field: str) -> Rule:
        return self.rules.get(field, UNKNOWN)

    def nothing(self, value: t.Any) -> bool:
        return _nothing(value, zeros=not self.exact)


def differences(
    declared: t.Any,
    found: t.Any,
    path: str = "",
    observed: bool = False,
    rules: Rules | None = None,
    exact: bool = False,
) -> list[Change]:
    """What of the declared value is missing in, or unlike, the found one; C(View) has the ways of looking at them.

    An empty list or map and a missing one are the same.
    """
    return _differences(declared, found, path, "", View(rules or NOTHING, observed, exact))


def _differences(declared: t.Any, found: t.Any, path: str, field: str, view: View) -> list[Change]:
    rule = view.rule(field)
    if rule.how == "tags" and isinstance(declared, dict | None) and isinstance(found, dict | None):
        return _tag_differences(declared or {}, found or {}, path)
    if rule.how == "map" and isinstance(declared, dict | None) and isinstance(found, dict | None):
        return _map_differences(declared or {}, found or {}, path)
    if isinstance(declared, dict) and view.observed and isinstance(found, list) and len(found) == 1:
        found = found[0]  # a block that may be there once is a map in the namespaced kinds
    if isinstance(declared, dict) and isinstance(found, dict):
        return [
            change
            for key, value in declared.items()
            if not _same_scalar(value, there := found.get(key)) and (key in found or not view.observed)
            for change in _differences(value, there, _join(path, key), _join(field, key), view)
        ]
    if view.nothing(declared) and view.nothing(found):
        return []
    if isinstance(declared, list) and isinstance(found, list) and len(declared) == len(found):
        ordered = not view.observed or rule.how == "ordered"
        pairs = zip(declared, found, strict=True) if ordered else _paired(declared, found, field, view)
        return [
            change
            for index, (one, other) in enumerate(pairs)
            for change in _item_differences(one, other, f"{path}[{index}]", field, view)
        ]
    return [] if _same(declared, found, rule, view.observed) else [Change(path, found, declared)]


def _same_scalar(one: t.Any, other: t.Any) -> bool:
    """The case of nearly all fields, without looking at what a field is."""
    return one.__class__ is other.__class__ and one.__class__ in SCALARS and bool(one == other)


def _item_differences(declared: t.Any, found: t.Any, path: str, field: str, view: View) -> list[Change]:
    """The same for an item of a list; where the kind owns the list, its items have nothing else."""
    changes = _differences(declared, found, path, field, view)
    rule = view.rule(field)
    if rule.how == "items" and isinstance(declared, dict) and isinstance(found, dict):
        changes += _besides(declared, found, path, rule)
    return changes


def _besides(declared: Json, found: Json, path: str, rule: Rule) -> list[Change]:
    """What a map has that is not declared, but for what has no meaning and what others add."""
    return [
        Change(_join(path, name), value, None)
        for name, value in found.items()
        if name not in declared and name not in rule.computed and not _meaningless(value)
    ]


def _meaningless(value: t.Any) -> bool:
    """Whether a value says no more than its absence: also a list of maps without values."""
    if isinstance(value, dict):
        return all(_meaningless(one) for one in value.values())
    if isinstance(value, list):
        return all(_meaningless(one) for one in value)
    return _nothing(value, zeros=True)


def _tag_differences(declared: Json, found: Json, path: str) -> list[Change]:
    """Tags differ by each that is declared. Others may add theirs in AWS, which the provider leaves there, too."""
    return [
        Change(_join(path, key), found.get(key), value)
        for key, value in declared.items()
        if key not in found or found[key] != value
    ]


def _map_differences(declared: Json, found: Json, path: str) -> list[Change]:
    """A map that the kind owns differs by what is declared, and by what is there besides."""
    besides = [Change(_join(path, key), value, None) for key, value in found.items() if key not in declared]
    return [*_tag_differences(declared, found, path), *besides]


def besides(declared: Json, found: Json, rules: Rules) -> list[Change]:
    """Fields of C(spec.forProvider) that are not declared, and have another value than AWS gives by itself."""
    return [
        Change(name, value, None)
        for name, value in found.items()
        if name not in declared
        and name not in (ADOPTED_AS, DELETED)
        and rules.get(name, UNKNOWN).how != "tags"
        and not _meaningless(value)
        and value != rules.get(name, UNKNOWN).cleared
    ]


def removed(declared: t.Any, owned: Json, found: t.Any, path: str = "") -> list[Change]:
    """What we applied once (C(owned): a managedFields entry's C(fieldsV1)) and is no longer declared.

    The format of C(owned) is that of sigs.k8s.io/structured-merge-diff: C(f:name) for a field, C(k:{...}) for a list's
    item by its keys, C(v:...) for a set's value. What we own as a whole has nothing besides what is declared.
    """
    changes: list[Change] = []
    for key, below in owned.items():
        kind, _colon, text = key.partition(":")
        if kind == "f":
            here = found.get(text) if isinstance(found, dict) else None
            if here.__class__ in SCALARS and isinstance(declared, dict) and text in declared:
                continue  # a value, which is compared
            changes += _removed_field(declared, text, below, here, _join(path, text))
        elif kind == "k":
            changes += _removed_item(declared, json.loads(text), below, found, path)
        elif kind == "v":
            value = json.loads(text)
            if value in _list(found) and value not in _list(declared):
                changes.append(Change(f"{path}[{_list(found).index(value)}]", value, None))
    return changes


def _removed_field(declared: t.Any, name: str, below: Json, here: t.Any, path: str) -> list[Change]:
    parameter = path.startswith(PARAMETERS)
    if _nothing(here, zeros=not parameter):
        return []
    present = isinstance(declared, dict) and name in declared
    if any(one != "." for one in below):
        return removed(declared[name] if present else None, below, here, path)
    if not present:
        return [Change(path, here, None)]
    # Elsewhere the API server puts defaults into what is ours; of an empty map only the map itself is ours.
    return _whole(declared[name], here, path) if parameter and isinstance(here, list) else []


def _removed_item(declared: t.Any, keys: Json, below: Json, found: t.Any, path: str) -> list[Change]:
    """An item of a list whose items are known by these keys."""
    # A key that is not declared has the server's default.
    mine, there = _item(declared, keys, partly=True), _item(found, keys)
    if there is None:
        return []
    index, here = there
    place = f"{path}[{index}]"
    if mine is None:
        return [Change(place, here, None)]
    # Its keys say which one it is.
    rest = {name: one for name, one in below.items() if name.partition(":")[2] not in keys}
    return removed(mine[1], rest, here, place)


def _whole(declared: t.Any, found: t.Any, path: str) -> list[Change]:
    """What is in a value, which is ours as a whole, beyond what is declared."""
    if isinstance(declared, dict) and isinstance(found, dict):
        besides = _besides(declared, found, path, UNKNOWN)
        return besides + [
            change
            for name in declared
            if name in found
            for change in _whole(declared[name], found[name], _join(path, name))
        ]
    if isinstance(declared, list) and isinstance(found, list) and len(declared) == len(found):
        return [
            change
            for index, (one, other) in enumerate(zip(declared, found, strict=True))
            for change in _whole(one, other, f"{path}[{index}]")
        ]
    return []


def _item(items: t.Any, keys: Json, partly: bool = False) -> tuple[int, Json] | None:
    """The item with these keys, or at will with those of them that it has, and its index."""
    for index, one in enumerate(_list(items)):
        if isinstance(one, dict) and all(
            one.get(name, value if partly else None) == value for name, value in keys.items()
        ):
            return index, one
    return None


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def without_repeats(changes: t.Iterable[Change]) -> list[Change]:
    """Each path once, without what is within a change of the whole."""
    kept: dict[str, Change] = {}
    for change in changes:
        kept.setdefault(change.path, change)
    return [
        change
        for path, change in kept.items()
        if not any(path[:end] in kept for end, sign in enumerate(path) if sign in ".[")
    ]


def _paired(declared: t.Sequence[t.Any], found: t.Sequence[t.Any], field: str, view: View) -> list[tuple[t.Any, t.Any]]:
    """Each declared item with the found one of the same key, or else that is most like it."""
    rest = list(found)
    key = view.rule(field).key
    pairs = []
    for one in declared:
        best = _of_same_key(one, rest, key) if key else None
        if best is None:
            best = min(rest, key=lambda other: len(_item_differences(one, other, "", field, view)))
        rest.remove(best)
        pairs.append((one, best))
    return pairs


def _of_same_key(one: t.Any, others: t.Iterable[t.Any], key: str) -> t.Any:
    name = one.get(key) if isinstance(one, dict) else None
    return next((other for other in others if name and isinstance(other, dict) and other.get(key) == name), None)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _nothing(value: t.Any, zeros: bool) -> bool:
    """Whether a value is the same as none: an empty list or map, and at will false, zero and an empty text."""
    if value is None or (isinstance(value, list | dict) and not value):
        return True
    return zeros and isinstance(value, str | int | float) and not value


def _same(one: t.Any, other: t.Any, rule: Rule, observed: bool) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str | None) and isinstance(other, str | None):
        return one == other or _same_text(one or "", other or "", rule, observed)
    return bool(one == other)


def _same_text(one: str, other: str, rule: Rule, observed: bool) -> bool:
    """Whether texts that hold documents mean the same.

    Of a field without a rule, only what was observed counts as JSON: the server may have written it in another form.
    """
    if rule.how == "url":
        return one.removeprefix(HTTPS) == other.removeprefix(HTTPS)
    if rule.how not in ("policy", "json", "redrive") and not (observed and rule is UNKNOWN and _holds_json(one)):
        return False
    first, second = _parsed(one), _parsed(other)
    if first is NO_JSON or second is NO_JSON:
        return False
    if rule.how == "policy" and (same := same_policy(first, second)) is not None:
        return same
    return _plain(first, rule.how) == _plain(second, rule.how)


def _holds_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> t.Any:
    """What a JSON text holds; none is an empty document."""
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return NO_JSON


def _plain(document: t.Any, how: str) -> t.Hashable:
    """A document in a form that keeps its values' types: to Python 1 is true."""
    if isinstance(document, dict):
        return frozenset((key, _plain(value, how)) for key, value in document.items())
    if isinstance(document, list):
        return tuple(_plain(one, how) for one in document)
    if how == "redrive" and isinstance(document, str) and document.isdecimal():
        document = int(document)
    return ("number", document) if _is_number(document) else (type(document).__name__, document)


def _is_number(value: t.Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
