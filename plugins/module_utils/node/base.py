# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node has of Crossplane after its first run, for the nodes that are made later.

A base is a list of Kubernetes objects: the kinds' definitions, Crossplane, the AWS provider and their roles. It is read through the API of a
proved node, and written into the etcd of a new one before its API server starts, which so begins with kinds that are served.

Nothing of a user is in it: no AWS resource, no configuration of a provider, no Secret but the release's record and empty ones, which
Crossplane fills. Keys, certificates and Kubernetes' own objects (its namespaces, whose UID stands for the cluster) are each node's own.
Owner, registry, UIDs, times and the certificates of webhooks are put in when a node takes it. Pure.
"""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError

Json = dict[str, Any]
# Makes a certificate and its key (PEM) for a Service, by its name and namespace.
Certificate = Callable[[str, str], tuple[bytes, bytes]]

# Raise it when what a base consists of changes, so that no older one is taken.
FORMAT = 4
# They stand in a base for what each node has of its own. Neither is a value that Kubernetes takes.
OWNER_HERE, REGISTRY_HERE, TIME_HERE = "<owner>", "<registry>", "<time>"
# Of a webhook's certificate, with the name of the provider's package, which its Service has, too.
CERTIFICATE_HERE = "<certificate of {}>"
# What Go's encoding/json escapes in texts, beside what JSON wants escaped.
ESCAPED = re.compile("[<>&\u2028\u2029]")
UID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
RELEASE = "meta.helm.sh/release-name"
RELEASE_SECRET = "helm.sh/release.v1"
PACKAGE = "pkg.crossplane.io/package"


class BaseError(PrintableError):
    """These objects are none that another node may begin with; the message says why."""


@dataclass(frozen=True)
class Resource:
    """A collection of the API, and below which key etcd has it.

    `kept`: what of an object's status a node begins with, by the names of its fields; None for all of it. `converted`: whether etcd has
    another version of it than the path, so that what is kept is taken from there.
    """

    path: str
    stored: str
    kept: frozenset[str] | None = frozenset()
    converted: bool = False


CLUSTER = (
    Resource(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "apiextensions.k8s.io/customresourcedefinitions",
        None,
        converted=True,
    ),
    Resource(
        "/apis/apiextensions.crossplane.io/v1alpha1/managedresourcedefinitions",
        "apiextensions.crossplane.io/managedresourcedefinitions",
        None,
    ),
    Resource(
        "/apis/apiextensions.crossplane.io/v1alpha1/managedresourceactivationpolicies",
        "apiextensions.crossplane.io/managedresourceactivationpolicies",
        frozenset({"activated"}),
    ),
    Resource("/apis/pkg.crossplane.io/v1beta1/deploymentruntimeconfigs", "pkg.crossplane.io/deploymentruntimeconfigs"),
    # Without conditions: that it is healthy is said by the Crossplane of the node.
    Resource(
        "/apis/pkg.crossplane.io/v1/providers",
        "pkg.crossplane.io/providers",
        frozenset({"currentIdentifier", "currentRevision", "resolvedPackage"}),
    ),
    Resource(
        "/apis/pkg.crossplane.io/v1/providerrevisions",
        "pkg.crossplane.io/providerrevisions",
        frozenset({"objectRefs", "resolvedImage", "tlsClientSecretName", "tlsServerSecretName"}),
    ),
    Resource("/apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles"),
    Resource("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "clusterrolebindings"),
    Resource("/apis/networking.k8s.io/v1/ipaddresses", "ipaddresses"),
)
# Of Crossplane's namespace.
NAMESPACED = (
    Resource("/api/v1/namespaces/{namespace}/serviceaccounts", "serviceaccounts/{namespace}"),
    Resource("/api/v1/namespaces/{namespace}/services", "services/specs/{namespace}"),
    Resource("/api/v1/namespaces/{namespace}/secrets", "secrets/{namespace}"),
    Resource("/apis/apps/v1/namespaces/{namespace}/deployments", "deployments/{namespace}"),
)


@dataclass(frozen=True)
class Identity:
    """What of a node its objects name: `owner` by their labels, `registry` (host:port) from which packages come."""

    owner: str
    registry: str


@dataclass(frozen=True)
class Stored:
    """An object as etcd has it."""

    key: str
    value: Json


def base_digest(parts: Mapping[str, str], settings: Any) -> str:
    """The digest of a base's inputs: digests of the parts by name, and the settings (JSON)."""
    inputs = json.dumps([FORMAT, dict(parts), settings], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()[:16]


def read(get: Callable[[str], Json], value: Callable[[str], Json], namespace: str, identity: Identity) -> list[Stored]:
    """The base of a node: `get` reads a path of its API, `value` a key of its etcd, `namespace` is Crossplane's. Raises BaseError.

    The objects have placeholders for what is the node's own.
    """
    found = [(Resource("", "namespaces", None), get(f"/api/v1/namespaces/{namespace}"))]
    for resource in CLUSTER + NAMESPACED:
        path, stored = (text.format(namespace=namespace) for text in (resource.path, resource.stored))
        answer = get(path)
        version, kind = answer["apiVersion"], answer["kind"].removesuffix("List")
        # Custom resources have these in a list, too, in the order in which they are stored; of others they are stored first, in this one.
        found += [
            (
                replace(resource, stored=stored),
                item if "kind" in item else {"kind": kind, "apiVersion": version, **item},
            )
            for item in answer["items"]
        ]
    uids = belonging([one for _resource, one in found], namespace, identity.owner)
    if not any(one["kind"] == "Provider" and one["metadata"]["uid"] in uids for _resource, one in found):
        raise BaseError(f"No provider in it has the label {OWNER}={identity.owner}.")
    belong = [
        (resource, f"/registry/{resource.stored}/{one['metadata']['name']}", one)
        for resource, one in found
        if one["metadata"]["uid"] in uids
    ]
    services = {package_of(one) for _resource, _key, one in belong if serves_webhooks(one)}
    base = [
        Stored(key, prepared(value(key) if resource.converted else one, resource.kept, services))
        for resource, key, one in belong
    ]
    return impersonal(base, identity)


def serves_webhooks(one: Json) -> bool:
    """Whether it is the revision of a package that runs, and for which Crossplane makes a certificate."""
    spec, status = one.get("spec") or {}, one.get("status") or {}
    return (
        one["kind"] == "ProviderRevision" and spec.get("desiredState") == "Active" and "tlsServerSecretName" in status
    )


def package_of(revision: Json) -> str:
    return str(revision["metadata"]["labels"][PACKAGE])


def belonging(objects: Collection[Json], namespace: str, owner: str) -> set[str]:
    """The UIDs of those of the objects that Crossplane and its providers consist of, and that have this owner.

    An object that others of them own belongs to them if all its owners do.
    """
    named = Named(
        namespace,
        owner,
        configs=frozenset(
            one["spec"]["runtimeConfigRef"]["name"]
            for one in objects
            if one["kind"] == "Provider" and owner_of(one) == owner and "runtimeConfigRef" in one["spec"]
        ),
        releases=frozenset(one["metadata"]["labels"]["name"] for one in objects if is_record(one, owner)),
    )
    ours: dict[str, Json] = {}
    before = -1
    while len(ours) != before:
        before = len(ours)
        ours |= {one["metadata"]["uid"]: one for one in objects if belongs(one, ours, named)}
    return set(ours)


@dataclass(frozen=True)
class Named:
    """By what an object is known to be ours: Crossplane's namespace, the owner, our providers' runtime configs, our releases."""

    namespace: str
    owner: str
    configs: frozenset[str]
    releases: frozenset[str]


def belongs(one: Json, ours: Mapping[str, Json], named: Named) -> bool:
    """Whether an object belongs to those that are `ours` by UID."""
    metadata, kind = one["metadata"], one["kind"]
    if "deletionTimestamp" in metadata:
        return False
    owners = metadata.get("ownerReferences") or []
    if kind == "Secret":
        release = (metadata.get("annotations") or {}).get(RELEASE)
        return not owners and (is_record(one, named.owner) or release in named.releases)
    if kind == "IPAddress":
        parent = one["spec"]["parentRef"]
        return parent["resource"] == "services" and any(
            (other["kind"], named.namespace, other["metadata"]["name"])
            == ("Service", parent["namespace"], parent["name"])
            for other in ours.values()
        )
    if owners:
        return all(reference["uid"] in ours for reference in owners)
    if kind == "DeploymentRuntimeConfig" and metadata["name"] not in named.configs:
        return False
    if kind == "CustomResourceDefinition" and owner_of(one) is None:
        # Crossplane's core makes them without a label.
        return bool(one["spec"]["group"].endswith(".crossplane.io"))
    return owner_of(one) == named.owner


def owner_of(one: Json) -> str | None:
    return (one["metadata"].get("labels") or {}).get(OWNER)


def is_record(one: Json, owner: str) -> bool:
    """Whether it is Helm's record of our release."""
    return one.get("type") == RELEASE_SECRET and owner_of(one) == owner


def prepared(one: Json, kept: Collection[str] | None, services: Collection[str] = ()) -> Json:
    """The object as a new node has it: without a version, without data that are secret, and of its status only these fields.

    `services`: those that have a certificate of the node's own.
    """
    metadata = {name: value for name, value in one["metadata"].items() if name != "resourceVersion"}
    result = {**one, "metadata": {**metadata, "creationTimestamp": TIME_HERE}}
    if one["kind"] == "Secret" and one.get("type") != RELEASE_SECRET:
        result.pop("data", None)
    if "conversion" in (one.get("spec") or {}):
        result = copy.deepcopy(result)
        forget_certificate(result["spec"]["conversion"], services)
    if kept is not None and "status" in one:
        result["status"] = {name: value for name, value in one["status"].items() if name in kept}
        if not result["status"]:
            del result["status"]
    return result


def forget_certificate(conversion: Json, services: Collection[str]) -> None:
    """Put a placeholder for the certificate by which the API server knows the provider that converts between a kind's versions.

    Of another than these services there is none, until Crossplane adds it. `conversion`: of a CustomResourceDefinition or
    ManagedResourceDefinition, as v1 or, in etcd, as v1beta1.
    """
    for config in ((conversion.get("webhook") or {}).get("clientConfig"), conversion.get("webhookClientConfig")):
        name = ((config or {}).get("service") or {}).get("name")
        if config and "caBundle" in config and name in services:
            config["caBundle"] = CERTIFICATE_HERE.format(name)
        elif config:
            config.pop("caBundle", None)


def impersonal(base: Iterable[Stored], identity: Identity) -> list[Stored]:
    """The objects with placeholders for owner and registry. BaseError if an address of the node is left in them."""
    changed = [
        exchanged(one, lambda text: text.replace(identity.registry, REGISTRY_HERE).replace(identity.owner, OWNER_HERE))
        for one in base
    ]
    address = identity.registry.partition(":")[0]
    named = [one.key for one in changed if address in json.dumps(one.value)]
    if named:
        raise BaseError(f"The node's address is in {', '.join(named)}.")
    return changed


def personal(
    base: Iterable[Stored],
    identity: Identity,
    time: str,
    certificate: Certificate,
    new: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Iterator[Stored]:
    """The objects for a node: with its owner and registry, made at this time (RFC 3339), with UIDs that no other node has.

    The new UIDs have the order of the old ones, by which the API server sorts what is stored of owners. The certificates of webhooks are
    made here, so that Crossplane finds them and need not put them into each kind's definition.
    """
    kept = list(base)
    old = sorted(one.value["metadata"]["uid"] for one in kept)
    uids = dict(zip(old, sorted(new() for _uid in old), strict=True))
    here = {OWNER_HERE: identity.owner, REGISTRY_HERE: identity.registry, TIME_HERE: time}
    served = [one.value for one in kept if serves_webhooks(one.value)]
    (namespace,) = (one.value["metadata"]["name"] for one in kept if one.value["kind"] == "Namespace")
    secrets = [certificate_secret(one, namespace, certificate) for one in served]
    for revision, secret in zip(served, secrets, strict=True):
        here[CERTIFICATE_HERE.format(package_of(revision))] = secret.value["data"]["tls.crt"]

    def fill(text: str) -> str:
        for placeholder, own in here.items():
            text = text.replace(placeholder, own)
        return UID.sub(lambda match: uids.get(match[0], match[0]), text)

    for one in (*kept, *secrets):
        yield exchanged(one, fill)


def certificate_secret(revision: Json, namespace: str, certificate: Certificate) -> Stored:
    """The Secret in which Crossplane keeps the certificate of a package's webhook, as it makes it, with a new certificate."""
    name, metadata = revision["status"]["tlsServerSecretName"], revision["metadata"]
    public, private = (base64.b64encode(one).decode() for one in certificate(package_of(revision), namespace))
    owner = {
        "apiVersion": revision["apiVersion"],
        "kind": revision["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    value = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": str(uuid.uuid4()),
            "creationTimestamp": TIME_HERE,
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "data": {"ca.crt": public, "tls.crt": public, "tls.key": private},
        "type": "Opaque",
    }
    return Stored(f"/registry/secrets/{namespace}/{name}", value)


def encoded(value: Json) -> bytes:
    """An object in the bytes in which the API server writes it as JSON (Go's encoding/json: no spaces, HTML's characters escaped).

    It writes an object again at the first update that changes nothing if the bytes differ, and then all that watch it do their work again:
    Crossplane applies each CustomResourceDefinition, and the API server makes its OpenAPI documents again.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n").encode()


def exchanged(one: Stored, change: Callable[[str], str]) -> Stored:
    """An object whose texts are changed, those within Helm's record of a release included."""
    value = one.value
    release = None
    if value.get("type") == RELEASE_SECRET:
        release = pack(change(unpack(value["data"]["release"])))
    value = json.loads(change(json.dumps(value)))
    if release is not None:
        value["data"]["release"] = release
    return Stored(change(one.key), value)


def unpack(release: str) -> str:
    """The text of a release, from a Secret's data: base64 of base64 of gzip, as helm.sh/helm/v3/pkg/storage/driver/util.go writes."""
    return gzip.decompress(base64.b64decode(base64.b64decode(release))).decode()


def pack(text: str) -> str:
    """The inverse of unpack()."""
    return base64.b64encode(base64.b64encode(gzip.compress(text.encode(), mtime=0))).decode()
