# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module says of a cluster that is allowed."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.modules import cluster_choice as module


@pytest.fixture
def choose(run_module, monkeypatch, tmp_path):
    """Run the module with a kubeconfig whose one cluster answers so to /version, or fails with this."""
    kubeconfig = tmp_path / "config"
    parts = {"clusters": ("cluster", {"server": "https://127.0.0.1:1"}), "users": ("user", {"token": "tok"})}
    document = {
        "current-context": "mine",
        "contexts": [{"name": "mine", "context": {"cluster": "one", "user": "one"}}],
        **{name: [{"name": "one", key: value}] for name, (key, value) in parts.items()},
    }
    kubeconfig.write_text(yaml.safe_dump(document))

    # What this machine has installed says nothing here.
    monkeypatch.setenv("PATH", str(tmp_path))

    def run(answer, image_delivery="public"):
        def get(_self, path, _params):
            assert path == "/version"
            if isinstance(answer, ApiError):
                raise answer
            return answer

        monkeypatch.setattr(module.KubernetesApi, "get", get)
        return run_module(
            module,
            kubeconfig=str(kubeconfig),
            allowed_contexts=["mine"],
            image_delivery=image_delivery,
            checkout=str(tmp_path),
        )

    return run


def test_docker_is_this_machines_where_it_is_needed(choose, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/bin/{name}" if name in ("docker", "kind") else None)
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example.org:2375")
    assert choose({"gitVersion": "v1.34.2"})["image_delivery"]["way"] == "public"
    said = choose({"gitVersion": "v1.34.2"}, "docker")["msg"]
    assert said.startswith("Docker is needed here, but DOCKER_HOST=tcp://build.example.org:2375 leads it elsewhere")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert choose({"gitVersion": "v1.34.2"}, "docker")["image_delivery"]["way"] == "docker"


def test_podman_in_place_of_docker(choose, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/bin/{name}" if name in ("podman", "kind") else None)
    assert choose({"gitVersion": "v1.34.2"})["container_engine"] == "podman"
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert choose({"gitVersion": "v1.34.2"})["container_engine"] == "docker"


def test_its_version(choose):
    result = choose({"gitVersion": "v1.34.2"})
    assert (result["changed"], result["kind"], result["context"]) == (False, "existing", "mine")
    assert (result["server"], result["server_version"]) == ("https://127.0.0.1:1", "v1.34.2")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ApiError(0, "connection refused"), "It does not answer. Start it"),
        (ApiError(0, "timed out"), "It does not answer. Start it"),
        (ApiError(0, "no route to host"), "It does not answer. Start it"),
        (ApiError(0, "name or service not known"), "It does not answer. Start it"),
        (ApiError(0, "certificate verify failed"), "Its certificate does not fit. Renew the kubeconfig"),
        (ApiError(401, "Unauthorized"), "Its credentials have expired or are not accepted. Renew them"),
        (
            ApiError(403, 'forbidden: User "u" cannot get path "/version"'),
            "has no right to look at the cluster. Use another",
        ),
        (ApiError(503, "the server is currently unable"), "503 the server is currently unable"),
        ({"kind": "Status"}, "is this a Kubernetes API server?"),
    ],
)
def test_why_it_cannot_be_used(choose, answer, says):
    result = choose(answer)
    assert result["failed"]
    assert result["msg"].startswith("The cluster of context 'mine' can't be used: ")
    assert says in result["msg"]


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The programs helm and kubectl of the path say these versions."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def say(**versions):
        for name, version in versions.items():
            program = folder / name
            program.write_text(f"#!/bin/sh\necho '{version}'\n[ -z \"${{KUBECONFIG#/dev/null}}\" ]\n")
            program.chmod(0o755)

    return say


def test_all_versions_that_are_not_supported_are_named_at_once(choose, commands):
    commands(helm="Client: v2.17.0+ga690bad", kubectl='{"clientVersion": {"gitVersion": "v1.32.1"}}')
    said = choose({"gitVersion": "v1.34.2"})["msg"]
    assert "/bin/helm can't be used: Helm 2.17 is not supported. Install Helm 3.13 or later, or Helm 4" in said
    assert (
        "kubectl 1.32 is too old for the cluster, which is Kubernetes 1.34: supported is kubectl 1.33 to 1.35" in said
    )
    old = choose({"gitVersion": "v1.30.14"})["msg"]
    assert "Kubernetes 1.30 is older than what is supported: Kubernetes 1.31 to 1.37" in old
    assert "Helm 2.17 is not supported" in old
    assert "newer than what is supported: Kubernetes 1.31 to 1.37" in choose({"gitVersion": "v1.38.0"})["msg"]


def test_versions_that_are_supported(choose, commands):
    commands(helm="v4.3.2", kubectl='{"clientVersion": {"gitVersion": "v1.34.0"}}')
    assert choose({"gitVersion": "v1.34.2"})["server_version"] == "v1.34.2"
