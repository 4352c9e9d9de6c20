# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes finalizers from deleted objects of ours whose controller is dead."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import is_ours
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    PARALLEL,
    Api,
    ApiError,
    ChangingApi,
    Json,
    existing,
    find_kind,
    list_all,
)

# An object that is changed by others at the same time is read again so often.
ATTEMPTS = 5


def abandon(
    api: ChangingApi, kinds: t.Iterable[tuple[str, str]], owner: str, label_selector: str = "", check_mode: bool = False
) -> list[str]:
    """Remove the finalizers of this owner's objects that are being deleted; names of these. Raises ApiError.

    C(label_selector) narrows them down further. The label is read again just before each change. An empty owner has no objects.
    """
    selector = ",".join(one for one in (f"{OWNER}={owner}", label_selector) if one)
    paths = {
        f"{kind} {item['metadata']['name']}": path
        for api_version, kind in kinds
        for path, item in _deleted(api, api_version, kind, selector)
        if is_ours(item, {owner})
    }
    return _abandon_all(api, paths, lambda obj: is_ours(obj, {owner}), check_mode)


def abandon_these(
    api: ChangingApi, references: t.Iterable[t.Mapping[str, t.Any]], owner: str, check_mode: bool = False
) -> list[str]:
    """The same for single objects: only those of this owner, or of exactly the UID that is given. Raises ApiError.

    C(references): api_version, kind, name, at will namespace, and uid of what carries no owner, as a controller makes it for itself.
    """
    done: list[str] = []
    for one in references:
        served = find_kind(api, one["api_version"], one["kind"])
        path = f"{served.path(one.get('namespace'))}/{one['name']}" if served else ""
        uid = one.get("uid")

        def is_meant(obj: Json, uid: str | None = uid) -> bool:
            return is_ours(obj, {owner}) or (uid is not None and obj["metadata"].get("uid") == uid)

        found = existing(api, path) if path else None
        if found and is_meant(found) and _is_held(found):
            done += _abandon_all(api, {f"{one['kind']} {one['name']}": path}, is_meant, check_mode)
    return sorted(done)


def _abandon_all(
    api: ChangingApi, paths: t.Mapping[str, str], wanted: t.Callable[[Json], bool], check_mode: bool
) -> list[str]:
    """Those of these objects, by name and path, whose finalizers are removed."""
    if check_mode:
        return sorted(paths)
    with ThreadPoolExecutor(PARALLEL) as pool:
        done = pool.map(lambda path: _abandon(api, path, wanted), paths.values())
        return sorted(name for name, abandoned in zip(paths, done, strict=True) if abandoned)


def _deleted(api: Api, api_version: str, kind: str, label_selector: str) -> t.Iterator[tuple[str, Json]]:
    served = find_kind(api, api_version, kind)
    if served is None:
        return
    objects, _version = list_all(api, served.path(), {"labelSelector": label_selector})
    for item in objects:
        if _is_held(item):
            metadata = item["metadata"]
            yield f"{served.path(metadata.get('namespace'))}/{metadata['name']}", item


def _is_held(obj: Json) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp") and obj["metadata"].get("finalizers"))


def _abandon(api: ChangingApi, path: str, wanted: t.Callable[[Json], bool]) -> bool:
    """Remove an object's finalizers if it is still wanted and being deleted; whether it was. It may go by itself meanwhile."""
    for attempt in range(ATTEMPTS):
        obj = existing(api, path)
        if obj is None:
            return True
        if not (wanted(obj) and _is_held(obj)):
            return False
        version = obj["metadata"].get("resourceVersion")
        try:
            api.merge(path, {"metadata": {"finalizers": None, **({"resourceVersion": version} if version else {})}})
        except ApiError as error:
            if error.status == 404:
                return True
            if error.status != 409 or attempt == ATTEMPTS - 1:
                raise
            continue
        return True
    return False
