# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes objects that are ours, and a namespace of ours once it is empty. What others own stays."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import (
    belongs_to_namespace,
    described,
    is_of_release,
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
    Served,
    existing,
    find_kind,
    list_all,
    patient_until,
    served_kinds_of,
)

NAMESPACE = Served("/api/v1", "namespaces", False)
# Objects of others that a message names; of more it gives the number.
NAMED = 5


class Scope(t.NamedTuple):
    """Whose objects are removed: labels of ours, and Helm releases of ours, which others of our steps remove."""

    owners: frozenset[str]
    releases: frozenset[str] = frozenset()


class Removal(t.NamedTuple):
    """What goes and what stays, each as kind, name, at will namespace; what stays with its owner and the reason."""

    removed: list[Json]
    kept: list[Json]


def remove(
    api: RemovingApi,
    references: t.Sequence[t.Mapping[str, t.Any]],
    namespaces: t.Sequence[str],
    scope: Scope,
    timeout: float,
    check_mode: bool = False,
    foreground: bool = False,
) -> Removal:
    """Remove those of the referenced objects that are ours, wait until they are gone, then the namespaces that are ours and empty.

    C(references): api_version, kind, name, at will namespace. A kind that is not served has no objects. In check mode nothing is
    removed, and what carries our label, or belongs to our releases, counts as gone when namespaces are looked through.
    C(foreground): an object stays until all that it is the controller of is deleted.
    Raises ApiError, and KubernetesError when something is not gone after C(timeout) seconds.
    """
    deadline = time.monotonic() + timeout
    api = patient_until(api, deadline)
    found = _find(api, references)
    ours = {path: obj for path, obj in found.items() if is_ours(obj, scope.owners)}
    kept = [_kept(obj, described(owner_of(obj))) for obj in found.values() if not is_ours(obj, scope.owners)]
    _delete(api, ours, deadline, check_mode, foreground)
    spaces = {name: existing(api, f"{NAMESPACE.path()}/{name}") for name in namespaces}
    reasons = {
        name: _reason_to_stay(api, space, set(ours), scope, check_mode) for name, space in spaces.items() if space
    }
    empty = {
        f"{NAMESPACE.path()}/{name}": {**space, "kind": "Namespace"}
        for name, space in spaces.items()
        if space and not reasons[name]
    }
    _delete(api, empty, deadline, check_mode)
    kept += [
        _kept({**space, "kind": "Namespace"}, reasons[name])
        for name, space in spaces.items()
        if space and reasons[name]
    ]
    return Removal([_row(obj) for obj in [*ours.values(), *empty.values()]], kept)


def _row(obj: Json) -> Json:
    metadata = obj["metadata"]
    space = {"namespace": metadata["namespace"]} if metadata.get("namespace") else {}
    return {"kind": obj["kind"], "name": metadata["name"], **space}


def _kept(obj: Json, reason: str) -> Json:
    return {**_row(obj), "owner": owner_of(obj), "reason": reason}


def _find(api: Api, references: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, Json]:
    """Those of the referenced objects that are there, by path."""
    kinds = {(one["api_version"], one["kind"]) for one in references}
    served = {kind: find_kind(api, *kind) for kind in kinds}
    paths = {
        f"{where.path(one.get('namespace'))}/{one['name']}": one["kind"]
        for one in references
        if (where := served[one["api_version"], one["kind"]])
    }
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = pool.map(lambda path: existing(api, path), paths)
        return {path: {**obj, "kind": kind} for (path, kind), obj in zip(paths.items(), found, strict=True) if obj}


def _delete(
    api: RemovingApi, objects: t.Mapping[str, Json], deadline: float, check_mode: bool, foreground: bool = False
) -> None:
    """Delete these very objects (not others that got their names since) and wait until they are gone."""
    if check_mode:
        return
    for path, obj in objects.items():
        try:
            api.delete(path, obj["metadata"]["uid"], foreground)
        except ApiError as error:
            if error.status not in (404, 409):  # gone meanwhile, or another object by now
                raise
    pause = threading.Event()
    left = dict(objects)
    while left := {path: obj for path, obj in left.items() if _is_there(api, path, obj)}:
        if time.monotonic() > deadline:
            raise KubernetesError(_not_gone(api, left), left=[_row(obj) for obj in left.values()])
        pause.wait(0.2)


def _is_there(api: Api, path: str, obj: Json) -> bool:
    live = existing(api, path)
    return live is not None and live["metadata"]["uid"] == obj["metadata"]["uid"]


def _not_gone(api: Api, left: t.Mapping[str, Json]) -> str:
    """Why a removal did not end: what is left, with what holds it."""
    lines = []
    for path, obj in left.items():
        live = existing(api, path) or obj
        finalizers = [*(live["metadata"].get("finalizers") or []), *((live.get("spec") or {}).get("finalizers") or [])]
        conditions = [
            str(one.get("message"))
            for one in (live.get("status") or {}).get("conditions") or []
            if one.get("status") == "True" and one.get("message")
        ]
        held = f"finalizers {', '.join(finalizers)}" if finalizers else "no finalizer"
        lines.append("; ".join([f"{label(_row(obj))} ({held})", *conditions]))
    return (
        f"Deleted, but not gone in time: {'. '.join(lines)}. Likely the controller of a finalizer does not run. "
        "Look at it, then run the removal again."
    )


def _reason_to_stay(api: Api, space: Json, going: t.Collection[str], scope: Scope, check_mode: bool) -> str:
    """Why a namespace is not removed; empty where nothing speaks against it."""
    if not is_ours(space, scope.owners):
        return f"made by others ({described(owner_of(space))})"
    others = [
        label(_row(obj))
        for path, obj in _content(api, space["metadata"]["name"])
        if not belongs_to_namespace(obj)
        and path not in going
        and not (check_mode and (is_ours(obj, scope.owners) or is_of_release(obj, scope.releases)))
    ]
    if not others:
        return ""
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return f"not empty: {', '.join(sorted(others)[:NAMED])}{more}"


def _content(api: Api, namespace: str) -> list[tuple[str, Json]]:
    """Path and object of all that can be listed and deleted in a namespace, whatever its kind."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        kinds = _deletable_kinds(api, pool)
        lists = pool.map(lambda one: list_all(api, one[1].path(namespace), {}, _metadata_of)[0], kinds)
        return [
            (f"{where.path(namespace)}/{obj['metadata']['name']}", {**obj, "kind": kind})
            for (kind, where), listed in zip(kinds, lists, strict=True)
            for obj in listed
        ]


def _metadata_of(obj: Json) -> Json:
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences", "uid")
    return {"metadata": {name: obj["metadata"][name] for name in kept if name in obj["metadata"]}}


def _deletable_kinds(api: Api, pool: ThreadPoolExecutor) -> list[tuple[str, Served]]:
    """Every kind with namespaces, once, in its group's preferred version."""
    groups = (api.get("/apis", {})).get("groups") or []
    versions = ["v1", *(one["preferredVersion"]["groupVersion"] for one in groups)]
    served = served_kinds_of(api, versions, pool)
    return [
        (kind, where)
        for kinds in served.values()
        for kind, where in kinds.items()
        if where.namespaced and {"list", "delete"} <= where.verbs
    ]
