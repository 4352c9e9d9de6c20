# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References between managed resources that the provider has not resolved yet.

Pure. Crossplane keeps what a reference became until it reconciles the object again; until then its conditions, and AWS, still
speak of the resource that was referred to before.
"""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import EXTERNAL_NAME
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import Change, Json, parameters_of

SUFFIX = "Ref"
# The kind (service/Kind), namespace (None: cluster-scoped) and name of an object.
Key = tuple[str, "str | None", str]


def unresolved(declared: Json, live: Json, others: t.Mapping[Key, Json]) -> list[Change]:
    """The fields of C(live) that do not have what their reference in C(declared) names.

    C(others): the cluster's objects. A resource that AWS has not named yet is waited for anyway, and one that is not among them
    can't be compared.
    """
    kind = BY_KEY.get(kind_of(declared))
    parameters = parameters_of(live)
    changes = []
    for name, reference in parameters_of(declared).items():
        if kind is None or not name.endswith(SUFFIX) or not isinstance(reference, dict):
            continue
        field = name.removesuffix(SUFFIX)
        space = reference.get("namespace", live["metadata"].get("namespace"))
        found = [others.get((one, space, reference.get("name", ""))) for one in kind.refers_to]
        values = [_values(one) for one in found if one]
        if values and all(values) and not any(parameters.get(field) in one for one in values):
            changes.append(Change(field, parameters.get(field), values[0][0]))
    return changes


def _values(referred: Json) -> list[t.Any]:
    """What a reference to this object may become, AWS's ARN first; nothing where AWS has not named it yet."""
    told = (referred.get("status") or {}).get("atProvider") or {}
    name = (referred["metadata"].get("annotations") or {}).get(EXTERNAL_NAME)
    if not told or not name:
        return []
    first = [told["arn"]] if "arn" in told else []
    return [*first, name, *(one for one in told.values() if isinstance(one, str))]
