# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an owner's Crossplane can be removed, and what stays as it is used.

C(survey) reads the cluster, C(plan) decides. Neither changes anything.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import (
    described,
    is_ours,
    label,
    owner_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import core
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    PARALLEL,
    Api,
    ApiError,
    Json,
    existing,
    list_all,
)

# Groups of the API server itself have no dot, or end so; no Crossplane package brings kinds of these.
NATIVE = (".k8s.io",)
# Categories of kinds that stand for what Crossplane or its providers work on.
CATEGORIES = frozenset({"managed", "composite", "claim", "provider"})
CONFIGS = frozenset({"ProviderConfig", "ClusterProviderConfig"})
# What the role makes, by the steps of its removal: what needs something goes before it.
STAGES = {
    "apis": ("CompositeResourceDefinition", "Composition", "Function"),
    # A provider's own finalizer is on its configuration, so that one goes before the provider.
    "configs": ("ProviderConfig", "ClusterProviderConfig", "Secret"),
    "providers": ("Provider", "DeploymentRuntimeConfig", "ManagedResourceActivationPolicy", "NetworkPolicy"),
    # Most go with their package; those that were created ahead of one do not.
    "definitions": ("CustomResourceDefinition",),
}
USAGE = "ProviderConfigUsage"
PACKAGES = ("Provider", "Function", "Configuration")
# Kinds whose objects bring other kinds.
BRINGING = ("CompositeResourceDefinition", "ProviderRevision")
PROVIDER = "localcloud.dev/provider"
DEFINITIONS = "apiextensions.k8s.io/v1"
# Where objects lie that the role makes in addition to those of Crossplane's kinds; no use by other owners is to be found there.
BESIDE = ("v1", "networking.k8s.io/v1", DEFINITIONS)
WEBHOOKS = "admissionregistration.k8s.io/v1"
# What the plan reads of an object; the rest of, say, a revision or a definition is large.
METADATA = ("name", "namespace", "uid", "labels", "ownerReferences")
SPEC = (
    "group",
    "names",
    "claimNames",
    "compositeTypeRef",
    "pipeline",
    "providerConfigRef",
    "credentials",
    "package",
    "runtimeConfigRef",
)
# Objects that a message names; of more it gives the number.
NAMED = 8
# Gone since discovery, or a kind that can't be listed.
ABSENT = (404, 405)


class Kind(t.NamedTuple):
    """A kind that is served, with one of its versions."""

    api_version: str
    kind: str
    plural: str
    categories: frozenset[str]

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def definition(self) -> str:
        return f"{self.plural}.{self.group}"


class Item(t.NamedTuple):
    """An object that Crossplane, its packages or a kind of its users defines, or that the role made for these."""

    kind: Kind
    obj: Json

    @property
    def uid(self) -> str:
        return str(self.obj["metadata"].get("uid"))

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        return self.obj["metadata"].get("namespace")

    @property
    def spec(self) -> Json:
        return t.cast("Json", self.obj.get("spec") or {})

    @property
    def owner(self) -> str | None:
        return owner_of(self.obj)

    @property
    def is_usage(self) -> bool:
        return USAGE in self.kind.kind

    @property
    def type(self) -> tuple[str, str]:
        return self.kind.group, self.kind.kind

    def reference(self) -> Json:
        space = {"namespace": self.namespace} if self.namespace else {}
        return {"api_version": self.kind.api_version, "kind": self.kind.kind, "name": self.name, **space}

    def described(self) -> str:
        return f"{label(self.reference())} [{described(self.owner)}]"


class Survey(t.NamedTuple):
    """What the cluster has, what of it could not be asked, namespace and owner of each Crossplane, and what these brought.

    C(brought): references to the core's definitions, and to webhook configurations with the namespace that they call.
    """

    items: list[Item]
    unasked: list[str]
    cores: list[Json]
    brought: list[Json]


class Settings(t.NamedTuple):
    """Whose Crossplane is removed; whose resources count as deleted, as other tasks of a predicted run remove them."""

    owner: str
    going: frozenset[str] = frozenset()
    predicted: bool = False


def survey(api: Api, secrets: t.Sequence[tuple[str, str]], owner: str) -> Survey:
    """Read every object that depends on a Crossplane. Raises ApiError where the cluster does not answer.

    C(secrets): namespace and name of those that the role makes for its configuration.
    """
    unasked: list[str] = []
    kinds = served(api, unasked)
    # What these bring need not have the usual categories.
    first = [Item(kind, one) for kind in kinds if kind.kind in BRINGING for one in _objects(api, kind, unasked)]
    brought = {name for one in first for name in _brought(one)}
    rest = [kind for kind in kinds if kind.kind not in BRINGING and (kind.definition in brought or is_relevant(kind))]
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = pool.map(lambda kind: [Item(kind, obj) for obj in _objects(api, kind, unasked)], rest)
        items = [*first, *(item for listed in found for item in listed)]
    deployments, _version = list_all(api, "/apis/apps/v1/deployments", {"labelSelector": "app=crossplane"})
    cores = [{"namespace": one["metadata"]["namespace"], "owner": owner_of(one) or ""} for one in deployments]
    ours = [one for one in items if one.kind.kind in CONFIGS and is_ours(one.obj, [owner])]
    referenced = {place for place in map(_secret_of, ours) if place}
    definition = Kind(DEFINITIONS, "CustomResourceDefinition", "customresourcedefinitions", frozenset())
    items += [
        Item(definition, one) for one in _objects(api, definition, unasked, {"labelSelector": f"{OWNER}={owner}"})
    ]
    for namespace, name in sorted({*secrets, *referenced}):
        items += _secret(api, namespace, name, unasked)
    for namespace in sorted({str(one["namespace"]) for one in cores}):
        items += _policies(api, namespace, owner)
    definitions = [
        {"api_version": DEFINITIONS, "kind": "CustomResourceDefinition", "name": kind.definition}
        for kind in kinds
        if kind.definition in core.DEFINITIONS
    ]
    return Survey(items, sorted(set(unasked)), cores, [*definitions, *_webhooks(api)])


def served(api: Api, unasked: list[str]) -> list[Kind]:
    """Every kind that can be listed but for the API server's own, each once."""
    groups = api.get("/apis", {}).get("groups") or []
    versions = [
        version["groupVersion"]
        for one in groups
        if "." in one["name"] and not one["name"].endswith(NATIVE)
        for version in one.get("versions") or []
    ]

    def ask(version: str) -> list[Kind]:
        try:
            resources = (existing(api, f"/apis/{version}") or {}).get("resources") or []
        except ApiError as error:
            unasked.append(f"the kinds of {version} ({error.message})")
            return []
        return [
            Kind(version, one["kind"], one["name"], frozenset(one.get("categories") or []))
            for one in resources
            if "/" not in one["name"] and "list" in (one.get("verbs") or [])
        ]

    with ThreadPoolExecutor(PARALLEL) as pool:
        return list({kind.definition: kind for kinds in pool.map(ask, versions) for kind in kinds}.values())


def is_relevant(kind: Kind) -> bool:
    """Whether objects of this kind depend on Crossplane or a package, as far as the kind itself tells."""
    return bool(
        kind.definition in core.DEFINITIONS
        or kind.categories & CATEGORIES
        or USAGE in kind.kind
        or kind.kind in CONFIGS
    )


def _objects(api: Api, kind: Kind, unasked: list[str], selection: t.Mapping[str, str] | None = None) -> list[Json]:
    try:
        return list_all(api, f"/apis/{kind.api_version}/{kind.plural}", selection or {}, _kept)[0]
    except ApiError as error:
        if error.status not in ABSENT:
            unasked.append(f"{kind.definition} ({error.message})")
        return []


def _kept(obj: Json) -> Json:
    """An object without what the plan does not read."""
    metadata = obj["metadata"]
    spec = obj.get("spec") or {}
    managers = {one.get("manager") for one in metadata.get("managedFields") or [] if not one.get("subresource")}
    return {
        "metadata": {name: metadata[name] for name in METADATA if name in metadata},
        "spec": {name: spec[name] for name in SPEC if name in spec},
        "untouched": managers <= {core.FIELD_MANAGER},
        "empty": not spec,
        "brought": [one.get("name") for one in (obj.get("status") or {}).get("objectRefs") or []],
        **{name: obj[name] for name in ("providerConfigRef", "packages") if name in obj},
    }


def _secret_of(config: Item) -> tuple[str, str] | None:
    found = (config.spec.get("credentials") or {}).get("secretRef") or {}
    return (str(found["namespace"]), str(found["name"])) if found.get("namespace") and found.get("name") else None


def _secret(api: Api, namespace: str, name: str, unasked: list[str]) -> list[Item]:
    try:
        found = existing(api, f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiError as error:
        unasked.append(f"Secret/{name} ({namespace}) ({error.message})")
        return []
    return [Item(Kind("v1", "Secret", "secrets", frozenset()), _kept(found))] if found else []


def _policies(api: Api, namespace: str, owner: str) -> list[Item]:
    """The owner's policies about providers' pods."""
    kind = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", frozenset())
    path = f"/apis/{kind.api_version}/namespaces/{namespace}/{kind.plural}"
    found, _version = list_all(api, path, {"labelSelector": f"{OWNER}={owner}"})
    return [Item(kind, _kept(one)) for one in found if PROVIDER in str((one.get("spec") or {}).get("podSelector"))]


def _webhooks(api: Api) -> list[Json]:
    """Crossplane's webhook configurations, with the namespace of the one that they call."""
    found = []
    for name in core.WEBHOOK_CONFIGURATIONS:
        webhooks = (existing(api, f"/apis/{WEBHOOKS}/validatingwebhookconfigurations/{name}") or {}).get(
            "webhooks"
        ) or []
        called = {((one.get("clientConfig") or {}).get("service") or {}).get("namespace") for one in webhooks}
        if len(called) == 1:
            reference = {"api_version": WEBHOOKS, "kind": "ValidatingWebhookConfiguration", "name": name}
            found.append({**reference, "calls": called.pop()})
    return found


def _brought(item: Item) -> set[str]:
    """The kinds, as plural.group, that a definition defines or a package's revision brought."""
    names = [item.spec.get("names"), item.spec.get("claimNames")]
    return {f"{one['plural']}.{item.spec['group']}" for one in names if one} | set(item.obj.get("brought") or [])


class Plan(t.NamedTuple):
    """What is removed, as references by stage; what stays, with reasons; what the core brought, if that goes.

    C(remnants): what Crossplane made for itself and for packages of ours, with UIDs.
    C(usages): usages whose resources are deleted, which are not needed. As long as they are there, they count.
    """

    composites: list[Json]
    stages: dict[str, list[Json]]
    removes_core: bool
    brought: list[Json]
    remnants: list[Json]
    kept: list[Json]
    usages: list[Json]


def plan(seen: Survey, settings: Settings) -> Plan:
    """What can be removed of the owner's, as no other owner needs it. Pure."""
    graph = Graph(seen.items, settings)
    going = [one for one in seen.items if graph.goes(one)]
    roots = [one for one in seen.items if graph.is_used(one)]
    users = graph.users(roots)
    if seen.unasked:
        users = {**{one.uid: [] for one in going if not graph.is_composite(one)}, **users}
    unasked = f"can't be asked: {', '.join(seen.unasked)}" if seen.unasked else ""

    def reason(used: t.Sequence[Item]) -> str:
        # Of the owner's own, only where these alone need it: they stay as well, with a reason of their own.
        used = [one for one in used if not graph.goes(one)] or used
        return "; ".join(one for one in (used_by(used, settings.owner), unasked) if one)

    removable = [one for one in going if one.uid not in users]
    mine = [one for one in seen.cores if one["owner"] == settings.owner]
    stays = bool(roots or seen.unasked)
    # Their definitions stay with packages and kinds.
    kept = [
        {**one.reference(), "reason": reason(users[one.uid])}
        for one in going
        if one.uid in users and one.kind.kind not in STAGES["definitions"]
    ]
    kept += [{**_core_row(one), "reason": reason(graph.tops(roots))} for one in mine if stays]
    kept += [{**_core_row(one), "reason": _another_s(one, graph, roots)} for one in seen.cores if one not in mine]
    return Plan(
        [one.reference() for one in removable if graph.is_composite(one)],
        {
            stage: [one.reference() for one in removable if one.kind.kind in kinds and not graph.is_composite(one)]
            for stage, kinds in STAGES.items()
        },
        bool(mine) and not stays,
        [] if stays else _brought_by(mine, seen),
        [
            {**one.reference(), "uid": one.uid}
            for one in seen.items
            if one.kind.definition in core.DEFINITIONS and one.owner is None and not graph.is_used(one)
        ],
        kept,
        [one.reference() for one in seen.items if graph.is_stale_usage(one)],
    )


def _brought_by(cores: t.Sequence[Json], seen: Survey) -> list[Json]:
    """What these, which are all, brought."""
    namespaces = {one["namespace"] for one in cores}
    if not cores or len(cores) != len(seen.cores):
        return []
    return [
        {name: value for name, value in one.items() if name != "calls"}
        for one in seen.brought
        if one.get("calls", next(iter(namespaces))) in namespaces
    ]


def used_by(users: t.Sequence[Item], owner: str) -> str:
    """The users in a reason, those of others first; or nothing."""
    names = [name for _ours, name in sorted({(one.owner == owner, one.described()) for one in users})]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"used by {', '.join(names[:NAMED])}{more}" if names else ""


def _core_row(one: Json) -> Json:
    return {"kind": "Crossplane", "name": "crossplane", "namespace": one["namespace"], "owner": one["owner"]}


def _another_s(one: Json, graph: Graph, roots: t.Sequence[Item]) -> str:
    """Why a Crossplane of another owner stays, and whether it is used by others than its owner."""
    owner = one["owner"] or None
    users = [item for item in graph.tops(roots) if item.owner != owner]
    use = used_by(users, graph.owner) or "no other owner uses it"
    return f"installed by others ({described(owner)}), who remove it; {use}"


class Graph:
    """Which item needs which, and whose each is."""

    def __init__(self, items: t.Sequence[Item], settings: Settings) -> None:
        self.items = items
        self.owner = settings.owner
        self.predicted = {settings.owner, *settings.going} if settings.predicted else set()
        self.by_uid = {one.uid: one for one in items}
        self.by_kind: dict[str, list[Item]] = {}
        for one in items:
            self.by_kind.setdefault(one.kind.kind, []).append(one)
        self.composites = {
            (one.spec["group"], names["kind"]): one
            for one in self._core("CompositeResourceDefinition")
            for names in (one.spec.get("names"), one.spec.get("claimNames"))
            if names
        }
        # The Provider, by UID of its revision's owner, that brought a kind.
        self.providers = {
            name: provider
            for revision in self._core("ProviderRevision")
            for provider in [self.top(revision)]
            for name in _brought(revision)
            if provider.kind.kind == "Provider"
        }
        self.definitions = {one.name: one for one in self.by_kind.get("CustomResourceDefinition", [])}
        self.dependencies = self._dependencies()

    def _core(self, kind: str) -> list[Item]:
        return [one for one in self.by_kind.get(kind, []) if one.kind.definition in core.DEFINITIONS]

    def top(self, item: Item) -> Item:
        """The item that this one exists for, by its owner references."""
        seen = {item.uid}
        while not item.owner:
            owners = [self.by_uid.get(str(one.get("uid"))) for one in item.obj["metadata"].get("ownerReferences") or []]
            above = next((one for one in owners if one and one.uid not in seen), None)
            if above is None:
                return item
            seen.add(above.uid)
            item = above
        return item

    def tops(self, items: t.Iterable[Item]) -> list[Item]:
        """Only those that do not exist for another."""
        return [one for one in items if self.top(one) is one]

    def is_composite(self, item: Item) -> bool:
        return item.type in self.composites

    def goes(self, item: Item) -> bool:
        """Whether the role removes the item itself, unless it is needed."""
        if not is_ours(item.obj, [self.owner]):
            return False
        return self.is_composite(item) or any(item.kind.kind in kinds for kinds in STAGES.values())

    def is_used(self, item: Item) -> bool:
        """Whether the item is needed, and not only by what the role removes."""
        top = self.top(item)
        if self.goes(top) or item.kind.api_version in BESIDE:
            return False
        # What Crossplane makes for packages of ours carries our label, too.
        ours = item.kind.definition in core.DEFINITIONS and is_ours(item.obj, [self.owner])
        if ours or top.owner in self.predicted:
            return False
        return not (self._is_initial(top) or top.uid in self.dependencies)

    def is_stale_usage(self, item: Item) -> bool:
        """Whether it is a usage of a resource that is deleted."""
        owners = item.obj["metadata"].get("ownerReferences") or []
        return item.is_usage and bool(owners) and all(str(one.get("uid")) not in self.by_uid for one in owners)

    def _is_initial(self, item: Item) -> bool:
        """Whether Crossplane made it for itself, and it was not changed since."""
        if item.kind.definition not in core.DEFINITIONS or (item.kind.kind, item.name) not in core.INITIAL_OBJECTS:
            return False
        return item.kind.kind == "Lock" or bool(item.obj["empty"]) or bool(item.obj["untouched"])

    def _dependencies(self) -> set[str]:
        """UIDs of the packages that Crossplane itself installed, as only packages of ours depend on them."""
        packages = [one for lock in self._core("Lock") for one in lock.obj.get("packages") or []]
        sources = {str(one.get("source")) for one in packages if self._is_package_of_ours(one)}
        others = {str(one.get("source")) for one in packages} - sources
        added = True
        while added:
            wanted = {
                str(dependency.get("package"))
                for one in packages
                if one.get("source") in sources
                for dependency in one.get("dependencies") or []
            }
            added = bool(new := wanted & others)
            sources |= new
            others -= new
        needed_by_others = {
            str(dependency.get("package"))
            for one in packages
            if one.get("source") in others
            for dependency in one.get("dependencies") or []
        }
        return {
            one.uid
            for kind in PACKAGES
            for one in self._core(kind)
            if not one.owner and one.obj["untouched"] and _source(one) in sources - needed_by_others
        }

    def _is_package_of_ours(self, locked: Json) -> bool:
        return any(
            is_ours(one.obj, [self.owner]) and _source(one) == locked.get("source")
            for kind in PACKAGES
            for one in self._core(kind)
        )

    def users(self, roots: t.Iterable[Item]) -> dict[str, list[Item]]:
        """UIDs of what the roots need, directly or not, each with who needs it directly."""
        found: dict[str, list[Item]] = {}
        todo = list(roots)
        while todo:
            item = todo.pop()
            for needed in self.needs(item):
                if needed.uid not in found and self.goes(needed):
                    todo.append(needed)
                found.setdefault(needed.uid, []).append(item)
        return found

    def needs(self, item: Item) -> list[Item]:
        """What an item can't do without."""
        kind = item.kind.kind
        needed: list[Item] = []
        if self.is_composite(item):
            definition = self.composites[item.type]
            needed += [definition, *(one for one in self._core("Composition") if _type_of(one) == _type(definition))]
        if provider := self.providers.get(item.kind.definition):
            needed.append(provider)
        needed += [one for one in self._configs() if refers_to(item, one)]
        if kind in CONFIGS:
            needed += [one for one in self.by_kind.get("Secret", []) if (one.namespace, one.name) == _secret_of(item)]
        if kind == "Composition":
            functions = _functions(item)
            needed += [one for one in self._core("Function") if one.name in functions]
            needed += [one for type_, one in self.composites.items() if type_ == _type_of(item)]
        if kind in ("Provider", "Function"):
            runtime = (item.spec.get("runtimeConfigRef") or {}).get("name")
            needed += [one for one in self._core("DeploymentRuntimeConfig") if one.name == runtime]
        if kind in PACKAGES:
            needed += self._depended_on(item)
        if kind == "Provider" and is_ours(item.obj, [self.owner]):
            needed += self.by_kind.get("NetworkPolicy", []) + self._core("ManagedResourceActivationPolicy")
        names = {item.kind.definition, *(_brought(item) if kind == "CompositeResourceDefinition" else ())}
        names |= {name for name, provider in self.providers.items() if provider is item}
        needed += [self.definitions[one] for one in names if one in self.definitions]
        return [one for one in needed if one is not item]

    def _configs(self) -> list[Item]:
        return [one for kind in CONFIGS for one in self.by_kind.get(kind, [])]

    def _depended_on(self, package: Item) -> list[Item]:
        wanted = {
            dependency.get("package")
            for lock in self._core("Lock")
            for one in lock.obj.get("packages") or []
            if one.get("source") == _source(package)
            for dependency in one.get("dependencies") or []
        }
        return [one for kind in PACKAGES for one in self._core(kind) if _source(one) in wanted]


def refers_to(item: Item, config: Item) -> bool:
    """Whether a managed resource or a usage takes this configuration."""
    reference = (item.obj if item.is_usage else item.spec).get("providerConfigRef") or {}
    group = config.kind.group
    return bool(
        reference.get("name") == config.name
        and (item.kind.group == group or item.kind.group.endswith(f".{group}"))
        and reference.get("kind") in (None, config.kind.kind)
        and config.namespace in (None, item.namespace)
    )


def _source(package: Item) -> str:
    """A package's address without its tag or digest, as the Lock has it."""
    text = str(package.spec.get("package", "")).partition("@")[0]
    head, colon, tag = text.rpartition(":")
    return head if colon and "/" not in tag else text


def _type(definition: Item) -> tuple[str, str]:
    return definition.spec["group"], definition.spec["names"]["kind"]


def _type_of(composition: Item) -> tuple[str, str]:
    """The kind that a Composition is for."""
    found = composition.spec.get("compositeTypeRef") or {}
    return str(found.get("apiVersion", "")).partition("/")[0], str(found.get("kind"))


def _functions(composition: Item) -> set[str]:
    return {str((one.get("functionRef") or {}).get("name")) for one in composition.spec.get("pipeline") or []}
