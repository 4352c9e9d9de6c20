"""The NetworkPolicies of monitoring, by the pods that they are for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.test_policies import MONITORING, Connections, items

METRICS = 8080


@pytest.fixture
def tried(stack: Any) -> Iterator[Connections]:
    with ExitStack() as exits:
        yield Connections(stack.folder, exits)


@pytest.fixture(scope="module")
def pods(stack: Any) -> dict[str, dict[str, Any]]:
    """A pod of each application of monitoring, by its name, and Crossplane's as one of another namespace."""
    found = items(stack, "pods", "-n", MONITORING, "--field-selector", "status.phase=Running")
    named = {one["metadata"]["labels"]["app.kubernetes.io/name"]: one for one in found}
    (other,) = items(
        stack,
        "pods",
        "-n",
        "crossplane-system",
        "--selector",
        "app=crossplane",
        "--field-selector",
        "status.phase=Running",
    )
    return {**named, "crossplane": other}


def test_targets_are_reached_by_prometheus_alone(pods: dict[str, dict[str, Any]], tried: Connections) -> None:
    address = pods["kube-state-metrics"]["status"]["podIP"]
    assert tried.seen(pods["prometheus"], address, METRICS, "answered") == "answered"
    assert tried.seen(pods["crossplane"], address, METRICS, "refused") == "refused"


@pytest.mark.parametrize(("name", "port"), [("prometheus", 9090), ("alertmanager", 9093)])
def test_what_is_asked_is_reached_at_its_port_alone(
    pods: dict[str, dict[str, Any]], tried: Connections, name: str, port: int
) -> None:
    address, closed = pods[name]["status"]["podIP"], tried.listener(pods[name])
    assert tried.seen(pods["crossplane"], address, port, "answered") == "answered"
    assert tried.seen(pods["crossplane"], address, closed, "refused") == "refused"


def test_alertmanager_connects_to_nothing_without_a_receiver(
    pods: dict[str, dict[str, Any]], tried: Connections
) -> None:
    address = pods["crossplane"]["status"]["podIP"]
    assert tried.seen(pods["alertmanager"], address, tried.listener(pods["crossplane"]), "refused") == "refused"
