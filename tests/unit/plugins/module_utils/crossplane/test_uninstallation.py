"""Removal plans take only what is the owner's and nobody else needs, whatever else there is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import core
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.uninstallation import (
    Plan,
    Settings,
    plan,
    survey,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from hypothesis import given
from hypothesis import strategies as st

PKG, EXT = "pkg.crossplane.io/v1", "apiextensions.crossplane.io/v1"
AWS, SNS = "aws.upbound.io/v1beta1", "sns.aws.upbound.io/v1beta1"
# Kind to group and version, plural, categories.
KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "Provider": (PKG, "providers", ()),
    "ProviderRevision": (PKG, "providerrevisions", ()),
    "Function": (PKG, "functions", ()),
    "Configuration": (PKG, "configurations", ()),
    "Lock": ("pkg.crossplane.io/v1beta1", "locks", ()),
    "DeploymentRuntimeConfig": ("pkg.crossplane.io/v1beta1", "deploymentruntimeconfigs", ()),
    "CompositeResourceDefinition": (EXT, "compositeresourcedefinitions", ()),
    "Composition": (EXT, "compositions", ()),
    "ManagedResourceActivationPolicy": (
        "apiextensions.crossplane.io/v1alpha1",
        "managedresourceactivationpolicies",
        (),
    ),
    "ManagedResourceDefinition": ("apiextensions.crossplane.io/v1alpha1", "managedresourcedefinitions", ()),
    "ProviderConfig": (AWS, "providerconfigs", ("provider",)),
    "ProviderConfigUsage": (AWS, "providerconfigusages", ("provider",)),
    "Topic": (SNS, "topics", ("managed",)),
    # Of another provider, and without any category.
    "Release": ("helm.crossplane.io/v1beta1", "releases", ()),
    "ReleaseProviderConfigUsage": ("helm.crossplane.io/v1beta1", "providerconfigusages", ()),
    "EventPipeline": ("localcloud.dev/v1", "eventpipelines", ()),
    # Not Crossplane's.
    "Application": ("argoproj.io/v1", "applications", ()),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions", ()),
}
CONFIG = {"credentials": {"secretRef": {"namespace": "crossplane-system", "name": "aws-credentials"}}}
PIPELINE = {
    "group": "localcloud.dev",
    "names": {"kind": "EventPipeline", "plural": "eventpipelines"},
}
COMPOSITION = {
    "compositeTypeRef": {"apiVersion": "localcloud.dev/v1", "kind": "EventPipeline"},
    "pipeline": [{"functionRef": {"name": "event-pipeline"}}],
}


def made(kind: str, name: str, owner: str | None = "me", **more: Any) -> tuple[str, dict[str, Any]]:
    metadata = {"name": name, "uid": f"{kind}/{name}", "labels": {} if owner is None else {OWNER: owner}}
    above = more.pop("of", None)
    if above:
        metadata["ownerReferences"] = [{"uid": above}]
    if "namespace" in more:
        metadata["namespace"] = more.pop("namespace")
    if "managers" in more:
        metadata["managedFields"] = [{"manager": one} for one in more.pop("managers")]
    return kind, {"metadata": metadata, **more}


def secret(name: str = "aws-credentials", owner: str | None = "me") -> tuple[str, dict[str, Any]]:
    return made("Secret", name, owner, namespace="crossplane-system")


def policy(owner: str | None = "me") -> tuple[str, dict[str, Any]]:
    selector = {"matchExpressions": [{"key": "localcloud.dev/provider", "operator": "Exists"}]}
    return made("NetworkPolicy", "no-internet", owner, namespace="crossplane-system", spec={"podSelector": selector})


OURS = [
    made("Provider", "provider-aws", spec={"package": "r/aws:v1", "runtimeConfigRef": {"name": "provider-aws"}}),
    made(
        "ProviderRevision",
        "provider-aws-1",
        None,
        of="Provider/provider-aws",
        status={"objectRefs": [{"name": "topics.sns.aws.upbound.io"}, {"name": "providerconfigs.aws.upbound.io"}]},
    ),
    made("ManagedResourceDefinition", "topics.sns.aws.upbound.io", of="ProviderRevision/provider-aws-1"),
    made("DeploymentRuntimeConfig", "provider-aws", spec={"deploymentTemplate": {}}),
    made("ManagedResourceActivationPolicy", "me-aws"),
    made("ProviderConfig", "default", spec=CONFIG),
    made("CustomResourceDefinition", "topics.sns.aws.upbound.io", spec={"group": "sns.aws.upbound.io"}),
    secret(),
    policy(),
]
PIPELINES = [
    made("CompositeResourceDefinition", "eventpipelines.localcloud.dev", spec=PIPELINE),
    made("Composition", "event-pipeline", spec=COMPOSITION),
    made("Function", "event-pipeline", spec={"package": "r/f:v1"}),
    made("EventPipeline", "mine"),
]
OF_CROSSPLANE = [
    made("Lock", "lock", None, packages=[]),
    made("DeploymentRuntimeConfig", "default", None),
]


class Cluster:
    """An API server with these objects and a Crossplane of each of these owners. Kinds in C(denied) may not be listed."""

    def __init__(
        self, objects: Any, cores: tuple[str | None, ...] = ("me",), denied: tuple[str, ...] = (), called: str = ""
    ) -> None:
        self.objects, self.denied, self.called = list(objects), denied, called
        self.cores = [
            {
                "metadata": {
                    "name": "crossplane",
                    "namespace": "crossplane-system",
                    "labels": {OWNER: one} if one else {},
                }
            }
            for one in cores
        ]

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        if path == "/apis":
            versions: dict[str, list[Any]] = {}
            for version, _plural, _categories in KINDS.values():
                one = {"groupVersion": version}
                group = versions.setdefault(version.partition("/")[0], [])
                if one not in group:
                    group.append(one)
            return {"groups": [{"name": name, "versions": found} for name, found in versions.items()]}
        if path == "/apis/apps/v1/deployments":
            return {"items": self.cores}
        for kind, (version, plural, _categories) in KINDS.items():
            if path == f"/apis/{version}/{plural}":
                if kind in self.denied:
                    raise ApiError(403, "forbidden")
                return {"items": [obj for found, obj in self.objects if found == kind and selected(obj, params)]}
        resources = [
            {"kind": "ProviderConfigUsage" if "ConfigUsage" in kind else kind, "name": plural, "categories": categories}
            for kind, (version, plural, categories) in KINDS.items()
            if path == f"/apis/{version}"
        ]
        if resources:
            return {"resources": [{**one, "verbs": ["list"]} for one in resources]}
        if path.endswith("/networkpolicies"):
            return {"items": [obj for kind, obj in self.objects if kind == "NetworkPolicy" and selected(obj, params)]}
        for kind, obj in self.objects:
            if kind == "Secret" and path.endswith(f"/secrets/{obj['metadata']['name']}"):
                return obj
        if self.called and path.endswith("/crossplane-no-usages"):
            return {"webhooks": [{"clientConfig": {"service": {"namespace": self.called}}}]}
        raise ApiError(404, "not found")


def selected(obj: dict[str, Any], params: Mapping[str, str]) -> bool:
    name, _equals, value = params.get("labelSelector", "").partition("=")
    return not name or obj["metadata"]["labels"].get(name) == value


def planned(
    *objects: Any, cores: tuple[str | None, ...] = ("me",), denied: tuple[str, ...] = (), **settings: Any
) -> Plan:
    seen = survey(Cluster(objects, cores, denied), [("crossplane-system", "aws-credentials")], "me")
    return plan(seen, Settings("me", **settings))


def names(references: list[dict[str, Any]]) -> set[str]:
    return {f"{one['kind']}/{one['name']}" for one in references}


def going(found: Plan) -> set[str]:
    return names(found.composites + [one for stage in found.stages.values() for one in stage])


def kept(found: Plan) -> dict[str, str]:
    return {f"{one['kind']}/{one['name']}": one["reason"] for one in found.kept}


ALL = {
    f"{kind}/{obj['metadata']['name']}"
    for kind, obj in OURS
    if kind not in ("ProviderRevision", "ManagedResourceDefinition")
}


def test_alone_everything_goes() -> None:
    found = planned(*OURS, *PIPELINES, *OF_CROSSPLANE)
    assert going(found) == ALL | {f"{kind}/{obj['metadata']['name']}" for kind, obj in PIPELINES}
    assert found.removes_core
    assert found.kept == []
    assert names(found.remnants) == {
        "Lock/lock",
        "DeploymentRuntimeConfig/default",
        "ProviderRevision/provider-aws-1",
    }


def test_what_uses_something_goes_before_it() -> None:
    stages = list(planned(*OURS).stages)
    assert stages.index("configs") < stages.index("providers") < stages.index("definitions")


def test_a_composite_of_others_keeps_kind_composition_function_and_what_its_resources_use() -> None:
    theirs = made("EventPipeline", "theirs", None)
    topic = made(
        "Topic", "theirs-topic", None, of="EventPipeline/theirs", spec={"providerConfigRef": {"name": "default"}}
    )
    found = planned(*OURS, *PIPELINES, theirs, topic)
    assert going(found) == {"EventPipeline/mine"}
    assert not found.removes_core
    reasons = kept(found)
    for name in ("CompositeResourceDefinition/eventpipelines.localcloud.dev", "Composition/event-pipeline"):
        assert "EventPipeline/theirs [no label" in reasons[name]
    assert "used by Composition/event-pipeline" in reasons["Function/event-pipeline"]
    assert "Topic/theirs-topic" in reasons["ProviderConfig/default"]
    assert "Secret/aws-credentials" in reasons
    assert "NetworkPolicy/no-internet" in reasons


def test_another_stack_keeps_provider_and_core_and_this_one_s_configuration_goes() -> None:
    found = planned(
        *OURS,
        made("ProviderConfig", "b", "b", spec={}),
        made("Topic", "b-orders", "b", spec={"providerConfigRef": {"name": "b"}}),
        made("ManagedResourceActivationPolicy", "b-aws", "b"),
    )
    assert going(found) == {"ProviderConfig/default", "Secret/aws-credentials"}
    assert not found.removes_core
    assert "Topic/b-orders [owner b]" in kept(found)["Provider/provider-aws"]
    assert "DeploymentRuntimeConfig/provider-aws" in kept(found)


def test_the_user_of_another_s_crossplane_removes_its_own_and_names_what_remains() -> None:
    provider = made("Provider", "provider-aws", "a", spec={"package": "r/aws:v1"})
    found = planned(provider, made("ProviderConfig", "default", spec=CONFIG), secret(), cores=("a",))
    assert going(found) == {"ProviderConfig/default", "Secret/aws-credentials"}
    assert not found.removes_core
    assert found.brought == []
    assert kept(found) == {
        "Crossplane/crossplane": "installed by others (owner a), who remove it; no other owner uses it",
    }


@pytest.mark.parametrize(
    "theirs",
    [
        made("Provider", "provider-helm", None, spec={"package": "r/helm:v1"}),
        made("Function", "patch", None, spec={"package": "r/patch:v1"}),
        made("Configuration", "platform", None, spec={"package": "r/platform:v1"}),
        made(
            "CompositeResourceDefinition",
            "xs.acme.org",
            None,
            spec={"group": "acme.org", "names": {"kind": "X", "plural": "xs"}},
        ),
        made("Composition", "x", None, spec={}),
        made("DeploymentRuntimeConfig", "theirs", None, spec={}),
        made(
            "DeploymentRuntimeConfig",
            "default",
            None,
            spec={"deploymentTemplate": {}},
            managers=["crossplane", "kubectl"],
        ),
        made("ReleaseProviderConfigUsage", "u", None),
    ],
    ids=lambda one: f"{one[0]}-{one[1]['metadata']['name']}",
)
def test_what_others_have_of_crossplane_keeps_the_core_but_not_our_provider(theirs: Any) -> None:
    found = planned(*OURS, theirs)
    assert not found.removes_core
    assert theirs[1]["metadata"]["name"] in kept(found)["Crossplane/crossplane"]
    assert going(found) == ALL


def test_kinds_that_have_nothing_to_do_with_crossplane_do_not_matter() -> None:
    assert planned(*OURS, made("Application", "a", None), made("Release", "r", None)).removes_core


def test_a_resource_of_ours_that_is_still_there_keeps_its_provider() -> None:
    topic = made("Topic", "orders", "me", spec={"providerConfigRef": {"name": "default"}})
    assert "Topic/orders [owner me]" in kept(planned(*OURS, topic))["ProviderConfig/default"]
    assert planned(*OURS, topic, predicted=True).removes_core, "in check mode another task would have removed it"
    more = made("Topic", "more", "me-users-api")
    assert not planned(*OURS, more, predicted=True).removes_core
    assert planned(*OURS, more, predicted=True, going=frozenset({"me-users-api"})).removes_core


def test_what_our_composites_are_made_of_goes_with_them() -> None:
    topic = made("Topic", "t", None, of="EventPipeline/mine", spec={"providerConfigRef": {"name": "default"}})
    usage = made("ProviderConfigUsage", "u", None, of="Topic/t", providerConfigRef={"name": "default"})
    assert planned(*OURS, *PIPELINES, topic, usage).removes_core


def test_a_usage_whose_resource_is_gone_counts_until_it_is_removed() -> None:
    found = planned(
        *OURS, made("ProviderConfigUsage", "u", None, of="Topic/gone", providerConfigRef={"name": "default"})
    )
    assert found.usages == [{"api_version": "aws.upbound.io/v1beta1", "kind": "ProviderConfigUsage", "name": "u"}]
    assert not found.removes_core
    assert "ProviderConfig/default" in kept(found)


@pytest.mark.parametrize("kind", ["Topic", "Function", "ReleaseProviderConfigUsage"])
def test_what_can_not_be_asked_counts_as_used(kind: str) -> None:
    found = planned(*OURS, denied=(kind,))
    assert not found.removes_core
    assert going(found) == set()
    assert "can't be asked" in kept(found)["Provider/provider-aws"]
    assert "forbidden" in kept(found)["Crossplane/crossplane"]


FAMILY = "r/family"


def locked(*more: dict[str, Any]) -> Any:
    ours = {"source": "r/aws", "dependencies": [{"package": FAMILY}]}
    return made("Lock", "lock", None, packages=[ours, {"source": FAMILY, "dependencies": []}, *more])


def test_a_package_that_only_ours_depend_on_is_not_somebody_else_s() -> None:
    family = made("Provider", "family", None, spec={"package": f"{FAMILY}:v1"}, managers=["crossplane"])
    assert planned(*OURS, family, locked()).removes_core
    by_hand = made("Provider", "family", None, spec={"package": f"{FAMILY}:v1"}, managers=["kubectl"])
    assert not planned(*OURS, by_hand, locked()).removes_core
    others = {"source": "r/theirs", "dependencies": [{"package": FAMILY}]}
    assert not planned(*OURS, family, locked(others)).removes_core


def test_a_package_of_others_that_depends_on_ours_keeps_it() -> None:
    theirs = made("Configuration", "platform", None, spec={"package": "r/platform:v1"})
    lock = made("Lock", "lock", None, packages=[{"source": "r/platform", "dependencies": [{"package": "r/aws"}]}])
    assert "Configuration/platform" in kept(planned(*OURS, theirs, lock))["Provider/provider-aws"]


def test_the_core_s_own_kinds_are_named_and_no_others() -> None:
    seen = survey(Cluster(OURS, called="crossplane-system"), [], "me")
    brought = {one["name"] for one in plan(seen, Settings("me")).brought}
    assert {"providers.pkg.crossplane.io", "compositions.apiextensions.crossplane.io"} < brought
    assert "crossplane-no-usages" in brought
    assert not any("helm" in one or "aws" in one or one.endswith("k8s.io") for one in brought)
    elsewhere = survey(Cluster(OURS, called="other"), [], "me")
    assert "crossplane-no-usages" not in {one["name"] for one in plan(elsewhere, Settings("me")).brought}


def test_the_list_is_that_of_the_pinned_version() -> None:
    parts = yaml.safe_load((Path(__file__).resolve().parents[5] / "toolchain/parts.yml").read_text())
    assert parts["parts"]["crossplane"]["version"] == core.SOURCE_VERSION
    assert len(core.DEFINITIONS) == 21


OWNERS = st.sampled_from([None, "", "me", "b"])
CROWD = st.lists(
    st.tuples(st.sampled_from(sorted({*KINDS} - {"Lock"})), st.sampled_from("pqr"), OWNERS),
    unique_by=lambda one: one[:2],
)
SPECS: dict[str, Any] = {
    "CompositeResourceDefinition": {"group": "acme.org", "names": {"kind": "X", "plural": "xs"}},
    "Composition": COMPOSITION,
    "ProviderConfig": CONFIG,
    "Topic": {"providerConfigRef": {"name": "default"}},
}


@given(CROWD, st.sampled_from([("me",), ("b",), (None,), ("me", "b"), ()]), st.booleans())
def test_whatever_is_there_only_ours_goes_and_nothing_that_others_need(
    crowd: list[tuple[str, str, str | None]], cores: tuple[str | None, ...], predicted: bool
) -> None:
    theirs = [made(kind, name, owner, spec=SPECS.get(kind, {})) for kind, name, owner in crowd]
    found = planned(*OURS, *PIPELINES, *theirs, cores=cores, predicted=predicted)
    mine = ALL | {f"{kind}/{obj['metadata']['name']}" for kind, obj in PIPELINES}
    mine |= {f"{kind}/{name}" for kind, name, owner in crowd if owner == "me"}
    assert going(found) <= mine
    assert not going(found) & set(kept(found))
    foreign = {kind for kind, _name, owner in crowd if owner != "me"}
    if foreign - {"Application", "Release", "CustomResourceDefinition"}:
        assert not found.removes_core
    if "Topic" in foreign:
        assert "Provider/provider-aws" not in going(found)
        assert "ProviderConfig/default" not in going(found)
    if "EventPipeline" in foreign:
        assert "CompositeResourceDefinition/eventpipelines.localcloud.dev" not in going(found)
        assert "Function/event-pipeline" not in going(found)
    assert not found.removes_core or "me" in cores
    assert not found.brought or (found.removes_core and cores == ("me",))
