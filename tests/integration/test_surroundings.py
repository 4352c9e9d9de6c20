"""The stack is found by what is known of it, whatever the environment says; nothing of it is asked elsewhere."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
URLS = (
    "K8S_AUTH_HOST",
    "K8S_AUTH_PROXY",
    "HELM_KUBEAPISERVER",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SQS",
    "DOCKER_HOST",
)
NAMES = ("K8S_AUTH_CONTEXT", "K8S_AUTH_API_KEY", "HELM_KUBECONTEXT", "HELM_NAMESPACE", "HELM_DRIVER", "AWS_PROFILE")


class Elsewhere:
    """A listener that all variables lead to, and who came."""

    def __init__(self, folder: Path) -> None:
        self.came: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        other = {
            "clusters": [{"name": "elsewhere", "cluster": {"server": url}}],
            "contexts": [{"name": "elsewhere", "context": {"cluster": "elsewhere", "user": "elsewhere"}}],
            "users": [{"name": "elsewhere", "user": {"token": "elsewhere"}}],
            "current-context": "elsewhere",
        }
        (folder / "config").write_text(json.dumps(other))
        self.variables = {
            **dict.fromkeys((*PROXIES, *(name.lower() for name in PROXIES), *URLS), url),
            **dict.fromkeys(NAMES, "elsewhere"),
            "NO_PROXY": "example.org",
            "AWS_CA_BUNDLE": "/nonexistent",
            "KUBECONFIG": str(folder / "config"),
        }
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.came.append(connection.recv(200))

    def run(self, playbook: Callable[..., Any], path: str) -> None:
        """Run a playbook with all of these variables; it must do its work, and nobody comes."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            done = playbook(path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.came == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    made = Elsewhere(tmp_path)
    yield made
    made.listener.shutdown(socket.SHUT_RDWR)
    made.listener.close()


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_stack_is_looked_at_where_it_is(name: str, playbook: Callable[..., Any], elsewhere: Elsewhere) -> None:
    elsewhere.run(playbook, f"playbooks/{name}.yml")


def test_objects_and_releases_go_to_the_named_cluster(
    stack: Any, playbook: Callable[..., Any], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """By each way that roles change a cluster: kubernetes.core, kubectl and Helm."""
    given = {"kubeconfig": stack.facts["kubeconfig"], "context": stack.facts["context"]}
    name = "surroundings"
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: surroundings\nversion: 0.1.0\n")
    (chart / "templates/map.yml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: released}\n")
    (tmp_path / "map.yml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\n")
    release = {**given, "binary_path": stack.facts["helm"], "name": name, "namespace": name}
    kubectl = {**given, "binary": stack.facts["kubectl"]}
    namespace = {**given, "api_version": "v1", "kind": "Namespace", "name": name}
    there = [
        {"localcloud.stack.k8s": namespace},
        {"localcloud.stack.kubectl": {**kubectl, "arguments": ["-n", name, "apply", f"--filename={tmp_path}/map.yml"]}},
        {"localcloud.stack.helm": {**release, "chart_ref": str(chart)}},
    ]
    away = [{"localcloud.stack.k8s": {**namespace, "state": "absent", "wait": True}}]
    try:
        elsewhere.run(playbook, written(tmp_path, there))
        names = stack.kubectl("-n", name, "get", "configmap,secret", "-o", "name").split()
        assert {"configmap/applied", "configmap/released", f"secret/sh.helm.release.v1.{name}.v1"} <= {*names}
    finally:
        elsewhere.run(playbook, written(tmp_path, away))


def written(folder: Path, tasks: list[dict[str, Any]]) -> str:
    """A playbook of these tasks."""
    path = folder / "play.yml"
    named = [{"name": f"Task {number}", **task} for number, task in enumerate(tasks)]
    path.write_text(yaml.safe_dump([{"name": "Play", "hosts": "localhost", "gather_facts": False, "tasks": named}]))
    return str(path)
