"""Versions of others' programs: which are supported, and what is said of any other one."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.supported import (
    cluster_problem,
    helm_modules_problem,
    helm_problem,
    kubectl_problem,
    runtime_problems,
)


@pytest.mark.parametrize("said", ["v1.31.0", "v1.34.2", "v1.37.2+k3s1", "v1.33.5-eks-3cfe0ce"])
def test_a_cluster_that_is_supported(said: str) -> None:
    assert cluster_problem(said) is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("v1.30.14", "Kubernetes 1.30 is older than what is supported: Kubernetes 1.31 to 1.37. Upgrade the cluster"),
        ("v1.38.0", "Kubernetes 1.38 is newer than what is supported: Kubernetes 1.31 to 1.37. Take a newer version"),
        ("nonsense", "does not say which Kubernetes it is ('nonsense'); supported is Kubernetes 1.31 to 1.37"),
    ],
)
def test_a_cluster_that_is_not(said: str, problem: str) -> None:
    assert problem in str(cluster_problem(said))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("v4.3.2\n", None),
        ("v4.3.2+g1c2f4e3", None),
        ("v3.13.0+g825e86f", None),
        ("v3.12.3", "Helm 3.12 is not supported. Install Helm 3.13 or later, or Helm 4"),
        ("Client: v2.17.0+ga690bad", "Helm 2.17 is not supported. Install Helm 3.13 or later, or Helm 4"),
        ("", "does not say which Helm it is. Install Helm 3.13 or later, or Helm 4"),
    ],
)
def test_helm(said: str, problem: str | None) -> None:
    found = helm_problem(said)
    assert (found is None) if problem is None else (problem in str(found))


@pytest.mark.parametrize(
    ("helm", "collection", "fits"),
    [
        ("v4.3.2", "6.2.0", False),
        ("v4.0.0", "6.4.1", False),
        ("v4.3.2", "6.5.0", True),
        ("v4.3.2", "7.0.0-dev", True),
        ("v3.22.0", "6.2.0", True),
        ("", "6.2.0", True),
    ],
)
def test_the_modules_of_kubernetes_core_and_helm(helm: str, collection: str, fits: bool) -> None:
    found = helm_modules_problem(helm, collection)
    assert (found is None) is fits
    assert fits or f"kubernetes.core {collection} does not work with Helm {helm[1:4]}: it needs 6.5 or later" in str(
        found
    )


@pytest.mark.parametrize(
    ("kubectl", "cluster", "problem"),
    [
        ('{"clientVersion": {"gitVersion": "v1.33.9"}}', "v1.34.2", None),
        ("v1.35.0", "v1.34.2", None),
        # A newer one works for all that is done here.
        ("v1.37.0", "v1.34.2", None),
        ("v1.32.1", "v1.34.2", "kubectl 1.32 is too old for the cluster, which is Kubernetes 1.34: supported is kubectl 1.33 to kubectl 1.35"),
        ('{"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}}', "v1.34.2", None),
        ("", "v1.34.2", "kubectl does not say its version"),
        ("v1.20.0", "nonsense", None),
    ],
)  # fmt: skip
def test_kubectl(kubectl: str, cluster: str, problem: str | None) -> None:
    found = kubectl_problem(kubectl, cluster)
    assert (found is None) if problem is None else (problem.replace("to kubectl", "to") in str(found))


@pytest.mark.parametrize(
    ("core", "python", "problems"),
    [
        ("2.19.0", (3, 11), []),
        ("2.21.5", (3, 14), []),
        ("2.22.0rc1", (3, 15), []),
        ("2.17.14", (3, 12), ["ansible-core 2.17 is older than what is supported: ansible-core 2.19 to 2.21."]),
        ("2.17.14", (3, 10), ["ansible-core 2.17", "Python 3.10 is older than what is supported: Python 3.11 to 3.14."]),
    ],
)  # fmt: skip
def test_what_runs_playbooks(core: str, python: tuple[int, int], problems: list[str]) -> None:
    found = runtime_problems(core, python)
    assert len(found) == len(problems)
    for said, wanted in zip(found, problems, strict=True):
        assert wanted in said
