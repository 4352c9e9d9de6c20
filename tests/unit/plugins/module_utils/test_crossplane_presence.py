"""What there is of Crossplane, by a scripted API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_presence import look
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import ApiError

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
    return {"metadata": {"name": "aws"}, "status": {"conditions": stated}}


def installed(*packages: dict[str, Any]) -> dict[str, Any]:
    return {
        "/apis/pkg.crossplane.io/v1/providers": {"items": list(packages)},
        "/apis/pkg.crossplane.io/v1/functions": {"items": []},
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
        "settled": False,
        "served": [],
        "api_addresses": ["10.0.0.1", "10.0.0.2"],
    }


def test_ours() -> None:
    found = look(Api([{"app": "crossplane", "localcloud.dev/owner": "me"}], {**PACKAGES, **TOPICS}), DEFINITIONS)
    assert (found["running"], found["foreign"]) == (True, False)
    assert found["served"] == ["providers.pkg.crossplane.io"]


def test_another_s_beside_ours() -> None:
    core = [{"app": "crossplane", "localcloud.dev/owner": "me"}, {"app": "crossplane"}]
    assert look(Api(core, PACKAGES), DEFINITIONS)["foreign"]


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
