# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a subscription's filter policy lets a message pass, and attributes that make it pass. Pure.

The rules: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html. Answers are True, False, or
None where a rule isn't known here.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import itertools
import operator
import typing as t

Json = dict[str, t.Any]
# A message's attributes: texts, numbers, or lists of them.
Attributes = t.Mapping[str, t.Any]
Answer: t.TypeAlias = "bool | None"

ANY_TEXT = "probe"
COMPARISONS: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(policy: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> Answer:
    """Whether attributes, or a body with objects in objects, meet every key of the policy."""
    return _all(_key_matches(name, rule, values) for name, rule in policy.items())


def satisfying(policy: t.Mapping[str, t.Any], given: Attributes) -> dict[str, t.Any] | None:
    """The given attributes with those added that the policy asks for besides; None if none are found."""
    choices = []
    for name, rule in policy.items():
        if _key_matches(name, rule, given):
            continue
        if name == "$or":
            choices.append([found for one in rule if (found := satisfying(one, given)) is not None])
        elif name not in given:
            choices.append([{name: one} for one in _candidates(rule) if _key_matches(name, rule, {name: one})])
        else:
            return None
    for chosen in itertools.product(*choices):
        attributes = dict(given)
        for one in chosen:
            attributes |= one
        if matches(policy, attributes):
            return attributes
    return None


def unmet(policy: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> list[str]:
    """The policy's keys that keep the message back for certain."""
    return [name for name, rule in policy.items() if _key_matches(name, rule, values) is False]


def _key_matches(name: str, rule: t.Any, values: t.Mapping[str, t.Any]) -> Answer:
    if name == "$or":
        return _any(matches(one, values) for one in rule)
    value = values.get(name)
    if isinstance(rule, dict):  # in a body: an object, or a list of objects
        inner = value if isinstance(value, list) else [value]
        return _any(matches(rule, one if isinstance(one, dict) else {}) for one in inner)
    held = value if isinstance(value, list) else [value] if name in values else []
    return _any(_condition(one, held) for one in (rule if isinstance(rule, list) else [rule]))


def _condition(condition: t.Any, held: list[t.Any]) -> Answer:
    if not isinstance(condition, dict):
        return any(_same(condition, one) for one in held)
    ((kind, operand),) = condition.items() if len(condition) == 1 else ((None, None),)
    if kind == "exists":
        return bool(held) is operand
    if kind not in TESTS:
        return None
    return _any(TESTS[kind](operand, one) for one in held)


def _same(wanted: t.Any, value: t.Any) -> bool:
    """Equal, and of the same kind: to SNS 1 is 1.0, but neither '1' nor true."""
    numbers = _is_number(wanted) and _is_number(value)
    return wanted == value and (numbers or type(wanted) is type(value))


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(test: t.Callable[[str, str], bool]) -> t.Callable[[t.Any, t.Any], Answer]:
    return lambda operand, value: isinstance(value, str) and test(operand, value)


def _anything_but(operand: t.Any, value: t.Any) -> Answer:
    if isinstance(operand, dict):
        inner = _condition(operand, [value])
        return None if inner is None else not inner
    return not any(_same(one, value) for one in (operand if isinstance(operand, list) else [operand]))


def _numeric(operand: list[t.Any], value: t.Any) -> Answer:
    if any(name not in COMPARISONS for name in operand[::2]):
        return None
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return _is_number(value) and all(COMPARISONS[name](value, limit) for name, limit in pairs)


def _cidr(operand: str, value: t.Any) -> Answer:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(operand)
    except ValueError:
        return False


def _wildcard(operand: str, value: str) -> bool:
    """Only the star is special there."""
    return fnmatch.fnmatchcase(value, operand.replace("[", "[[]").replace("?", "[?]"))


TESTS: dict[str | None, t.Callable[[t.Any, t.Any], Answer]] = {
    "prefix": _text(lambda operand, value: value.startswith(operand)),
    "suffix": _text(lambda operand, value: value.endswith(operand)),
    "equals-ignore-case": _text(lambda operand, value: value.lower() == operand.lower()),
    "wildcard": _text(_wildcard),
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}


def _candidates(rule: t.Any) -> t.Iterator[t.Any]:
    """Values worth trying, of which some may not do."""
    for one in rule if isinstance(rule, list) else [rule]:
        if _is_number(one) or isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            for kind, operand in one.items():
                if kind == "numeric":
                    limits = [limit for limit in operand[1::2] if _is_number(limit)]
                    yield from limits
                    yield from (limit + step for limit in limits for step in (1, -1))
                    yield sum(limits) / max(1, len(limits))
                elif kind == "cidr":
                    yield operand.split("/")[0]
                elif isinstance(operand, str) and kind != "anything-but":
                    yield operand.replace("*", "")
    yield ANY_TEXT
    yield f"another-{ANY_TEXT}"


def _any(answers: t.Iterable[Answer]) -> Answer:
    found = list(answers)
    return True if True in found else None if None in found else False


def _all(answers: t.Iterable[Answer]) -> Answer:
    found = list(answers)
    return False if False in found else None if None in found else True
