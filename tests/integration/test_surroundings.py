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


@pytest.fixture
def came(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Any]]:
    """Who came to the listener that all variables lead to."""
    found: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            found.append(connection.recv(200))
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name in (*PROXIES, *(name.lower() for name in PROXIES), *URLS):
        monkeypatch.setenv(name, url)
    for name in NAMES:
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent")
    other = {
        "clusters": [{"name": "elsewhere", "cluster": {"server": url}}],
        "contexts": [{"name": "elsewhere", "context": {"cluster": "elsewhere", "user": "elsewhere"}}],
        "users": [{"name": "elsewhere", "user": {"token": "elsewhere"}}],
        "current-context": "elsewhere",
    }
    (tmp_path / "config").write_text(json.dumps(other))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    yield found
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_stack_is_looked_at_where_it_is(name: str, playbook: Callable[..., Any], came: list[Any]) -> None:
    done = playbook(f"playbooks/{name}.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert came == []


def test_objects_and_releases_go_to_the_named_cluster(
    stack: Any, playbook: Callable[..., Any], came: list[Any], tmp_path: Path
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
        run(playbook, tmp_path, there)
        names = stack.kubectl("-n", name, "get", "configmap", "-o", "name").split()
        assert {"configmap/applied", "configmap/released"} <= {*names}
    finally:
        run(playbook, tmp_path, away)
    assert came == []


def run(playbook: Callable[..., Any], folder: Path, tasks: list[dict[str, Any]]) -> None:
    path = folder / "play.yml"
    named = [{"name": f"Task {number}", **task} for number, task in enumerate(tasks)]
    path.write_text(yaml.safe_dump([{"name": "Play", "hosts": "localhost", "gather_facts": False, "tasks": named}]))
    done = playbook(str(path))
    assert done.returncode == 0, done.stdout + done.stderr
