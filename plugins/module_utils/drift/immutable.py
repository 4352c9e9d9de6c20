# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which fields of AWS resources are immutable once the resource is made.

Pure. The provider refuses to change them, minutes later and again and again: Terraform would replace the resource.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import IMMUTABLE
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import Change, Json, differences

PARAMETER = re.compile(r"spec\.forProvider\.(\w+)")
# What is in one region can't be moved into another.
REGION = "region"


def immutable_changes(obj: Json, live: Json, changes: t.Iterable[tuple[str, Change]]) -> set[str]:
    """Paths of those changes that AWS has no way to make, as the resource is there with another value.

    C(changes) come with where they are: in the object's spec, or outside it, where AWS or the provider says what is there. Of
    the spec's, C(live) says so in C(status.atProvider). A field that this does not tell is immutable if it is new in the
    declaration; if it was another there, it is unknown whether that one was ever made.
    """
    names = IMMUTABLE.get(kind_of(obj), frozenset())
    actual = (live.get("status") or {}).get("atProvider") or {}
    return {
        change.path
        for where, change in changes
        if (
            _is_immutable(change, names, obj, actual)
            if where == "spec"
            else re.split(r"[.\[]", change.path)[0] in names
        )
    }


def _is_immutable(change: Change, names: t.Collection[str], obj: Json, actual: Json) -> bool:
    found = PARAMETER.match(change.path)
    if not found or not actual:
        return False
    if found[1] == REGION:
        return change.before is not None and change.after is not None
    return found[1] in names and _is_another(found[1], change, obj, actual)


def _is_another(name: str, change: Change, obj: Json, actual: Json) -> bool:
    if name not in actual:
        return change.before is None
    declared = ((obj.get("spec") or {}).get("forProvider") or {}).get(name)
    return bool(differences(declared, actual[name], observed=True))
