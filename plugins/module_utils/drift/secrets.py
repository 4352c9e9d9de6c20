# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values from Kubernetes Secrets: whether they were rotated since the object that takes them was applied.

AWS is never asked for a secret's value, and the object is the same whatever the Secret holds. So it carries the Secrets'
resource versions, which change with each write that changes something. No digest of a value is kept: short ones can be guessed.
"""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import SECRET_VERSIONS
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, ApiError, Json, existing

# Of these, the provider can't put another value into what is there: a new one is made, which AWS then takes for the current one.
REPLACED = frozenset({"secretsmanager/SecretVersion"})
FORBIDDEN = 403


def with_secret_versions(api: Api, declared: t.Sequence[Json]) -> list[Json]:
    """Declared objects with the resource versions of the Secrets that they take values from. Raises ApiError.

    A Secret that is not there, or that we may not read, is left to the provider, which names it.
    """
    known: dict[tuple[str, str], str] = {}
    return [_with_versions(api, obj, known) for obj in declared]


def is_replaced(declared: Json, live: Json | None) -> bool:
    """Whether a rotated value reaches AWS only by an object that is made again."""
    if live is None or kind_of(declared) not in REPLACED:
        return False
    wanted, found = _annotation(declared), _annotation(live)
    return bool(wanted) and wanted != found


def _annotation(obj: Json) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(SECRET_VERSIONS) or "")


def _with_versions(api: Api, obj: Json, known: dict[tuple[str, str], str]) -> Json:
    versions = [_version(api, one, known) for one in _references(obj)]
    if not versions or not all(versions):
        return obj
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), SECRET_VERSIONS: ",".join(versions)}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _references(obj: Json) -> list[tuple[str, str]]:
    """Namespace and name of each Secret whose value the object takes, in the fields' order."""
    parameters = (obj.get("spec") or {}).get("forProvider") or {}
    own = obj["metadata"].get("namespace") or "default"
    return [
        (one.get("namespace") or own, one["name"])
        for field, one in sorted(parameters.items())
        if field.endswith("SecretRef") and isinstance(one, dict) and one.get("name")
    ]


def _version(api: Api, secret: tuple[str, str], known: dict[tuple[str, str], str]) -> str:
    if secret not in known:
        namespace, name = secret
        try:
            found = existing(api, f"/api/v1/namespaces/{namespace}/secrets/{name}") or {}
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            found = {}
        known[secret] = str((found.get("metadata") or {}).get("resourceVersion") or "")
    return known[secret]
