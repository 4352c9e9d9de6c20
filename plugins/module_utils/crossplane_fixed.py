# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which fields of AWS resources are fixed once the resource is made.

Pure. The provider refuses to change them, minutes later and again and again: Terraform would replace the resource.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import IMMUTABLE
from ansible_collections.localcloud.stack.plugins.module_utils.aws_things import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_compare import Change, Json, differences

PARAMETER = re.compile(r"spec\.forProvider\.(\w+)")


def fixed_changes(obj: Json, live: Json, changes: t.Iterable[Change]) -> set[str]:
    """Paths of those changes that AWS has no way to make, as the resource is there with another value.

    C(live) says in C(status.atProvider) what is there. A field that this does not tell is fixed if it is new in the
    declaration; if it was another there, nobody knows whether that one was ever made.
    """
    names = IMMUTABLE.get(kind_of(obj), frozenset())
    actual = (live.get("status") or {}).get("atProvider") or {}
    if not names or not actual:
        return set()
    return {
        change.path
        for change in changes
        if (found := PARAMETER.match(change.path)) and found[1] in names and _is_another(found[1], change, obj, actual)
    }


def _is_another(name: str, change: Change, obj: Json, actual: Json) -> bool:
    if name not in actual:
        return change.before is None
    declared = ((obj.get("spec") or {}).get("forProvider") or {}).get(name)
    return bool(differences(declared, actual[name], observed=True))
