"""What of a node another one begins with: which objects, and what of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import base, base_store
from ansible_collections.localcloud.stack.plugins.module_utils.node.base import BaseError, Identity, Stored
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache

FIRST = Identity("localcloud-11111111", "10.213.0.2:5000")
SECOND = Identity("localcloud-2222", "10.213.128.130:5000")
NAMESPACE = "crossplane-system"
OURS = {"localcloud.dev/owner": FIRST.owner}
SECRET = "c2VjcmV0"
PATHS = {resource.path.rpartition("/")[2]: resource for resource in base.CLUSTER + base.NAMESPACED}


def uid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def thing(number: int, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    """An object; `owners` are the numbers of those that own it."""
    owners = [{"kind": "Some", "name": "some", "uid": uid(owner)} for owner in rest.pop("owners", [])]
    metadata = {"name": name, "uid": uid(number), "resourceVersion": "7", "creationTimestamp": "2026-11-28T00:00:00Z"}
    metadata |= {"labels": rest.pop("labels", OURS), "annotations": rest.pop("annotations", {})}
    return {"kind": kind, "metadata": {**metadata, **({"ownerReferences": owners} if owners else {})}, **rest}


def release(number: int, text: str, **rest: Any) -> dict[str, Any]:
    labels = {**OURS, "owner": "helm", "name": "crossplane"}
    return thing(
        number, "Secret", f"sh.helm.release.v1.crossplane.v{number}", type=base.RELEASE_SECRET,
        labels=rest.pop("labels", labels), data={"release": base.pack(text)},
    )  # fmt: skip


CRD = "CustomResourceDefinition"
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}], "storedVersions": ["v1"]}
SERVICE = {"service": {"name": "provider-aws", "namespace": NAMESPACE, "path": "/convert", "port": 9443}}
CONVERTED = {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": SERVICE | {"caBundle": SECRET}}}}
HELM = {base.RELEASE: "crossplane"}
# By the last word of the path; what is kept has a number below 100.
NODE: dict[str, list[dict[str, Any]]] = {
    "customresourcedefinitions": [
        thing(1, CRD, "providers.pkg.crossplane.io", labels={}, spec={"group": "pkg.crossplane.io"}, status=ESTABLISHED),
        thing(2, CRD, "queues.sqs.aws.upbound.io", owners=[3, 6], spec={"group": "sqs.aws.upbound.io"} | CONVERTED, status=ESTABLISHED),
        thing(100, CRD, "eventpipelines.localcloud.dev", owners=[900], spec={"group": "localcloud.dev"}),
        thing(101, CRD, "orders.example.org", labels={}, spec={"group": "example.org"}),
        thing(102, CRD, "half.example.org", owners=[3, 900], spec={"group": "example.org"}),
    ],
    "managedresourcedefinitions": [thing(3, "ManagedResourceDefinition", "queues.sqs.aws.upbound.io", owners=[6])],
    "managedresourceactivationpolicies": [
        thing(4, "ManagedResourceActivationPolicy", f"{FIRST.owner}-aws", status={"activated": ["q"], "conditions": [1]}),
        thing(103, "ManagedResourceActivationPolicy", "default", labels={}),
    ],
    "deploymentruntimeconfigs": [
        thing(5, "DeploymentRuntimeConfig", "provider-aws"),
        thing(104, "DeploymentRuntimeConfig", "function-event-pipeline"),
        thing(105, "DeploymentRuntimeConfig", "default", labels={}),
    ],
    "providers": [
        thing(
            6, "Provider", "provider-aws",
            spec={"package": f"{FIRST.registry}/provider:1", "runtimeConfigRef": {"name": "provider-aws"}},
            status={"conditions": [{"type": "Healthy"}], "currentRevision": "provider-aws-1"},
        ),
        thing(106, "Provider", "theirs", labels={"localcloud.dev/owner": "team-b"}, spec={"runtimeConfigRef": {"name": "x"}}),
    ],
    "providerrevisions": [
        thing(
            7, "ProviderRevision", "provider-aws-1", labels={base.PACKAGE: "provider-aws"}, owners=[6], apiVersion="pkg.crossplane.io/v1",
            spec={"desiredState": "Active"}, status={"tlsServerSecretName": "provider-aws-tls-server", "conditions": [1]},
        ),
        thing(107, "ProviderRevision", "theirs-1", labels={}, owners=[106]),
    ],
    "clusterroles": [
        thing(8, "ClusterRole", "crossplane:provider:provider-aws-1:system", labels={}, owners=[7]),
        thing(108, "ClusterRole", "view", labels={}),
        thing(109, "ClusterRole", "crossplane:composite:eventpipelines", labels={}, owners=[900]),
    ],
    "clusterrolebindings": [thing(9, "ClusterRoleBinding", "crossplane")],
    "ipaddresses": [
        thing(
            10, "IPAddress", "10.96.1.2", labels={},
            spec={"parentRef": {"resource": "services", "namespace": NAMESPACE, "name": "crossplane-webhooks"}},
        ),
        thing(
            110, "IPAddress", "10.96.0.1", labels={},
            spec={"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}},
        ),
    ],
    "serviceaccounts": [
        thing(11, "ServiceAccount", "crossplane"),
        thing(111, "ServiceAccount", "default", labels={}),
    ],
    "services": [thing(12, "Service", "crossplane-webhooks", spec={"clusterIP": "10.96.1.2"}, status={"loadBalancer": {}})],
    "secrets": [
        release(13, json.dumps({"values": {"owner": FIRST.owner, "uid": uid(6)}})),
        thing(14, "Secret", "crossplane-tls-server", labels={}, annotations=HELM, data={"tls.key": SECRET}),
        thing(112, "Secret", "aws-credentials", data={"credentials": SECRET}),
        thing(113, "Secret", "provider-aws-tls-server", labels={}, owners=[7], data={"tls.key": SECRET}),
        thing(114, "Secret", "of-another-release", labels={}, annotations={base.RELEASE: "other"}, data={"a": SECRET}),
        release(115, "of another", labels={"owner": "helm", "name": "other"}),
    ],
    "deployments": [
        thing(15, "Deployment", "crossplane", status={"availableReplicas": 1}),
        thing(116, "Deployment", "going", metadata={}) | {
            "metadata": thing(116, "Deployment", "going")["metadata"] | {"deletionTimestamp": "2026-11-28T00:00:00Z"}
        },
    ],
}  # fmt: skip


def get(path: str) -> dict[str, Any]:
    """The API of the first node."""
    name = path.rpartition("/")[2]
    if name == NAMESPACE:
        return {"apiVersion": "v1", **thing(16, "Namespace", NAMESPACE, status={"phase": "Active"})}
    assert path == PATHS[name].path.format(namespace=NAMESPACE)
    return {
        "apiVersion": "some/v1",
        "kind": f"{NODE[name][0]['kind']}List",
        "items": json.loads(json.dumps(NODE[name])),
    }


def value(key: str) -> dict[str, Any]:
    """A CustomResourceDefinition as etcd has it."""
    name = key.removeprefix("/registry/apiextensions.k8s.io/customresourcedefinitions/")
    found = json.loads(
        json.dumps(next(one for one in NODE["customresourcedefinitions"] if one["metadata"]["name"] == name))
    )
    if "conversion" in found["spec"]:
        found["spec"]["conversion"] = {"strategy": "Webhook", "webhookClientConfig": SERVICE | {"caBundle": SECRET}}
    return {"apiVersion": "apiextensions.k8s.io/v1beta1", **found}


def pair(service: str, namespace: str) -> tuple[bytes, bytes]:
    return f"{service}.{namespace}".encode(), b"key"


def kept() -> list[Stored]:
    return base.read(get, value, NAMESPACE, FIRST)


def named(objects: list[Stored], name: str) -> dict[str, Any]:
    (found,) = (one.value for one in objects if one.value["metadata"]["name"] == name)
    return found


def test_what_belongs_to_crossplane_and_nothing_else_is_kept() -> None:
    assert sorted(int(one.value["metadata"]["uid"][:8], 16) for one in kept()) == list(range(1, 17))
    assert {one.key for one in kept()} >= {
        "/registry/apiextensions.k8s.io/customresourcedefinitions/queues.sqs.aws.upbound.io",
        "/registry/namespaces/crossplane-system",
        "/registry/services/specs/crossplane-system/crossplane-webhooks",
        "/registry/ipaddresses/10.96.1.2",
        "/registry/apiextensions.crossplane.io/managedresourceactivationpolicies/<owner>-aws",
    }


def test_the_certificate_of_a_conversion_is_each_nodes_own() -> None:
    (definition,) = (one.value for one in kept() if one.value["kind"] == CRD and "conversion" in one.value["spec"])
    conversion = definition["spec"]["conversion"]
    told = SERVICE | {"caBundle": base.CERTIFICATE_HERE.format("provider-aws")}
    assert conversion == {"strategy": "Webhook", "webhookClientConfig": told}, "as etcd has it"


def test_a_conversion_of_another_service_has_no_certificate_until_crossplane_adds_it() -> None:
    conversion = {"webhook": {"clientConfig": {"service": {"name": "provider-gone"}, "caBundle": SECRET}}}
    base.forget_certificate(conversion, {"provider-aws"})
    assert conversion == {"webhook": {"clientConfig": {"service": {"name": "provider-gone"}}}}


def test_crossplane_finds_the_certificate_that_its_kinds_trust() -> None:
    asked = []

    def certificate(service: str, namespace: str) -> tuple[bytes, bytes]:
        asked.append((service, namespace))
        return b"public", b"private"

    taken = list(base.personal(kept(), SECOND, "now", certificate))
    assert asked == [("provider-aws", NAMESPACE)]
    secret, revision = named(taken, "provider-aws-tls-server"), named(taken, "provider-aws-1")
    assert {name: base64.b64decode(one) for name, one in secret["data"].items()} == {
        "ca.crt": b"public", "tls.crt": b"public", "tls.key": b"private",
    }  # fmt: skip
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == revision["metadata"]["uid"]
    assert owner["controller"]
    (definition,) = (one.value for one in taken if one.value["kind"] == CRD and "conversion" in one.value["spec"])
    assert definition["spec"]["conversion"]["webhookClientConfig"]["caBundle"] == secret["data"]["tls.crt"]


def test_no_secret_is_kept() -> None:
    assert SECRET not in json.dumps([one.value for one in kept()])
    assert "data" not in named(kept(), "crossplane-tls-server")


def test_a_node_says_itself_what_runs() -> None:
    assert "status" not in named(kept(), "crossplane-webhooks")
    assert [one.value.get("status") for one in kept() if one.value["kind"] in ("Provider", "Deployment")] == [
        {"currentRevision": "provider-aws-1"},
        None,
    ]
    assert named(kept(), "providers.pkg.crossplane.io")["status"] == ESTABLISHED


def test_nothing_names_the_node_that_it_is_from() -> None:
    text = json.dumps([[one.key, one.value] for one in kept()])
    assert FIRST.owner not in text
    assert FIRST.registry not in text
    (record,) = (one.value for one in kept() if one.value.get("type") == base.RELEASE_SECRET)
    assert FIRST.owner not in base.unpack(record["data"]["release"])


def test_an_address_that_would_be_wrong_elsewhere() -> None:
    def elsewhere(path: str) -> dict[str, Any]:
        answer = get(path)
        if path.endswith("/clusterrolebindings"):
            answer["items"][0]["metadata"]["annotations"]["from"] = "10.213.0.2"
        return answer

    with pytest.raises(BaseError, match="clusterrolebindings/crossplane"):
        base.read(elsewhere, value, NAMESPACE, FIRST)


def test_a_node_without_a_provider_of_ours() -> None:
    with pytest.raises(BaseError, match="No provider"):
        base.read(get, value, NAMESPACE, Identity("somebody-else", FIRST.registry))


def test_each_node_has_its_own() -> None:
    numbers = iter(range(1000, 2000))
    taken = list(base.personal(kept(), SECOND, "2027-01-01T00:00:00Z", pair, lambda: uid(next(numbers))))
    text = json.dumps([[one.key, one.value] for one in taken])
    assert not any(mark in text for mark in (base.OWNER_HERE, base.REGISTRY_HERE, base.TIME_HERE))
    provider, revision = named(taken, "provider-aws-1"), named(taken, "crossplane:provider:provider-aws-1:system")
    assert provider["metadata"]["uid"] == revision["metadata"]["ownerReferences"][0]["uid"]
    uids = [one.value["metadata"]["uid"] for one in taken]
    assert min(uids) >= uid(1000)
    assert len(set(uids)) == len(uids)
    assert {one.value["metadata"]["creationTimestamp"] for one in taken} == {"2027-01-01T00:00:00Z"}
    (record,) = (one.value for one in taken if one.value.get("type") == base.RELEASE_SECRET)
    values = json.loads(base.unpack(record["data"]["release"]))["values"]
    provider = next(one.value for one in taken if one.value["kind"] == "Provider")
    assert values == {"owner": SECOND.owner, "uid": provider["metadata"]["uid"]}
    assert provider["spec"]["package"] == f"{SECOND.registry}/provider:1"
    assert f"/registry/apiextensions.crossplane.io/managedresourceactivationpolicies/{SECOND.owner}-aws" in {
        one.key for one in taken
    }


def test_what_is_sorted_by_uids_stays_sorted() -> None:
    uids = [one.value["metadata"]["uid"] for one in kept()]
    new = [one.value["metadata"]["uid"] for one in base.personal(kept(), SECOND, "now", pair)][: len(uids)]
    assert sorted(range(len(uids)), key=uids.__getitem__) == sorted(range(len(new)), key=new.__getitem__)


def test_objects_are_written_as_the_api_server_writes_them() -> None:
    written = base.encoded({"kind": "Some", "spec": {"text": 'a<b> & \u2028 é "\n', "number": 1, "no": []}})
    assert (
        written
        == b'{"kind":"Some","spec":{"text":"a\\u003cb\\u003e \\u0026 \\u2028 \xc3\xa9 \\"\\n","number":1,"no":[]}}\n'
    )


def test_two_nodes_share_no_uid() -> None:
    first, second = (
        {one.value["metadata"]["uid"] for one in base.personal(kept(), SECOND, "now", pair)} for _node in range(2)
    )
    assert not first & second


@pytest.mark.parametrize(
    ("parts", "settings"),
    [({"a": "2"}, {"s": 1}), ({"b": "1"}, {"s": 1}), ({"a": "1"}, {"s": 2}), ({"a": "1", "b": "1"}, {"s": 1})],
)
def test_another_input_is_another_base(parts: dict[str, str], settings: dict[str, int]) -> None:
    assert base.base_digest(parts, settings) != base.base_digest({"a": "1"}, {"s": 1})


def test_another_format_is_another_base(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.base_digest({}, {})
    monkeypatch.setattr(base, "FORMAT", base.FORMAT + 1)
    assert base.base_digest({}, {}) != before


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def test_a_base_is_taken_as_it_was_kept(cache: Cache) -> None:
    assert base_store.take(cache, "1") is None
    assert base_store.keep(cache, "1", kept())
    assert not base_store.keep(cache, "1", [])
    assert base_store.take(cache, "1") == kept()
    assert base_store.take(cache, "2") is None


@pytest.mark.parametrize("name", [base_store.OBJECTS, base_store.MANIFEST])
@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"sha256": 1}', "no JSON"])
def test_a_damaged_base_is_never_taken(cache: Cache, name: str, content: str | None) -> None:
    base_store.keep(cache, "1", kept())
    path = cache.path(base_store.PREFIX, "1") / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert base_store.take(cache, "1") is None
    # It is gone, so that the next node's can be kept.
    assert base_store.keep(cache, "1", kept())
    assert base_store.take(cache, "1") == kept()


def test_only_some_bases_are_kept(cache: Cache) -> None:
    for number in range(base_store.KEPT + 3):
        base_store.keep(cache, str(number), [])
    assert len(list(cache.results.iterdir())) == base_store.KEPT
    assert base_store.take(cache, str(base_store.KEPT + 2)) == []
