# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.k8s import client as kubernetes_api
from ansible_collections.localcloud.stack.plugins.modules import helm_release as module

ASKED = {"name": "shop", "namespace": "shops", "owner": "me", "kubeconfig": "/nowhere/config"}


@pytest.fixture
def helm(monkeypatch, tmp_path):
    """A Helm that notes what it is told; the cluster has no release."""

    class Api:
        def __init__(self, *arguments):
            pass

        def connect(self):
            pass

        def get(self, path, params=None):
            return {"items": []}

    monkeypatch.setattr(kubernetes_api, "KubernetesApi", Api)
    program, notes = tmp_path / "helm", tmp_path / "notes"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && {{ echo v4.3.2; exit; }}\nfor one; do echo "$one"; done > {notes}\ncat >> {notes}\n'
    )
    program.chmod(0o755)
    return program, notes


def test_helm_gets_owner_run_and_values(run_module, helm):
    program, notes = helm
    asked = {**ASKED, "chart": "shop", "values": {"key": "hush-hush"}, "binary_path": str(program)}
    foretold = run_module(module, check_mode=True, **asked)
    assert not notes.exists()
    result = run_module(module, **asked)
    assert (result["changed"], result["actions"], result["kept"]) == (True, ["install"], [])
    assert foretold["actions"] == result["actions"]
    assert result["diff"] == {"before": "it is not installed\n", "after": "install\n"}
    *words, values = notes.read_text().splitlines()
    assert words[:4] == ["--kubeconfig", "/nowhere/config", "--namespace", "shops"]
    assert any(word.startswith("localcloud.dev/owner=me,localcloud.dev/run=") for word in words)
    assert json.loads(values) == {"key": "hush-hush"}
    assert "hush-hush" not in json.dumps(result)


def test_what_is_not_there_need_not_go(run_module, helm):
    result = run_module(module, **ASKED, state="absent", binary_path=str(helm[0]))
    assert (result["changed"], result["actions"]) == (False, [])


def test_helm_must_be_there_and_a_chart_be_named(run_module):
    assert "chart" in run_module(module, **ASKED)["msg"]
    assert "/nowhere/helm" in run_module(module, **ASKED, chart="shop", binary_path="/nowhere/helm")["msg"]
