# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster is known by, and what its kinds of AWS resources can carry. Talks to the API server through C(Api) alone."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import AWS_GROUP
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    Api,
    ApiError,
    Json,
    KubernetesError,
    existing,
    find_kind,
)

KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def cluster_uid(api: Api) -> str:
    """What tells this cluster from all others: the UID of its namespace kube-system.

    The name of a context or the address of a server may stand for another cluster tomorrow. Raises KubernetesError where the
    namespace may not be read, ApiError where there is no answer.
    """
    try:
        return str(api.get(KUBE_SYSTEM, {})["metadata"]["uid"])
    except ApiError as error:
        if error.status != 403:
            raise
        raise KubernetesError(
            f"The cluster can't be distinguished from others, as its namespace kube-system may not be read: {error.message}. AWS resources "
            "are tagged with its UID. Let the user get this namespace, then run again."
        ) from error


def kinds_with_tags(api: Api, objects: t.Iterable[Json]) -> set[tuple[str, str]]:
    """Which kinds of these AWS resources have C(spec.forProvider.tags), by the schemas that the cluster has.

    Only objects that have no tags yet are looked up; a kind that is not there, or may not be read, counts as one without.
    """
    kinds = {
        (obj["apiVersion"], obj["kind"])
        for obj in objects
        if AWS_GROUP.fullmatch(obj["apiVersion"].split("/")[0])
        and _lacks_tags((obj.get("spec") or {}).get("forProvider"))
    }
    return {kind for kind in kinds if _has_tags(api, *kind)}


def _lacks_tags(parameters: object) -> bool:
    return isinstance(parameters, dict) and "tags" not in parameters


def _has_tags(api: Api, api_version: str, kind: str) -> bool:
    served = find_kind(api, api_version, kind)
    if served is None:
        return False
    group, _slash, version = api_version.partition("/")
    try:
        definition = existing(api, f"{DEFINITIONS}/{served.plural}.{group}") or {}
    except ApiError as error:
        if error.status != 403:
            raise
        return False
    schemas = [
        one["schema"]["openAPIV3Schema"]
        for one in (definition.get("spec") or {}).get("versions") or []
        if one.get("name") == version and one.get("schema")
    ]
    return any("tags" in _properties(schema, "spec", "forProvider") for schema in schemas)


def _properties(schema: Json, *path: str) -> Json:
    """The properties at a path of a schema."""
    found = schema.get("properties") or {}
    for name in path:
        found = (found.get(name) or {}).get("properties") or {}
    return found
