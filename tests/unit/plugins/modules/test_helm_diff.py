# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import gzip
import json
import os

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.k8s import client as kubernetes_api
from ansible_collections.localcloud.stack.plugins.modules import helm_diff as module

ASKED = {"name": "shop", "namespace": "shops", "chart": "shop", "chart_version": "1.2.0", "values": {"replicas": 1}}


def encoded(release):
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


@pytest.fixture
def release(monkeypatch):
    """The contents of the release's Secret, in a cluster that serves nothing else; None where there is none."""
    content = {"release": None}

    class Api:
        def __init__(self, *arguments):
            pass

        def connect(self):
            pass

        def get(self, path, params=None):
            assert path == "/api/v1/namespaces/shops/secrets"
            metadata = {"name": "sh.helm.release.v1.shop.v1", "labels": {"version": "1", "status": "deployed"}}
            return {"items": [{"metadata": metadata, "data": content}] if content["release"] is not None else []}

    monkeypatch.setattr(kubernetes_api, "KubernetesApi", Api)
    return content


def test_a_release_that_is_not_there(run_module, release):
    result = run_module(module, **ASKED)
    assert (result["changed"], result["differences"], result["gone"]) == (False, ["it is not installed"], [])


def test_a_release_is_compared_with_values_as_json_has_them(run_module, release):
    chart = {"metadata": {"name": "shop", "version": "1.2.0"}}
    there = {"info": {"status": "deployed"}, "chart": chart, "config": {"ports": {"80": "web"}}, "manifest": ""}
    release["release"] = encoded(there)
    assert run_module(module, **{**ASKED, "values": {"ports": {80: "web"}}})["differences"] == []
    assert run_module(module, **ASKED)["differences"] == ["the value of ports differs", "the value of replicas differs"]


def test_values_that_the_chart_refuses_are_told_where_anything_differs(run_module, release, tmp_path):
    chart = tmp_path / "shop"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.2.0\n")
    (chart / "values.schema.json").write_text(json.dumps({"properties": {"replicas": {"type": "string"}}}))
    asked = {"name": "shop", "namespace": "shops", "chart": str(chart), "values": {"replicas": 1}}
    (problem,) = run_module(module, **asked, binary_path=os.environ["HELM"])["refused"]
    assert problem.startswith("values.replicas: got number, want string")
    assert run_module(module, **asked)["refused"] == []
    assert run_module(module, **asked, binary_path="/nowhere/helm")["refused"] == []
    labels = module.chart_labels(str(chart))
    release["release"] = encoded(
        {"info": {"status": "deployed"}, "chart": {"metadata": {"name": "shop", "version": "1.2.0"}}, "config": asked["values"],
         "labels": labels, "manifest": ""}
    )  # fmt: skip
    same = run_module(module, **asked, binary_path=os.environ["HELM"])
    assert bool(same["refused"]) is bool(same["differences"])


def test_a_release_that_helm_did_not_write_is_named_with_the_next_step(run_module, release):
    release["release"] = "bm9wZQ=="
    message = run_module(module, **ASKED)["msg"]
    assert "sh.helm.release.v1.shop.v1" in message
    assert "helm history" in message


def test_a_chart_that_is_not_there_is_named(run_module, release):
    assert "/nowhere/Chart.yaml" in run_module(module, **{**ASKED, "chart": "/nowhere"})["msg"]
