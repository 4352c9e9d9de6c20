# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of Crossplane in a cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_conditions import judge
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_marks import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import (
    Api,
    ApiError,
    existing,
    list_all,
    served_kinds,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import rollout

Json = dict[str, t.Any]

DEPLOYMENTS = "/apis/apps/v1/deployments"
PACKAGES = ("/apis/pkg.crossplane.io/v1/providers", "/apis/pkg.crossplane.io/v1/functions")
API_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def look(api: Api, definitions: t.Iterable[str], owner: str | None = None) -> Json:
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
        "settled": bool(core and owner) and _settled(api, str(owner)),
        "served": [name for name in definitions if name in served],
        "api_addresses": sorted(
            address
            for one in slices
            for endpoint in one.get("endpoints") or []
            for address in endpoint.get("addresses") or []
        ),
    }


def _settled(api: Api, owner: str) -> bool:
    """Whether every package with this owner's label is healthy, and every Deployment with it is rolled out."""
    selector = {"labelSelector": f"{OWNER}={owner}"}
    deployments, _version = list_all(api, DEPLOYMENTS, selector)
    try:
        packages = [one for path in PACKAGES for one in list_all(api, path, selector)[0]]
    except ApiError as error:
        if error.status == 404:  # its kinds are not there yet
            return False
        raise
    return (
        bool(packages)
        and all(judge({"status": {}, **one}, ("Installed", "Healthy")).ready for one in packages)
        and all(rollout({"status": {}, **one, "kind": "Deployment"}).done for one in deployments)
    )


def _served(api: Api, groups: t.Iterable[str]) -> set[str]:
    """What these groups have, as plural.group: by discovery, as the definitions themselves are large."""
    return {
        f"{kind.plural}.{group}"
        for group in groups
        for version in (existing(api, f"/apis/{group}") or {}).get("versions") or []
        for kind in served_kinds(api, version["groupVersion"]).values()
    }
