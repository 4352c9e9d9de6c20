"""What others own in a namespace is the same, byte for byte, whatever our roles do there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OWNER = "localcloud-test-owner"
EMULATOR = "localcloud-test-emulator"
# Made and dropped by the cluster itself all the time.
TRANSIENT = {"events", "events.events.k8s.io", "endpoints", "leases.coordination.k8s.io"}
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs}
data: {key: value}
"""
NAMESAKES = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {EMULATOR}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: theirs}}}}
  template:
    metadata: {{labels: {{app: theirs}}}}
    spec: {{containers: [{{name: one, image: localhost/none}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {EMULATOR}}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {EMULATOR}-aws}}
stringData: {{AWS_ACCESS_KEY_ID: theirs}}
"""

Run = Callable[..., Any]


@pytest.fixture
def space(stack: Any, name: str) -> Iterator[str]:
    """The name of a namespace that does not exist yet; what a test makes of it goes, while others run."""
    yield name
    stack.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def role(stack: Any, playbook: Any, space: str) -> Run:
    """Run an entry of a role in that namespace, for an owner of its own."""

    def run(role: str, entry: str = "main", *arguments: str, **settings: Any) -> Any:
        given = {f"{role}_{key}": value for key, value in settings.items()}
        return playbook(
            "tests/integration/role.yml",
            *arguments,
            role=role,
            entry=entry,
            cluster_facts=stack.facts,
            **{f"{role}_namespace": space, f"{role}_owner": OWNER, **given},
        )

    return run


CHART = str(Path(__file__).parents[2] / "charts/pipeline")


def emulator(**settings: Any) -> dict[str, Any]:
    return {
        "name": EMULATOR,
        "engine": "ministack",
        "image": "localhost/none",
        "access": "forward",
        "wait": False,
        **settings,
    }


@pytest.fixture
def content(stack: Any, space: str) -> Callable[[], dict[str, str]]:
    """Every object in the namespace, as it is written, by kind and name."""

    def look() -> dict[str, str]:
        kinds = stack.kubectl("api-resources", "--namespaced", "--verbs=list,delete", "-o", "name").split()
        listed = stack.kubectl(
            "-n",
            space,
            "get",
            ",".join(kind for kind in kinds if kind not in TRANSIENT),
            "--ignore-not-found",
            "-o",
            "json",
        )
        return {
            f"{one['kind']}/{one['metadata']['name']}": json.dumps(one, sort_keys=True)
            for one in json.loads(listed or '{"items": []}')["items"]
            if "ownerReferences" not in one["metadata"]
        }

    return look


def said(done: Any) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_namespace_of_others_keeps_what_is_theirs(stack: Any, role: Run, space: str, content: Any) -> None:
    stack.kubectl("create", "namespace", space)
    stack.kubectl("-n", space, "apply", "-f", "-", stdin=SETTINGS)
    before = content()
    done = role("localstack_service", **emulator())
    assert done.returncode == 0, done.stdout
    assert {"StatefulSet", "Service", "NetworkPolicy"} <= {one.split("/")[0] for one in set(content()) - set(before)}
    predicted = role("localstack_service", "absent", "--check", **emulator())
    assert f"Namespace/{space} stays: made by others" in said(predicted)
    assert f"StatefulSet/{EMULATOR}" in said(role("localstack_service", "absent", "--check", "--diff", **emulator()))
    removed = role("localstack_service", "absent", **emulator())
    assert removed.returncode == 0, removed.stdout
    assert f"Namespace/{space} stays: made by others (no label localcloud.dev/owner)" in said(removed)
    assert content() == before
    again = role("localstack_service", "absent", **emulator())
    assert "changed=0" in again.stdout


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check"])
def test_names_that_others_use_are_refused_at_once(
    stack: Any, role: Run, space: str, content: Any, arguments: tuple[str, ...]
) -> None:
    stack.kubectl("create", "namespace", space)
    stack.kubectl("-n", space, "apply", "-f", "-", stdin=NAMESAKES)
    before = content()
    refused = role("localstack_service", "main", *arguments, **emulator())
    assert refused.returncode != 0
    assert "changed=0" in refused.stdout
    for one in ("Deployment", "Service"):
        assert f"{one}/{EMULATOR} ({space}), no label localcloud.dev/owner" in said(refused)
    assert "Set another localstack_service_name or localstack_service_namespace" in said(refused)
    refused = role("apps", "main", *arguments, release=EMULATOR, chart=CHART)
    assert refused.returncode != 0
    assert f"Secret/{EMULATOR}-aws ({space}), no label localcloud.dev/owner" in said(refused)
    assert content() == before


def test_removal_leaves_namesakes_alone(stack: Any, role: Run, space: str, content: Any) -> None:
    stack.kubectl("create", "namespace", space)
    stack.kubectl("-n", space, "apply", "-f", "-", stdin=NAMESAKES)
    before = content()
    for done in (
        role("localstack_service", "absent", **emulator()),
        role("apps", "absent", release=EMULATOR, chart=CHART),
    ):
        assert done.returncode == 0, done.stdout
        assert "changed=0" in done.stdout
    assert content() == before


def test_a_namespace_of_ours_goes_when_it_is_empty(stack: Any, role: Run, space: str, content: Any) -> None:
    assert role("localstack_service", **emulator()).returncode == 0
    stack.kubectl("-n", space, "apply", "-f", "-", stdin=SETTINGS)
    removed = role("localstack_service", "absent", **emulator())
    assert f"Namespace/{space} stays: not empty: ConfigMap/theirs ({space})" in said(removed)
    assert {"ConfigMap/theirs"} == {
        one for one in content() if one not in ("ConfigMap/kube-root-ca.crt", "ServiceAccount/default")
    }
    stack.kubectl("-n", space, "delete", "configmap", "theirs")
    assert role("localstack_service", "absent", **emulator()).returncode == 0
    assert stack.kubectl("get", "namespace", space, "--ignore-not-found") == ""


def test_another_owner_is_refused_and_removes_nothing(stack: Any, role: Run, space: str, content: Any) -> None:
    assert role("localstack_service", **emulator()).returncode == 0
    before = content()
    refused = role("localstack_service", **emulator(owner="localcloud-test-another"))
    assert refused.returncode != 0
    assert f"StatefulSet/{EMULATOR} ({space}), owner {OWNER}" in said(refused)
    removed = role("localstack_service", "absent", **emulator(owner="localcloud-test-another"))
    assert "changed=0" in removed.stdout
    assert set(content()) == set(before)
