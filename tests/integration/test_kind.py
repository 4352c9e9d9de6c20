"""A kind cluster of the checkout's own: what it serves on this machine, what it takes once, and that it is found again when its node was stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import find, info_problem
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind import Cluster, KindError, Wanted
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command

from tests.integration.playbook_output import changed_tasks
from tests.integration.test_ingress import by_name
from tests.integration.test_stack import NAME

PROJECT = Path(__file__).resolve().parents[2]
# As molecule/kind/converge.yml has them.
SETTINGS: dict[str, Any] = {
    "localstack_service_engine": "ministack",
    "apps_image_delivery": "parts",
    "stack_domain": "localcloud.test",
    "stack_monitoring": True,
}


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def node(stack: Any) -> str:
    return f"{stack.facts['stack']}-control-plane"


def test_it_is_of_this_checkout_and_no_other_context_was_used(stack: Any) -> None:
    assert stack.facts["kind"] == "kind"
    assert stack.facts["context"] == f"kind-{stack.facts['stack']}"


def test_node_ports_answer_on_the_loopback_alone(stack: Any) -> None:
    """Of all of them, and of the API server."""
    (inspected,) = json.loads(docker("inspect", node(stack)))
    places = [place for one in inspected["HostConfig"]["PortBindings"].values() for place in one]
    assert {place["HostIp"] for place in places} == {"127.0.0.1"}
    assert stack.env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:30566"
    assert stack.env["DYNAMODB_ADMIN_URL"] == "http://127.0.0.1:30801"
    for url in (stack.env["DYNAMODB_ADMIN_URL"], f"{stack.env['USERS_API_URL']}/healthz"):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200


def test_names_of_the_ingress_answer_on_the_loopback(stack: Any, eventually: Any) -> None:
    assert eventually(lambda: by_name(stack, "dynamodb", "/") == 200)
    assert eventually(lambda: by_name(stack, "localstack", "/_localstack/health") == 200)
    assert by_name(stack, "other", "/") == 404


def test_prometheus_measures_the_pods(stack: Any, eventually: Any, ask: Any) -> None:
    """By the kubelet, whose certificate it checks."""
    assert stack.env["PROMETHEUS_URL"] == "http://127.0.0.1:30990"
    assert eventually(lambda: ask('container_memory_working_set_bytes{namespace="devopstest"}'))


def test_an_addition_whose_port_it_does_not_serve_is_refused(stack: Any, playbook: Any) -> None:
    refused = playbook("site.yml", **SETTINGS, cluster_prometheus_node_port=30991)
    assert refused.returncode != 0
    assert "The kind cluster does not serve the port 30991 on this machine" in " ".join(refused.stdout.split())
    assert not changed_tasks(refused.stdout)


def test_the_node_has_each_image_once(stack: Any) -> None:
    there = docker("exec", node(stack), "ctr", "--namespace", "k8s.io", "images", "ls", "-q").split()
    ours = Counter(name.rpartition(":")[0] for name in there if name.startswith("localhost/localcloud/producer"))
    assert set(ours.values()) == {1}


def test_docker_that_a_user_may_not_use_is_told() -> None:
    """By its real message."""
    if docker("--version").startswith("podman"):
        pytest.skip("Podman needs no rights, as it has no daemon")
    program = shutil.which("docker")
    command = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        str(program),
        "info",
        "--format",
        "{{json .}}",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/nonexistent"}
    )
    assert "this user may not use it" in str(info_problem(done.returncode, done.stdout, done.stderr))


BAD_SUBNET = ["kind: ClusterConfiguration\nnetworking: {serviceSubnet: nonsense}\n"]
BAD_KUBELET = [
    "kind: InitConfiguration\ntimeouts: {kubeletHealthCheck: 8s}\n",
    "kind: KubeletConfiguration\nimageGCHighThresholdPercent: 101\n",
]


def part(name: str, file: str) -> Path:
    command = [sys.executable, PROJECT / "scripts/part.py", name, file]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


@pytest.mark.parametrize(
    ("patches", "told"),
    [
        (
            BAD_SUBNET,
            "kubeadm does not take its configuration.*kubeadm: networking.serviceSubnet: Invalid value: .nonsense",
        ),
        # kubeadm waits a minute for it.
        pytest.param(
            BAD_KUBELET,
            "The kubelet does not take its configuration.*kubelet: .*imageGCHighThresholdPercent",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_why_a_cluster_can_not_be_made(patches: list[str], told: str, tmp_path: Path) -> None:
    """By what kubeadm and the kubelet really say; nothing of it is left."""
    image = part("kind-node", "image")
    engine = find(shutil.which, run_command, os.environ).engine
    wanted = Wanted(
        "localcloud-broken", tmp_path / "kind", tmp_path / "kubeconfig", image=image.read_text().strip(),
        image_archive=image.with_name("image.tar"), extra={"kubeadmConfigPatches": patches},
    )  # fmt: skip
    cluster = Cluster(
        wanted,
        lambda command: run_command(command, environ_update=engine.variables, timeout=300),
        engine,
        {"kind": str(part("kind", "kind"))},
    )
    with pytest.raises(KindError, match=told):
        cluster.present(lambda: None, False)
    assert cluster.state().nodes == []
    assert cluster.absent(False)
    assert not list(tmp_path.iterdir())


def test_a_stopped_node_is_started_again_with_its_data(stack: Any, playbook: Any) -> None:
    """As after a restart of Docker, or of the machine."""
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    table.put_item(Item={"Id": "kept"})
    docker("stop", "--time", "60", node(stack))
    done = playbook("site.yml", **SETTINGS)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Run the kind cluster" in " ".join(changed_tasks(done.stdout))
    assert "Verified: event probe-" in done.stdout
    assert "Item" in table.get_item(Key={"Id": "kept"})
