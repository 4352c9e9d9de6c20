"""What Helm remembers of a release, beside what is declared."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm_release import (
    chart_of,
    decode,
    differences,
    gone,
    newest,
)
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import ApiError

CHART = {"name": "shop", "version": "1.2.0", "appVersion": "7"}
VALUES = {"image": {"tag": "a"}, "limits": {"cpu": None}, "hosts": ["one", "two"]}


def secret(revision: int = 1, status: str = "deployed", **config: Any) -> dict[str, Any]:
    """As Helm writes it: gzipped JSON in base64, which the Secret has in base64 as well."""
    chart = {"metadata": {**CHART, "description": "A shop."}, "templates": []}
    release = {"info": {"status": status}, "chart": chart, "config": VALUES, **config}
    once = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = {"owner": "helm", "name": "shop", "status": status, "version": str(revision)}
    metadata = {"name": f"sh.helm.release.v1.shop.v{revision}", "labels": labels}
    return {"metadata": metadata, "data": {"release": base64.b64encode(once).decode()}}


CUT = base64.b64encode(base64.b64encode(base64.b64decode(base64.b64decode(secret()["data"]["release"]))[:-20])).decode()


def test_nothing_differs() -> None:
    assert differences(decode(secret()), CHART, VALUES) == []
    assert differences(decode(secret(config=None)), CHART, {}) == []


@pytest.mark.parametrize(
    ("there", "chart", "values", "said"),
    [
        (None, CHART, VALUES, ["it is not installed"]),
        (secret(status="pending-upgrade"), CHART, VALUES, ["its last installation is pending-upgrade"]),
        (secret(status="failed"), CHART, VALUES, ["its last installation is failed"]),
        (secret(), {**CHART, "version": "1.3.0"}, VALUES, ["the chart's version is 1.2.0"]),
        (secret(), {**CHART, "appVersion": "8"}, VALUES, ["the chart's appVersion is 7"]),
        (secret(), CHART, {**VALUES, "image": {"tag": "b"}}, ["the value of image.tag differs"]),
        (secret(), CHART, {**VALUES, "hosts": ["one"]}, ["the value of hosts differs"]),
        (secret(), CHART, {**VALUES, "more": None}, ["the value of more differs"]),
        (secret(), CHART, {"image": {"tag": "a"}, "hosts": ["one", "two"]}, ["the value of limits differs"]),
        (secret(config=None), CHART, {"key": "hush-hush"}, ["the value of key differs"]),
    ],
)
def test_what_differs_is_said_without_values(there: Any, chart: Any, values: Any, said: list[str]) -> None:
    assert differences(there and decode(there), chart, values) == said


@pytest.mark.parametrize(
    "content", ["", "not base64", base64.b64encode(b"plain").decode(), CUT], ids=["empty", "no", "plain", "cut"]
)
def test_what_helm_did_not_write_is_named(content: str) -> None:
    foreign = {"metadata": secret(3)["metadata"], "data": {"release": content}}
    with pytest.raises(ValueError, match=r"the Secret sh\.helm\.release\.v1\.shop\.v3 holds no release"):
        decode(foreign)
    with pytest.raises(ValueError, match="holds no release"):
        decode({"metadata": foreign["metadata"]})


def test_the_newest_revision_counts_by_its_number() -> None:
    class Api:
        def get(self, path: str, params: Any) -> dict[str, Any]:
            assert path == "/api/v1/namespaces/shops/secrets"
            assert params["labelSelector"] == "owner=helm,name=shop,status!=superseded"
            return {"items": [secret(9), secret(10, "pending-upgrade"), secret(2, "failed")]}

    found = newest(Api(), "shops", "shop")
    assert found is not None
    assert found["metadata"]["labels"]["version"] == "10"


def test_a_chart_is_a_folder_or_a_name(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.2.0\nappVersion: '7'\n")
    assert chart_of(str(tmp_path), None) == CHART
    assert chart_of("crossplane", "2.4.0") == {"name": "crossplane", "version": "2.4.0"}
    assert chart_of("stable/crossplane", None) == {"name": "crossplane"}


@pytest.mark.parametrize("content", ["[", "- a list"])
def test_a_chart_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "Chart.yaml").write_text(content)
    with pytest.raises(ValueError, match="not a chart's description"):
        chart_of(str(tmp_path), None)


MANIFEST = """
---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: elsewhere}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {key: aHVzaC1odXNo}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
---
"""


def test_what_somebody_deleted_is_found_but_for_secrets_and_kinds_that_are_not_served() -> None:
    there = {
        "/apis/apps/v1": {"resources": [{"kind": "Deployment", "name": "deployments", "namespaced": True}]},
        "/apis/rbac.authorization.k8s.io/v1": {"resources": [{"kind": "ClusterRole", "name": "clusterroles"}]},
        "/api/v1": {"resources": [{"kind": "Secret", "name": "secrets", "namespaced": True}]},
        "/apis/apps/v1/namespaces/shops/deployments/web": {},
    }

    class Api:
        def get(self, path: str, params: Any) -> dict[str, Any]:
            if path not in there:
                raise ApiError(404, "not found")
            return there[path]

    found = gone(Api(), {"manifest": MANIFEST}, "shops")
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [
        ("Deployment", "worker"),
        ("ClusterRole", "shop"),
    ]
    there["/apis/apps/v1/namespaces/elsewhere/deployments/worker"] = {}
    there["/apis/rbac.authorization.k8s.io/v1/clusterroles/shop"] = {}
    assert gone(Api(), {"manifest": MANIFEST}, "shops") == gone(Api(), None, "shops") == []
