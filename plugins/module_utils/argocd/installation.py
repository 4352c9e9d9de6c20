# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argo CD's own manifests as an embedded node runs them. Pure.

They are those of its module (manifests/core-install.yaml: CRDs, controllers, repository server and Redis, no web page), with the node's
images, one namespace, and what a small node wants otherwise.
"""

from __future__ import annotations

import copy
import hashlib
import json
import typing as t

Json = dict[str, t.Any]

CLUSTER_KINDS = frozenset({"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})
WORKLOADS = frozenset({"Deployment", "StatefulSet"})
# The annotation by which pods are replaced when settings change.
SETTINGS = "localcloud.dev/settings"
# What each pod asks for, of CPU and memory, and what memory it may have.
RESOURCES = {
    "argocd-application-controller": ("50m", "128Mi", "1536Mi"),
    "argocd-applicationset-controller": ("20m", "48Mi", "256Mi"),
    "argocd-repo-server": ("50m", "64Mi", "512Mi"),
    "argocd-redis": ("20m", "16Mi", "128Mi"),
}
# A new pod is looked at each second, and not only after five.
PROBE = {"initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 60}


def install(
    upstream: t.Iterable[Json], namespace: str, images: t.Mapping[str, str], settings: t.Mapping[str, Json]
) -> list[Json]:
    """The objects for a namespace.

    images: C(argocd) and C(base), which has Redis. settings: more data of ConfigMaps, by their names.
    """
    return [_adapted(copy.deepcopy(one), namespace, images, settings) for one in upstream]


def _adapted(obj: Json, namespace: str, images: t.Mapping[str, str], settings: t.Mapping[str, Json]) -> Json:
    kind, metadata = obj["kind"], obj["metadata"]
    if kind not in CLUSTER_KINDS:
        metadata["namespace"] = namespace
    for subject in obj.get("subjects", []):
        subject["namespace"] = namespace
    if kind == "ConfigMap" and metadata["name"] in settings:
        obj["data"] = {**(obj.get("data") or {}), **settings[metadata["name"]]}
    if kind in WORKLOADS:
        template = obj["spec"]["template"]
        # It reads most settings when it starts.
        template.setdefault("metadata", {}).setdefault("annotations", {})[SETTINGS] = _digest(settings)
        _adapt_pod(template["spec"], metadata["name"], images)
    return obj


def _digest(settings: t.Mapping[str, Json]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _adapt_pod(pod: Json, name: str, images: t.Mapping[str, str]) -> None:
    cpu, memory, most = RESOURCES[name]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        redis = container["name"] == "redis"
        container["image"] = images["base" if redis else "argocd"]
        container["imagePullPolicy"] = "IfNotPresent"
        container["resources"] = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most}}
        if redis:
            # The public image has it as its entry point.
            container["command"] = ["redis-server"]
        else:
            # No GnuPG is there: commits need no signature.
            container.setdefault("env", []).append({"name": "ARGOCD_GPG_ENABLED", "value": "false"})
        if "readinessProbe" in container:
            container["readinessProbe"].update(PROBE)
