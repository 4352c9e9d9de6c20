# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two policy documents mean the same to AWS. Pure.

The equivalences are those that C(compare_policies) of amazon.aws knows, from the IAM user guide's reference of policy
elements (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html):

- one value and a list of one; the order of values and of statements; values and statements that are there twice
- a boolean or a number and its text
- an account's number and the ARN of its root, C("*") and C({"AWS": "*"}) as principals
- the case of actions, and of the names of condition keys
- the default version, an empty C(Sid)
"""

from __future__ import annotations

import json
import re
import typing as t

# What AWS takes a document without a version for.
DEFAULT_VERSION = "2008-10-17"
ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
PRINCIPALS = ("Principal", "NotPrincipal")
ACTIONS = ("Action", "NotAction")

Canonical = t.Hashable


def same_policy(one: t.Any, other: t.Any) -> bool | None:
    """Whether two parsed documents are equivalent; None where one of them is not a policy document."""
    first, second = canonical(one), canonical(other)
    return None if first is None or second is None else first == second


def canonical(document: t.Any) -> Canonical | None:
    """One form for all documents that mean the same; None for what is not a policy document."""
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), dict | list):
        return None
    statements = _listed(document["Statement"])
    if not all(isinstance(one, dict) for one in statements):
        return None
    return (
        _text(document.get("Version") or DEFAULT_VERSION),
        _text(document.get("Id") or ""),
        frozenset(_statement(one) for one in statements),
        frozenset((name, _loose(value)) for name, value in document.items() if name not in ("Version", "Id", "Statement")),
    )  # fmt: skip


def _statement(statement: dict[str, t.Any]) -> Canonical:
    return frozenset(
        (name, _element(name, value)) for name, value in statement.items() if not (name == "Sid" and value == "")
    )


def _element(name: str, value: t.Any) -> Canonical:
    if name in PRINCIPALS:
        return _principal(value)
    if name in ACTIONS:
        return frozenset(one.lower() for one in _texts(value))
    if name == "Condition" and isinstance(value, dict):
        return frozenset((operator, _condition(tests)) for operator, tests in value.items())
    return _loose(value)


def _principal(value: t.Any) -> Canonical:
    if not isinstance(value, dict):
        value = {"AWS": value} if value == "*" else {"": value}
    return frozenset((kind, frozenset(_account(one) for one in _texts(named))) for kind, named in value.items())


def _account(principal: str) -> str:
    found = ROOT.fullmatch(principal)
    return found[1] if found else principal


def _condition(tests: t.Any) -> Canonical:
    if not isinstance(tests, dict):
        return _loose(tests)
    return frozenset((key.lower(), _texts(value)) for key, value in tests.items())


def _texts(value: t.Any) -> frozenset[str]:
    return frozenset(_text(one) for one in _listed(value))


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _loose(value: t.Any) -> Canonical:
    """Any other element: maps by key, lists as sets, one value as a list of one."""
    if isinstance(value, dict):
        return frozenset((name, _loose(one)) for name, one in value.items())
    return _texts(value)


def _listed(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else [value]
