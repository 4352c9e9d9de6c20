# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of Crossplane in a cluster, and whose it is."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import (
    described,
    is_ours,
    label,
    owner_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.conditions import evaluate
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    Api,
    ApiError,
    existing,
    list_all,
    served_kinds,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import rollout

Json = dict[str, t.Any]

DEPLOYMENTS = "/apis/apps/v1/deployments"
NAMESPACES = "/api/v1/namespaces"
PROVIDERS = "/apis/pkg.crossplane.io/v1/providers"
FUNCTIONS = "/apis/pkg.crossplane.io/v1/functions"
REVISIONS = "/apis/pkg.crossplane.io/v1/providerrevisions"
API_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
PROVIDER = "localcloud.dev/provider"
PACKAGE_LABEL = "pkg.crossplane.io/package"


def look(api: Api, definitions: t.Iterable[str], owner: str | None = None, namespace: str | None = None) -> Json:
    """The module's result, for these kinds by their CRDs' names (plural.group). Raises ApiError.

    Its core is found by the label that Crossplane's chart gives it, in any namespace. It is foreign if its owner is another, or
    without C(owner) if it has none.
    """
    definitions = list(definitions)
    served = _served(api, {name.partition(".")[2] for name in definitions})
    core, _version = list_all(api, DEPLOYMENTS, {"labelSelector": "app=crossplane"})
    slices, _version = list_all(api, API_SLICES, {"labelSelector": "kubernetes.io/service-name=kubernetes"})
    foreign = [one for one in core if not (is_ours(one, [owner]) if owner else owner_of(one))]
    providers = _packages(api, PROVIDERS)
    others = {one["metadata"]["name"]: one for one in providers or [] if not (owner and is_ours(one, [owner]))}
    guards = _guards(api) if any(owner_of(one) for one in others.values()) else set()
    return {
        "running": bool(core),
        "foreign": bool(foreign),
        "core": [
            {"namespace": one["metadata"].get("namespace", ""), "owner": owner_of(one) or ""}
            for one in [*foreign, *(one for one in core if one not in foreign)]
        ],
        "namespace": _namespace(api, namespace),
        "settled": bool(core and owner and providers is not None) and _settled(api, str(owner), providers or []),
        "served": [name for name in definitions if name in served],
        "providers_of_others": [
            {
                "name": name,
                "owner": owner_of(others[name]) or "",
                "kinds": sorted(kinds & set(definitions)),
                "guarded": owner_of(others[name]) in guards,
            }
            for name, kinds in sorted(_brought(api, others).items())
        ],
        "api_addresses": sorted(
            address
            for one in slices
            for endpoint in one.get("endpoints") or []
            for address in endpoint.get("addresses") or []
        ),
    }


def _packages(api: Api, path: str) -> list[Json] | None:
    """All packages of a kind; None where the kind is not served (yet)."""
    try:
        return list_all(api, path, {})[0]
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _namespace(api: Api, name: str | None) -> Json:
    """Whether a namespace exists, whose it is, and whether Helm created it with a release, as it does without any label of ours."""
    found = existing(api, f"{NAMESPACES}/{name}") if name else None
    if found is None:
        return {"exists": False, "owner": "", "created_by_helm": False}
    metadata = found["metadata"]
    managers = {one.get("manager") for one in metadata.get("managedFields") or [] if not one.get("subresource")}
    return {
        "exists": True,
        "owner": owner_of(found) or "",
        # Helm labels what it creates by --create-namespace with the name (pkg/action/install.go).
        "created_by_helm": managers == {"helm"} and (metadata.get("labels") or {}).get("name") == name,
    }


def _guards(api: Api) -> set[str | None]:
    """Owners of NetworkPolicies about providers' pods, which let these reach nothing else."""
    policies, _version = list_all(api, POLICIES, {"labelSelector": OWNER})
    return {owner_of(one) for one in policies if PROVIDER in str((one.get("spec") or {}).get("podSelector"))}


def _brought(api: Api, providers: t.Mapping[str, Json]) -> dict[str, set[str]]:
    """The kinds, as plural.group, that the active revisions of these Providers brought, served or not yet activated."""
    kinds: dict[str, set[str]] = {name: set() for name in providers}
    for one in list_all(api, REVISIONS, {})[0] if providers else []:
        package = (one["metadata"].get("labels") or {}).get(PACKAGE_LABEL)
        if package in kinds and (one.get("spec") or {}).get("desiredState") == "Active":
            kinds[package] |= {str(brought["name"]) for brought in (one.get("status") or {}).get("objectRefs") or []}
    return kinds


def _settled(api: Api, owner: str, providers: t.Sequence[Json]) -> bool:
    """Whether the owner has packages, all of them healthy, and every Deployment with its label is rolled out.

    Where it has none, as it uses those of others, these must be healthy.
    """
    deployments, _version = list_all(api, DEPLOYMENTS, {"labelSelector": f"{OWNER}={owner}"})
    packages = [*providers, *(_packages(api, FUNCTIONS) or [])]
    ours = [one for one in packages if is_ours(one, [owner])] or packages
    return (
        bool(ours)
        and all(evaluate({"status": {}, **one}, ("Installed", "Healthy")).ready for one in ours)
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


class Sharing(t.NamedTuple):
    """Which of the declared providers are installed, which Providers of others are used instead, and what speaks against it."""

    own: list[Json]
    used: list[str]
    problems: list[str]


def share(declared: t.Sequence[Json], kinds: t.Sequence[str], others: t.Sequence[Json]) -> Sharing:
    """Use the Providers of others where they bring the kinds, and install the rest.

    Two Providers can't bring one kind: Crossplane lets the first control its definition, and the second one never gets healthy.
    C(others): name, owner, kinds of each, as C(look) returns them. A declared provider is left out where another's has its name,
    where all kinds are brought by others, or where it is that of a service (provider-aws-sqs) whose kinds are.
    """
    by_name = {one["name"]: one for one in others}
    brought = {kind: one for one in others for kind in one["kinds"] if kind in kinds}
    missing = [kind for kind in kinds if kind not in brought]
    own = [
        one
        for one in declared
        if (missing or not kinds)
        and one["name"] not in by_name
        and not _service_brought(str(one["name"]), kinds, missing)
    ]
    needed = {one["name"] for one in brought.values()} | {
        one["name"] for one in declared if one["name"] in by_name and missing
    }
    problems = []
    if missing and needed and not own:
        problems = [
            f"{_named(by_name, needed)} is used as it is, but does not bring {', '.join(sorted(missing))}, or is still being "
            "installed. Run again when it is healthy, declare only kinds that it brings (crossplane_kinds, crossplane_scopes), or "
            "give another name in crossplane_providers to a provider that brings these kinds and no others."
        ]
    elif own and (shared := [kind for kind in brought if not _apart(own, kind, kinds)]):
        problems = [
            f"{_named(by_name, {brought[kind]['name'] for kind in shared})} brings {', '.join(sorted(shared))}, but not "
            f"{', '.join(sorted(missing))}, and two Providers can't bring one kind. Declare in crossplane_providers only what brings "
            "the latter, as one provider for each service (provider-aws-sqs)."
        ]
    return Sharing(own, sorted(needed), problems)


def _named(others: t.Mapping[str, Json], names: t.Collection[str]) -> str:
    rows = [f"Provider/{name} ({described(others[name]['owner'] or None)})" for name in sorted(names)]
    return ", ".join(rows)


def _service(kind: str) -> str:
    """The service of a kind by its group: sqs of queues.sqs.aws.upbound.io; aws of the configuration's."""
    return kind.split(".")[1]


def _service_brought(name: str, kinds: t.Sequence[str], missing: t.Sequence[str]) -> bool:
    """Whether a provider is that of one service, which is needed, and others bring all its kinds."""
    service = name.rpartition("-")[2]
    return service in {_service(one) for one in kinds} - {_service(one) for one in missing}


def _apart(own: t.Sequence[Json], kind: str, kinds: t.Sequence[str]) -> bool:
    """Whether each of these providers is, by its name, that of one service other than this kind's."""
    names = {str(one["name"]).rpartition("-")[2] for one in own}
    return names <= {_service(one) for one in kinds} - {_service(kind)}


CONFIGS = ("ProviderConfig", "ClusterProviderConfig")


def existing_config_problems(difference: Json, endpoint: str, kinds: t.Sequence[str]) -> list[str]:
    """Why configurations of others can't be used as they are, a sentence each.

    C(difference) is what crossplane_diff returns: its foreign configurations tell their endpoint.
    """
    problems = [
        f"{label(one)} is to be used as it is (crossplane_use_existing_provider_config), but does not exist. Correct "
        "crossplane_provider_config, or leave that setting out."
        for one in difference["missing"]
        if one["kind"] in CONFIGS
    ]
    for one in difference["foreign"]:
        if one["kind"] in CONFIGS:
            problems += _endpoint_problems(one, endpoint, kinds)
    return problems


def _endpoint_problems(config: Json, endpoint: str, kinds: t.Sequence[str]) -> list[str]:
    there = config.get("endpoint") or {}
    url = there.get("url") or {}
    leads = (str(url.get("static") or f"an address of type {url.get('type')}") if there else "") or "real AWS"
    wanted = endpoint or "real AWS"
    whose = f"{label(config)} ({described(config.get('owner'))})"
    if leads.rstrip("/") != wanted.rstrip("/"):
        return [
            f"{whose} leads to {leads}, but {wanted} is wanted. It is not changed: take another crossplane_provider_config, or set "
            "crossplane_endpoint to where it leads."
        ]
    services = {"sts", *(kind.split(".")[1] for kind in kinds)} - {*there.get("services", ())}
    if there and services:
        return [
            f"{whose} does not send {', '.join(sorted(services))} to {leads}, so these requests would go to real AWS. It is not "
            "changed: take another crossplane_provider_config, or have its owner add the services to its endpoint.services."
        ]
    return []
