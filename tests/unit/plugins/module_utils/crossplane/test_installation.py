"""What there is of Crossplane, by a scripted API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.installation import (
    existing_config_problems,
    look,
    share,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError

DEFINITIONS = ["topics.sns.aws.upbound.io", "queues.sqs.aws.upbound.io", "providers.pkg.crossplane.io"]
PACKAGES = {
    "/apis/pkg.crossplane.io": {"versions": [{"groupVersion": "pkg.crossplane.io/v1"}]},
    "/apis/pkg.crossplane.io/v1": {
        "resources": [{"kind": "Provider", "name": "providers"}, {"kind": "Provider", "name": "providers/status"}]
    },
}
# A group may be served of which one kind is not there yet.
TOPICS = {
    "/apis/sns.aws.upbound.io": {"versions": [{"groupVersion": "sns.aws.upbound.io/v1beta1"}]},
    "/apis/sns.aws.upbound.io/v1beta1": {"resources": [{"kind": "TopicPolicy", "name": "topicpolicies"}]},
}

ROLLED_OUT = {
    "spec": {"replicas": 1},
    "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
}
OURS = {"app": "crossplane", "localcloud.dev/owner": "me"}


def package(**conditions: str) -> dict[str, Any]:
    stated = [{"type": name, "status": status} for name, status in conditions.items()]
    return {"metadata": {"name": "aws", "labels": {"localcloud.dev/owner": "me"}}, "status": {"conditions": stated}}


def installed(*packages: dict[str, Any]) -> dict[str, Any]:
    return {
        "/apis/pkg.crossplane.io/v1/providers": {"items": list(packages)},
        "/apis/pkg.crossplane.io/v1/providerrevisions": {"items": []},
        "/apis/pkg.crossplane.io/v1/functions": {"items": []},
        "/apis/networking.k8s.io/v1/networkpolicies": {"items": []},
    }


HEALTHY = installed(package(Installed="True", Healthy="True"))


class Api:
    """Answers from a table, as an API server would whose cluster has these paths."""

    def __init__(self, core: list[dict[str, Any]], paths: Mapping[str, Any]) -> None:
        endpoints = [{"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.1"]}]
        self.paths = {
            "/apis/apps/v1/deployments": {"items": [{**ROLLED_OUT, "metadata": {"labels": one}} for one in core]},
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
                "items": [{"endpoints": endpoints}, {"endpoints": None}]
            },
            **paths,
        }

    def get(self, path: str, params: Any) -> dict[str, Any]:
        if path not in self.paths:
            raise ApiError(404, "not found")
        answer: dict[str, Any] = self.paths[path]
        return answer


def test_none() -> None:
    found = look(Api([], {}), DEFINITIONS)
    assert found == {
        "running": False,
        "foreign": False,
        "core": [],
        "namespace": {"exists": False, "owner": "", "created_by_helm": False},
        "settled": False,
        "served": [],
        "providers_of_others": [],
        "api_addresses": ["10.0.0.1", "10.0.0.2"],
    }


def test_ours() -> None:
    found = look(Api([{"app": "crossplane", "localcloud.dev/owner": "me"}], {**PACKAGES, **TOPICS}), DEFINITIONS)
    assert (found["running"], found["foreign"]) == (True, False)
    assert found["served"] == ["providers.pkg.crossplane.io"]


def test_another_s_beside_ours() -> None:
    core = [{"app": "crossplane", "localcloud.dev/owner": "me"}, {"app": "crossplane"}]
    assert look(Api(core, PACKAGES), DEFINITIONS)["foreign"]


def test_one_of_another_owner_is_foreign() -> None:
    found = look(Api([OURS], PACKAGES), DEFINITIONS, "another")
    assert found["foreign"]
    assert found["core"] == [{"namespace": "", "owner": "me"}]
    assert not look(Api([OURS], PACKAGES), DEFINITIONS, "me")["foreign"]


def test_a_namespace_that_helm_created_is_told_from_one_that_somebody_made() -> None:
    made = {"metadata": {"labels": {"name": "space"}, "managedFields": [{"manager": "helm"}]}}
    path = "/api/v1/namespaces/space"
    assert look(Api([], {path: made}), [], "me", "space")["namespace"]["created_by_helm"]
    made["metadata"]["managedFields"] = [{"manager": "helm"}, {"manager": "kubectl-edit"}]
    assert not look(Api([], {path: made}), [], "me", "space")["namespace"]["created_by_helm"]


def test_providers_of_others_tell_which_kinds_they_brought() -> None:
    paths = installed(package(Installed="True", Healthy="True"))
    paths["/apis/pkg.crossplane.io/v1/providerrevisions"] = {
        "items": [
            {
                "metadata": {"labels": {"pkg.crossplane.io/package": "aws"}},
                "spec": {"desiredState": state},
                "status": {"objectRefs": [{"name": name}]},
            }
            for state, name in (("Active", DEFINITIONS[0]), ("Inactive", DEFINITIONS[1]))
        ]
    }
    policies = "/apis/networking.k8s.io/v1/networkpolicies"
    paths[policies] = {"items": []}
    found = look(Api([OURS], paths), DEFINITIONS, "another")
    row = {"name": "aws", "owner": "me", "kinds": [DEFINITIONS[0]], "guarded": False}
    assert found["providers_of_others"] == [row]
    selector = {"matchExpressions": [{"key": "localcloud.dev/provider", "operator": "Exists"}]}
    paths[policies] = {"items": [{"metadata": {"labels": OURS}, "spec": {"podSelector": selector}}]}
    assert look(Api([OURS], paths), DEFINITIONS, "another")["providers_of_others"] == [{**row, "guarded": True}]
    assert found["settled"], "who uses them has none of its own"
    assert look(Api([OURS], paths), DEFINITIONS, "me")["providers_of_others"] == []


TOPIC, QUEUE = DEFINITIONS[:2]
MONOLITH = {"name": "provider-aws", "package": "p"}
SNS, SQS = ({"name": f"provider-aws-{one}", "package": "p"} for one in ("sns", "sqs"))


def others(name: str, *kinds: str, owner: str = "a") -> list[dict[str, Any]]:
    return [{"name": name, "owner": owner, "kinds": list(kinds)}]


def test_without_others_all_providers_are_installed() -> None:
    assert share([MONOLITH], [TOPIC], []) == ([MONOLITH], [], [])
    assert share([MONOLITH], [], []) == ([MONOLITH], [], [])
    assert share([MONOLITH], [TOPIC], others("helm")) == ([MONOLITH], [], [])


@pytest.mark.parametrize("declared", [[MONOLITH], [SNS, SQS]])
@pytest.mark.parametrize("name", ["provider-aws", "upbound-aws"])
def test_where_others_bring_all_kinds_theirs_is_used(declared: Any, name: str) -> None:
    assert share(declared, [TOPIC, QUEUE], others(name, TOPIC, QUEUE)) == ([], [name], [])


def test_of_providers_by_service_the_missing_ones_are_installed() -> None:
    assert share([SNS, SQS], [TOPIC, QUEUE], others("theirs", TOPIC)) == ([SQS], ["theirs"], [])


def test_a_provider_of_our_name_that_lacks_kinds_is_refused() -> None:
    own, used, (problem,) = share([MONOLITH], [TOPIC, QUEUE], others("provider-aws", TOPIC))
    assert (own, used) == ([], ["provider-aws"])
    assert problem.startswith(f"Provider/provider-aws (owner a) is used as it is, but does not bring {QUEUE}")


def test_a_provider_that_would_bring_another_s_kinds_is_refused() -> None:
    _own, _used, (problem,) = share([MONOLITH], [TOPIC, QUEUE], others("theirs", TOPIC, owner=""))
    assert f"Provider/theirs (no label localcloud.dev/owner) brings {TOPIC}, but not {QUEUE}" in problem


def difference(**endpoint: Any) -> dict[str, Any]:
    row = {"kind": "ProviderConfig", "name": "default", "owner": "a", "endpoint": endpoint}
    return {"missing": [], "foreign": [row, {"kind": "Secret", "name": "s", "owner": None}]}


HERE = {"source": "Custom", "services": ["sns", "sts"], "url": {"type": "Static", "static": "http://here:4566/"}}


@pytest.mark.parametrize(
    ("there", "endpoint", "problem"),
    [
        (HERE, "http://here:4566", ""),
        ({}, "", ""),
        (HERE, "http://other:4566", "(owner a) leads to http://here:4566/, but http://other:4566 is wanted"),
        (HERE, "", "leads to http://here:4566/, but real AWS is wanted"),
        ({}, "http://here:4566", "leads to real AWS, but http://here:4566 is wanted"),
        ({**HERE, "services": ["sns"]}, "http://here:4566", "does not send sts to"),
    ],
)
def test_a_configuration_of_others_must_lead_where_ours_would(there: Any, endpoint: str, problem: str) -> None:
    found = existing_config_problems(difference(**there), endpoint, [TOPIC])
    assert (problem in "".join(found)) if problem else not found


def test_a_configuration_that_is_to_be_used_must_exist() -> None:
    missing = {"missing": [{"kind": "ProviderConfig", "name": "default"}], "foreign": []}
    assert "does not exist" in existing_config_problems(missing, "", [])[0]


def test_settled_is_where_all_of_the_owner_runs() -> None:
    assert look(Api([OURS], HEALTHY), [], "me")["settled"]


def test_of_nobody_nothing_is_settled() -> None:
    assert not look(Api([OURS], HEALTHY), [])["settled"]


@pytest.mark.parametrize(
    "packages",
    [
        {},
        installed(),
        installed(package(Installed="True")),
        installed(package(Installed="True", Healthy="True"), package(Installed="True", Healthy="False")),
    ],
    ids=["not served", "none", "not healthy yet", "one of two"],
)
def test_packages_that_are_not_healthy_are_not_settled(packages: dict[str, Any]) -> None:
    assert not look(Api([OURS], packages), [], "me")["settled"]


def test_a_deployment_without_its_pods_is_not_settled() -> None:
    api = Api([OURS], HEALTHY)
    (deployment,) = api.paths["/apis/apps/v1/deployments"]["items"]
    deployment["status"] = {**deployment["status"], "availableReplicas": 0}
    assert not look(api, [], "me")["settled"]


def test_a_refusal_is_not_taken_for_a_cluster_without_packages() -> None:
    class Refusing(Api):
        def get(self, path: str, params: Any) -> dict[str, Any]:
            if path.startswith("/apis/pkg.crossplane.io/v1"):
                raise ApiError(403, "no")
            return super().get(path, params)

    with pytest.raises(ApiError, match="no"):
        look(Refusing([OURS], {}), [], "me")
