# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.k8s import client as kubernetes_api
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.modules import crossplane_diff as module

TARGET = {"region": "eu-central-1", "namespace": "shop", "scope": "namespaced"}


@pytest.fixture
def compared(monkeypatch):
    """What the comparison is asked for, with a cluster that has nothing."""
    asked = {}

    class Api:
        def __init__(self, *arguments):
            pass

        def connect(self):
            asked["connected"] = True

        def get(self, path, params):
            if path != "/api/v1/namespaces/kube-system":
                raise ApiError(404, "not found")
            return {"metadata": {"uid": "cluster-1"}}

    def diff(api, resources, kinds, settings, observe):
        asked.update(resources=resources, kinds=kinds, settings=settings)
        return {}

    monkeypatch.setattr(kubernetes_api, "KubernetesApi", Api)
    monkeypatch.setattr(module, "diff", diff)
    monkeypatch.setattr(module, "report", lambda found: [])
    return asked


def test_objects_are_derived_from_lists(run_module, compared):
    result = run_module(module, owner="orders", declared={"topics": [{"name": "test-orders"}]}, target=TARGET)
    (topic,) = compared["resources"]
    assert (topic["apiVersion"], topic["metadata"]["namespace"]) == ("sns.aws.m.upbound.io/v1beta1", "shop")
    assert topic["metadata"]["labels"]["localcloud.dev/owner"] == "orders"
    assert topic["spec"]["forProvider"]["tags"] == {
        "localcloud.dev/owner": "orders",
        "localcloud.dev/cluster": "cluster-1",
    }
    assert compared["settings"].us == ("orders", "cluster-1")
    assert result["references"] == [
        {"api_version": "sns.aws.m.upbound.io/v1beta1", "kind": "Topic", "name": "test-orders", "namespace": "shop"}
    ]


def test_objects_are_taken_as_they_are(run_module, compared):
    topic = {"apiVersion": "sns.aws.upbound.io/v1beta1", "kind": "Topic", "metadata": {"name": "orders"}}
    result = run_module(module, owner="orders", resources=[topic])
    assert compared["resources"] == [topic]
    assert result["changed"] is False


def test_what_can_be_declared_is_looked_through_for_what_is_no_more(run_module, compared):
    extra = {"apiVersion": "ec2.aws.upbound.io/v1beta1", "kind": "VPC", "metadata": {"name": "net"}}
    run_module(module, owner="orders", declared={"extra_manifests": [extra]}, target=TARGET)
    assert compared["kinds"][0] == ("ec2.aws.upbound.io/v1beta1", "VPC")
    assert {("sns.aws.upbound.io/v1beta1", "Topic"), ("sns.aws.m.upbound.io/v1beta1", "Topic")} < {*compared["kinds"]}
    run_module(module, owner="orders", declared={"extra_manifests": [extra]}, target=TARGET, kinds=[])
    assert compared["kinds"] == []
    run_module(module, owner="orders", resources=[])
    assert compared["kinds"] == []


def test_what_is_wrong_with_the_lists_is_told_before_the_cluster_is_asked(run_module, compared):
    declared = {"topics": [{"name": "a b"}], "queues": [{"name": "q", "visibility_timeout_seconds": -1}]}
    result = run_module(module, owner="orders", declared=declared, target=TARGET)
    assert result["failed"] is True
    assert len(result["problems"]) == 2
    assert all(one in result["msg"] for one in ("aws_resources_topics[0].name", "aws_resources_queues[0]"))
    assert compared == {}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"resources": [], "declared": {}}, {"resources": [], "target": TARGET}],
    ids=["none", "both", "target"],
)
def test_either_objects_or_lists(run_module, compared, arguments):
    assert run_module(module, owner="orders", **arguments)["failed"] is True
    assert compared == {}


def test_lists_alone_can_be_checked_before_there_is_a_cluster(run_module, compared):
    wrong = run_module(
        module, check_only=True, declared={"topics": [{"name": "a b"}]}, target={"region": "eu-central-1"}
    )
    assert wrong["failed"] is True
    assert "aws_resources_topics[0].name" in wrong["msg"]
    right = run_module(module, check_only=True, declared={"topics": [{"name": "a"}]}, target={"region": "eu-central-1"})
    assert (right["changed"], "failed" in right) == (False, False)
    assert compared == {}


def test_an_owner_is_needed_to_compare(run_module, compared):
    assert "owner" in run_module(module, declared={"topics": []})["msg"]
    assert "declared" in run_module(module, check_only=True, resources=[])["msg"]


def test_a_target_is_checked_as_options_are(run_module, compared):
    unknown = run_module(module, check_only=True, declared={"topics": []}, target={"regoin": "eu-central-1"})
    assert "target.regoin. Supported parameters include: account" in unknown["msg"]
    # YAML takes an account without quotes for a number.
    number = run_module(module, check_only=True, declared={"topics": []}, target={"account": 123456789012})
    assert "failed" not in number
