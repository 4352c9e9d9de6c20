"""Every NetworkPolicy of ours, by the very pods that it is for: from within their network, with the labels that they really have."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.integration.conftest import CLIENT

OWNER = "localcloud.dev/owner"
# Whose policies are about its own targets: test_monitoring_policies.py.
MONITORING = "monitoring"
HELM_OWNER = "meta.helm.sh/release-name"
# Answers at a port of the pod's that no policy opens, until its input ends.
SERVER = """
import socket, sys
server = socket.create_server(("", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


class Policy(NamedTuple):
    """A NetworkPolicy, and the pods that run and that it selects."""

    namespace: str
    name: str
    spec: dict[str, Any]
    pods: list[dict[str, Any]]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)."""

    def holds(one: dict[str, Any]) -> bool:
        key, values = one["key"], one.get("values") or []
        return {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[one["operator"]]

    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(map(holds, selector.get("matchExpressions") or []))


def items(stack: Any, *what: str) -> list[dict[str, Any]]:
    return list(json.loads(stack.kubectl("get", *what, "--output", "json"))["items"])


@pytest.fixture(scope="module")
def policies(stack: Any) -> list[Policy]:
    """Those that the stack made, by its owner's label or by a Helm release whose record has it."""
    owner = stack.facts["stack"]
    records = items(stack, "secrets", "--all-namespaces", "--selector", f"owner=helm,{OWNER}={owner}")
    releases = {(one["metadata"]["namespace"], one["metadata"]["labels"]["name"]) for one in records}
    pods = items(stack, "pods", "--all-namespaces", "--field-selector", "status.phase=Running")

    def is_ours(metadata: dict[str, Any]) -> bool:
        made_for = (metadata.get("annotations") or {}).get(HELM_OWNER)
        return (metadata.get("labels") or {}).get(OWNER) == owner or (metadata["namespace"], made_for) in releases

    return [
        Policy(
            one["metadata"]["namespace"],
            one["metadata"]["name"],
            one["spec"],
            [
                pod
                for pod in pods
                if pod["metadata"]["namespace"] == one["metadata"]["namespace"]
                and selects(one["spec"]["podSelector"], pod["metadata"].get("labels") or {})
            ],
        )
        for one in items(stack, "networkpolicies", "--all-namespaces")
        if is_ours(one["metadata"])
    ]


def first_process(folder: Path) -> psutil.Process:
    """That of the node in this state folder, an embedded one or a container of Docker."""
    facts = json.loads((folder / "cluster.json").read_text())
    if facts["kind"] == "kind":
        command = ["docker", "inspect", "--format", "{{.State.Pid}}", f"{facts['stack']}-control-plane"]
        return psutil.Process(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    (node,) = (
        one
        for one in psutil.process_iter(["cmdline"])
        if (one.info["cmdline"] or [""])[0].endswith("unshare")
        and any(argument.startswith(f"{folder.resolve()}/node/") for argument in one.info["cmdline"])
    )
    return node


def network_of(folder: Path, address: str) -> Path:
    """The network namespace that has this address, by a process in it, of the node in this state folder.

    Pods of other nodes on this machine have the same addresses.
    """
    for process in first_process(folder).children(recursive=True):
        path = Path("/proc", str(process.pid))
        try:
            table = (path / "net/fib_trie").read_text()
        except OSError:  # it has ended
            continue
        if re.search(rf"\|-- {re.escape(address)}\n +/32 host LOCAL", table):
            return path / "ns/net"
    raise AssertionError(f"No process of the node is in the network of {address}")


class Connections:
    """Tries connections out of pods' networks."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self._folder, self._exits = folder, exits

    def _python(self, pod: dict[str, Any], script: str, *arguments: object) -> subprocess.Popen[str]:
        network = network_of(self._folder, pod["status"]["podIP"])
        return subprocess.Popen(
            ["nsenter", f"--net={network}", sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seen(self, pod: dict[str, Any], address: str, port: int, wanted: str) -> str:
        """What a connection from this pod came to, tried until it is what is wanted, as a policy needs a moment to be in force."""
        return self._python(pod, CLIENT, address, port, wanted).communicate(timeout=120)[0]

    def listener(self, pod: dict[str, Any]) -> int:
        """A port of this pod's that is not its own, and at which something answers."""
        process = self._python(pod, SERVER)
        assert process.stdout
        self._exits.callback(process.communicate)
        return int(process.stdout.readline())


@pytest.fixture
def connections(stack: Any) -> Iterator[Connections]:
    with ExitStack() as exits:
        yield Connections(stack.folder, exits)


def endpoint(stack: Any, namespace: str = "devopstest", name: str = "localstack") -> tuple[str, int]:
    """Address and port of the emulator's Service."""
    (service,) = (one for one in items(stack, "services", "-n", namespace) if one["metadata"]["name"] == name)
    return service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]


def test_every_policy_of_ours_selects_a_pod(policies: list[Policy]) -> None:
    names = {one.name for one in policies}
    assert {"localstack", "aws-providers-no-internet"} <= names
    assert len(names) > len({"localstack", "aws-providers-no-internet"}), "the applications have theirs"
    assert [f"{one.namespace}/{one.name}" for one in policies if not one.pods] == []


def test_every_pod_that_calls_aws_is_under_a_policy(stack: Any, policies: list[Policy]) -> None:
    """Whoever has an emulator's keys, or is a provider or the emulator: none of them may reach real AWS."""
    guarded = {pod["metadata"]["uid"] for one in policies if "Egress" in one.spec["policyTypes"] for pod in one.pods}
    calling = [
        pod
        for namespace in {one.namespace for one in policies}
        for pod in items(stack, "pods", "-n", namespace, "--field-selector", "status.phase=Running")
        if "pkg.crossplane.io/provider" in pod["metadata"]["labels"]
        or pod["metadata"]["labels"].get("app.kubernetes.io/component") == "emulator"
        or any("envFrom" in one for one in pod["spec"]["containers"])
    ]
    assert len(calling) >= 4
    assert [pod["metadata"]["name"] for pod in calling if pod["metadata"]["uid"] not in guarded] == []


def test_the_pods_reach_what_they_may_and_nothing_outside(
    stack: Any, policies: list[Policy], connections: Connections, outside: tuple[str, int]
) -> None:
    emulator, port = endpoint(stack)
    (provider,) = (one for one in policies if one.name == "aws-providers-no-internet")
    (slices,) = items(stack, "endpointslices", "-n", "default")
    (api,) = (address for one in slices["endpoints"] for address in one["addresses"])
    egress = [one for one in policies if "Egress" in one.spec["policyTypes"] and one.namespace != MONITORING]
    neighbour = next(
        one.pods[0] for one in policies if "Ingress" in one.spec["policyTypes"] and one.namespace != MONITORING
    )
    for policy in egress:
        (pod, *_others) = policy.pods
        where = f"{policy.namespace}/{policy.name}"
        # The emulator doesn't call itself, but it may call pods.
        allowed = (
            (emulator, port)
            if policy.name != "localstack"
            else (neighbour["status"]["podIP"], port_of(policies, neighbour))
        )
        assert connections.seen(pod, *allowed, "answered") == "answered", where
        assert connections.seen(pod, *outside, "refused") == "refused", where
    assert connections.seen(provider.pods[0], api, slices["ports"][0]["port"], "answered") == "answered"
    # The address itself does answer: it is the policy that refuses.
    (free,) = [
        pod
        for pod in items(stack, "pods", "-n", provider.namespace, "--selector", "app=crossplane")
        if pod["status"]["phase"] == "Running"
    ]
    assert connections.seen(free, *outside, "answered") == "answered"


def port_of(policies: list[Policy], pod: dict[str, Any]) -> int:
    """The port of a pod's that its policy opens."""
    policy = next(one for one in policies if "Ingress" in one.spec["policyTypes"] and pod in one.pods)
    return int(policy.spec["ingress"][0]["ports"][0]["port"])


def test_the_pods_are_reached_at_their_port_alone(stack: Any, policies: list[Policy], connections: Connections) -> None:
    (caller,) = [
        pod
        for pod in items(stack, "pods", "-n", "crossplane-system", "--selector", "app=crossplane")
        if pod["status"]["phase"] == "Running"
    ]
    ingress = [one for one in policies if "Ingress" in one.spec["policyTypes"] and one.namespace != MONITORING]
    assert ingress
    for policy in ingress:
        (pod, *_others) = policy.pods
        address, closed = pod["status"]["podIP"], connections.listener(pod)
        assert ipaddress.ip_address(address)
        assert connections.seen(caller, address, port_of(policies, pod), "answered") == "answered", policy.name
        assert connections.seen(caller, address, closed, "refused") == "refused", policy.name
        # From within the same network it does answer.
        assert connections.seen(pod, address, closed, "answered") == "answered", policy.name
