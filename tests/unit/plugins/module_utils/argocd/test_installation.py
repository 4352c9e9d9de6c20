"""Argo CD's own manifests become those of an embedded node."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.argocd.installation import install

IMAGES = {"argocd": "localhost/localcloud/argocd:1", "base": "localhost/localcloud/gitops-base:1"}
REDIS: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "argocd-redis"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"name": "redis", "image": "public.ecr.aws/redis:8", "args": ["--save", ""]}],
                "initContainers": [{"name": "secret-init", "image": "quay.io/argoproj/argocd:v3", "env": []}],
            }
        }
    },
}
CONTROLLER: dict[str, Any] = {
    "kind": "StatefulSet",
    "metadata": {"name": "argocd-application-controller"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "argocd-application-controller",
                        "image": "quay.io/argoproj/argocd:v3",
                        "imagePullPolicy": "Always",
                        "readinessProbe": {
                            "httpGet": {"path": "/healthz"},
                            "initialDelaySeconds": 5,
                            "periodSeconds": 10,
                        },
                    }
                ]
            }
        }
    },
}
REST: list[dict[str, Any]] = [
    {"kind": "CustomResourceDefinition", "metadata": {"name": "applications.argoproj.io"}},
    {"kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"resource.exclusions": "x"}},
    {"kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm"}},
    {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "argocd"},
        "subjects": [{"kind": "ServiceAccount", "name": "argocd", "namespace": "argocd"}],
    },
]


def made(*upstream: dict[str, Any]) -> list[dict[str, Any]]:
    return install(upstream, "cd", IMAGES, {"argocd-cm": {"timeout.reconciliation": "5s"}})


def test_images_are_those_of_the_node_and_never_pulled() -> None:
    redis, controller = made(REDIS, CONTROLLER)
    containers = [
        *redis["spec"]["template"]["spec"]["containers"],
        *redis["spec"]["template"]["spec"]["initContainers"],
        *controller["spec"]["template"]["spec"]["containers"],
    ]
    assert [one["image"] for one in containers] == [IMAGES["base"], IMAGES["argocd"], IMAGES["argocd"]]
    assert {one["imagePullPolicy"] for one in containers} == {"IfNotPresent"}
    assert containers[0]["command"] == ["redis-server"]
    assert all(one["resources"]["limits"]["memory"] for one in containers)
    assert {"name": "ARGOCD_GPG_ENABLED", "value": "false"} in containers[2]["env"]


def test_a_probe_keeps_what_it_asks_and_asks_each_second() -> None:
    (controller,) = made(CONTROLLER)
    probe = controller["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert probe == {
        "httpGet": {"path": "/healthz"},
        "initialDelaySeconds": 0,
        "periodSeconds": 1,
        "failureThreshold": 60,
    }


def test_one_namespace_and_settings_beside_upstreams() -> None:
    definition, settings, rbac, binding = made(*REST)
    assert "namespace" not in definition["metadata"]
    assert settings["metadata"]["namespace"] == "cd"
    assert settings["data"] == {"resource.exclusions": "x", "timeout.reconciliation": "5s"}
    assert "data" not in rbac
    assert binding["subjects"][0]["namespace"] == "cd"


def test_what_is_given_stays_as_it_is() -> None:
    before = copy.deepcopy([REDIS, CONTROLLER, *REST])
    made(REDIS, CONTROLLER, *REST)
    assert [REDIS, CONTROLLER, *REST] == before


def test_changed_settings_replace_the_pods() -> None:
    def annotations(interval: str) -> Any:
        (redis,) = install([REDIS], "cd", IMAGES, {"argocd-cm": {"timeout.reconciliation": interval}})
        return redis["spec"]["template"]["metadata"]["annotations"]

    assert annotations("5s") == annotations("5s") != annotations("6s")
