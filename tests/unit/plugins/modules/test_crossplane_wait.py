# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import wait as crossplane_watch
from ansible_collections.localcloud.stack.plugins.module_utils.k8s import client
from ansible_collections.localcloud.stack.plugins.modules import crossplane_wait as module

TOPIC = {"api_version": "sns.aws.upbound.io/v1beta1", "kind": "Topic", "name": "orders"}


class Api:
    """An API server that serves nothing."""

    def __init__(self, kubeconfig, context):
        self.where = (kubeconfig, context)

    def connect(self):
        pass

    def get(self, path, params):
        raise crossplane_watch.ApiError(404, "not found")


@pytest.fixture(autouse=True)
def api(monkeypatch):
    for name in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "KubernetesApi", Api)


def test_a_time_out_fails_with_a_table(run_module):
    result = run_module(module, resources=[TOPIC], timeout=0)
    assert result["failed"] is True
    assert "Topic/orders" in result["msg"]
    assert result["unready"][0]["ready"] is False


def test_check_mode_looks_once_and_does_not_fail(run_module):
    result = run_module(module, True, resources=[TOPIC], timeout=600)
    assert (result["changed"], result["ready"]) == (False, False)
    assert result["unready"][0]["condition"] == "not served"


def test_what_is_not_served_is_absent(run_module):
    result = run_module(module, resources=[TOPIC], state="absent", timeout=5)
    assert (result["changed"], result["ready"]) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "one of the following is required"),
        ({"resources": [TOPIC], "label_selector": "a=b"}, "mutually exclusive"),
        ({"label_selector": "a=b"}, "required together"),
        ({"resources": [{"kind": "Topic", "name": "x"}]}, "api_version"),
    ],
)
def test_arguments_that_do_not_go_together(run_module, arguments, says):
    assert says in run_module(module, **arguments)["msg"]


def test_a_missing_library_is_named(run_module, monkeypatch):
    monkeypatch.setattr(client, "KUBERNETES_IMPORT_ERROR", ImportError("kubernetes"))
    assert "kubernetes" in run_module(module, resources=[TOPIC])["msg"]
