"""What there is of Crossplane, by a scripted API server."""

from __future__ import annotations

from typing import Any

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


class Api:
    """Answers from a table, as an API server would whose cluster has these paths."""

    def __init__(self, core: list[dict[str, Any]], paths: dict[str, Any]) -> None:
        endpoints = [{"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.1"]}]
        self.paths = {
            "/apis/apps/v1/deployments": {"items": [{"metadata": {"labels": one}} for one in core]},
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
    assert found == {"running": False, "foreign": False, "served": [], "api_addresses": ["10.0.0.1", "10.0.0.2"]}


def test_ours() -> None:
    found = look(Api([{"app": "crossplane", "localcloud.dev/owner": "me"}], {**PACKAGES, **TOPICS}), DEFINITIONS)
    assert (found["running"], found["foreign"]) == (True, False)
    assert found["served"] == ["providers.pkg.crossplane.io"]


def test_another_s_beside_ours() -> None:
    core = [{"app": "crossplane", "localcloud.dev/owner": "me"}, {"app": "crossplane"}]
    assert look(Api(core, PACKAGES), DEFINITIONS)["foreign"]
