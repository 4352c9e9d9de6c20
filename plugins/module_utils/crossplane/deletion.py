# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deletes managed resources that are ours in the cluster and in AWS: both are asked just before, and one that is not stops all."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import (
    Identity,
    Observe,
    removal_problems,
    row_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import PROTECTION
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import (
    described,
    is_ours,
    label,
    owner_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    PARALLEL,
    Api,
    ApiError,
    Json,
    KubernetesError,
    RemovingApi,
    existing,
    served_kinds_of,
)

References = t.Sequence[t.Mapping[str, t.Any]]
WAYS_ON = (
    "To leave such a resource to its holder, set spec.deletionPolicy of the managed object to Orphan, or where it has "
    "spec.managementPolicies, take Delete out of these, and remove it then. To take it over, declare it with 'adopt: true', run that, and "
    "remove it then."
)


def remove(
    api: RemovingApi,
    references: References,
    us: Identity,
    observe: Observe | None,
    protect: bool = True,
    check_mode: bool = False,
) -> list[Json]:
    """Delete these objects, without waiting until they are deleted; those that were there and not yet being deleted.

    C(references): api_version, kind, name, at will namespace. Nothing is deleted where one object carries another owner's label,
    AWS's tags give its resource to another owner, or, with C(protect), it is protected. Raises KubernetesError that names each of
    these, ApiError, and what C(observe) raises.
    """
    found = {path: obj for path, obj in _find(api, references).items() if not obj["metadata"].get("deletionTimestamp")}
    objects = list(found.values())
    problems = [
        f"{label(row_of(one))}: {described(owner_of(one))} in the cluster, not {us.owner}"
        for one in objects
        if not is_ours(one, {us.owner})
    ]
    problems += [
        f"{label(row_of(one))}: holds data and is protected"
        for one in objects
        if protect and (one["metadata"].get("labels") or {}).get(PROTECTION) == "true"
    ]
    problems += removal_problems([*objects, *_composed(api, objects)], us, observe)
    if problems:
        raise KubernetesError(f"Nothing was removed. {'. '.join(problems)}. {WAYS_ON}", problems=problems)
    if not check_mode:
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda one: _delete(api, *one), found.items()))
    return [row_of(one) for one in objects]


def _find(api: Api, references: References) -> dict[str, Json]:
    """Those of the referenced objects that are there, by path."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        served = served_kinds_of(api, (one["api_version"] for one in references), pool)
        paths = {
            f"{where.path(one.get('namespace'))}/{one['name']}": (one["api_version"], one["kind"])
            for one in references
            if (where := served[one["api_version"]].get(one["kind"]))
        }
        found = pool.map(lambda path: existing(api, path), paths)
        return {
            path: {**obj, "apiVersion": version, "kind": kind}
            for (path, (version, kind)), obj in zip(paths.items(), found, strict=True)
            if obj
        }


def _composed(api: Api, objects: t.Iterable[Json]) -> list[Json]:
    """What composites among these are made of, and lose with them."""
    references = [
        {"api_version": one["apiVersion"], **{name: one.get(name) for name in ("kind", "name", "namespace")}}
        for obj in objects
        for one in ((obj.get("spec") or {}).get("crossplane") or {}).get("resourceRefs") or []
        if one.get("name")
    ]
    return list(_find(api, references).values()) if references else []


def _delete(api: RemovingApi, path: str, obj: Json) -> None:
    try:
        api.delete(path, obj["metadata"]["uid"])
    except ApiError as error:
        if error.status not in (404, 409):  # it went by itself, or another object has its name by now
            raise
