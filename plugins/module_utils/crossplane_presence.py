# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of Crossplane in a cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_marks import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import (
    Api,
    existing,
    list_all,
    served_kinds,
)

Json = dict[str, t.Any]

DEPLOYMENTS = "/apis/apps/v1/deployments"
API_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def look(api: Api, definitions: t.Iterable[str]) -> Json:
    """The module's result, for these kinds by their CRDs' names (plural.group). Raises ApiError.

    Its core is found by the label that Crossplane's chart gives it, in any namespace.
    """
    definitions = list(definitions)
    served = _served(api, {name.partition(".")[2] for name in definitions})
    core, _version = list_all(api, DEPLOYMENTS, {"labelSelector": "app=crossplane"})
    slices, _version = list_all(api, API_SLICES, {"labelSelector": "kubernetes.io/service-name=kubernetes"})
    return {
        "running": bool(core),
        "foreign": any(OWNER not in (one["metadata"].get("labels") or {}) for one in core),
        "served": [name for name in definitions if name in served],
        "api_addresses": sorted(
            address
            for one in slices
            for endpoint in one.get("endpoints") or []
            for address in endpoint.get("addresses") or []
        ),
    }


def _served(api: Api, groups: t.Iterable[str]) -> set[str]:
    """What these groups have, as plural.group: by discovery, as the definitions themselves are large."""
    return {
        f"{kind.plural}.{group}"
        for group in groups
        for version in (existing(api, f"/apis/{group}") or {}).get("versions") or []
        for kind in served_kinds(api, version["groupVersion"]).values()
    }
