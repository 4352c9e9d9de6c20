# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a queue's policy lets SNS send from a topic, as IAM evaluates policies. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html. What of a request can't be known
from outside, such as its VPC endpoint, leaves a condition open.
"""

from __future__ import annotations

import re
import typing as t

Json = dict[str, t.Any]

ACTION = "sqs:SendMessage"
SERVICE = "sns.amazonaws.com"


class Verdict(t.NamedTuple):
    """Whether the topic may send as far as that is known, what refuses it if not, and what may refuse it all the same."""

    allowed: bool
    refusal: str = ""
    doubts: str = ""


def verdict(policy: Json | None, topic_arn: str, queue_arn: str) -> Verdict:
    """Evaluate a queue's policy for what this topic sends. An open condition of an Allow counts as met, one of a Deny as not met."""
    if not policy:
        return Verdict(False, "has no policy")
    request = _request(topic_arn)
    about = [one for one in _list(policy.get("Statement")) if isinstance(one, dict) and _is_about(one, queue_arn)]
    met = [(one, _holds(one.get("Condition"), request)) for one in about]
    denials = [(one, holds) for one, holds in met if one.get("Effect") == "Deny" and holds is not False]
    allowing = [(one, holds) for one, holds in met if one.get("Effect") == "Allow"]
    for one, holds in denials:
        if holds:
            return Verdict(False, f"has a policy whose {_named(one)} denies it")
    if not any(holds is not False for _one, holds in allowing):
        reasons = "; ".join(f"{_named(one)} asks for {_conditions(one)}" for one, _holds_not in allowing)
        return Verdict(
            False, "has a policy that does not let the topic send" + (f", as its {reasons}" if reasons else "")
        )
    doubts = "; ".join(f"its {_named(one)} denies it under {_conditions(one)}" for one, _open in denials)
    return Verdict(True, doubts=doubts)


def _request(topic_arn: str) -> dict[str, str]:
    """What is known of the request by which a topic sends, by the condition keys in small letters."""
    return {
        "aws:sourcearn": topic_arn,
        "aws:sourceaccount": (topic_arn.split(":") + [""] * 5)[4],
        "aws:securetransport": "true",
        "aws:principalisawsservice": "true",
        "aws:principalservicename": SERVICE,
    }


def _is_about(statement: Json, queue_arn: str) -> bool:
    """Whether a statement is about SNS, sending and this queue, its condition apart."""
    return (
        _matches(statement, "Principal", _to_sns)
        and _matches(statement, "Action", lambda given: _any_like(ACTION.lower(), given, lower=True))
        and (
            not {"Resource", "NotResource"} & statement.keys()
            or _matches(statement, "Resource", lambda given: _any_like(queue_arn, given))
        )
    )


def _matches(statement: Json, element: str, test: t.Callable[[t.Any], bool]) -> bool:
    """Whether the element matches, or its opposite (C(NotAction)) does not."""
    if f"Not{element}" in statement:
        return not test(statement[f"Not{element}"])
    return test(statement.get(element))


def _to_sns(principal: t.Any) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    return "*" in _list(principal.get("AWS")) or bool({SERVICE, "*"} & set(map(str, _list(principal.get("Service")))))


def _holds(condition: t.Any, request: t.Mapping[str, str]) -> bool | None:
    """Whether all tests of a condition are met; None where that depends on what is not known."""
    tests = [
        _test(str(operator), str(key), patterns, request)
        for operator, keys in (condition.items() if isinstance(condition, dict) else [])
        for key, patterns in (keys.items() if isinstance(keys, dict) else [])
    ]
    if False in tests:
        return False
    return None if None in tests else True


def _test(operator: str, key: str, patterns: t.Any, request: t.Mapping[str, str]) -> bool | None:
    name = operator.rpartition(":")[2].lower().removesuffix("ifexists")
    value = request.get(key.lower())
    if value is None:
        return None
    if name == "null":
        return any(str(one).lower() == "false" for one in _list(patterns))
    compare = _COMPARED.get(name.replace("not", "", 1))
    if compare is None:
        return None
    found = any(compare(value, str(one)) for one in _list(patterns))
    return found != ("not" in name)


def _named(statement: Json) -> str:
    return (
        f"statement {statement['Sid']}" if statement.get("Sid") else f"statement with the Effect {statement['Effect']}"
    )


def _conditions(statement: Json) -> str:
    """A statement's tests, in short."""
    return " and ".join(
        f"{operator} of {key} {', '.join(map(str, _list(patterns)))}"
        for operator, keys in statement["Condition"].items()
        for key, patterns in keys.items()
    )


def _any_like(value: str, patterns: t.Any, lower: bool = False) -> bool:
    return any(_like(value, str(one).lower() if lower else str(one)) for one in _list(patterns))


def _like(value: str, pattern: str) -> bool:
    """By IAM's two wildcards, and nothing else that a file's pattern would have."""
    signs = {"*": ".*", "?": "."}
    return re.fullmatch("".join(signs.get(one, re.escape(one)) for one in pattern), value, re.DOTALL) is not None


def _like_arn(value: str, pattern: str) -> bool:
    """Each of an ARN's six parts by itself, so that a wildcard does not go past a colon of the first five."""
    parts, patterns = value.split(":", 5), pattern.split(":", 5)
    return pattern == "*" or (len(parts) == len(patterns) and all(map(_like, parts, patterns)))


def _list(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


# How a value is compared with one of a condition's, by the operator without "Not".
_COMPARED: dict[str, t.Callable[[str, str], bool]] = {
    "arnequals": _like_arn,
    "arnlike": _like_arn,
    "stringequals": lambda value, pattern: value == pattern,
    "stringequalsignorecase": lambda value, pattern: value.lower() == pattern.lower(),
    "stringlike": _like,
    "bool": lambda value, pattern: value == pattern.lower(),
}
