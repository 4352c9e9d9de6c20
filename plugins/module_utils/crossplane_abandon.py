# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets deleted objects go whose controller is dead."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import (
    Api,
    ApiError,
    Json,
    find_kind,
    list_all,
)

# Requests at a time; the client's pool has as many connections.
PARALLEL = 4


class ChangingApi(Api, t.Protocol):
    """What letting go needs of the API server besides reading. Raises ApiError."""

    def merge(self, path: str, patch: Json) -> None: ...


def abandon(
    api: ChangingApi, kinds: t.Iterable[tuple[str, str]], label_selector: str, check_mode: bool = False
) -> list[str]:
    """Remove the finalizers of objects that are being deleted; names of these. Raises ApiError."""
    paths = {
        f"{kind} {item['metadata']['name']}": path
        for api_version, kind in kinds
        for path, item in _deleted(api, api_version, kind, label_selector)
    }
    if not check_mode:
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda path: _let_go(api, path), paths.values()))
    return sorted(paths)


def _deleted(api: Api, api_version: str, kind: str, label_selector: str) -> t.Iterator[tuple[str, Json]]:
    served = find_kind(api, api_version, kind)
    if served is None:
        return
    objects, _version = list_all(api, served.path(), {"labelSelector": label_selector} if label_selector else {})
    for item in objects:
        metadata = item["metadata"]
        if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
            yield f"{served.path(metadata.get('namespace'))}/{metadata['name']}", item


def _let_go(api: ChangingApi, path: str) -> None:
    try:
        api.merge(path, {"metadata": {"finalizers": None}})
    except ApiError as error:
        if error.status != 404:  # it went by itself meanwhile
            raise
