"""Which version of Kubernetes a node may be brought to, and what is said of those that it may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node import config, security, upgrade
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import Identity
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import minor_version, project_releases

PROJECT = Path(__file__).resolve().parents[5]
IDENTITY = Identity("localcloud-1", "lc1", "10.213.0.1", "10.213.0.2")
NEWEST, BEFORE, OLDEST = project_releases(PROJECT)


def kubeadm(kubernetes: str, etcd: str = "v3.6.5") -> str:
    versions = {"kubernetes": kubernetes, "etcd": etcd, "coredns": "v1"}
    return yaml.safe_dump_all(config.kubeadm_config(IDENTITY, versions))


def test_what_a_node_runs_is_in_its_configuration() -> None:
    assert upgrade.running_versions(kubeadm("v1.36.3")) == {"kubernetes": "v1.36.3", "etcd": "v3.6.5"}


@pytest.mark.parametrize(
    ("running", "wanted", "said"),
    [
        ("v1.36.3", "v1.37.2", None),
        ("v1.36.3", "v1.36.3", None),
        ("v1.36.3", "v1.36.4", None),
        ("v1.36.3", "v1.36.2", None),
        ("v1.9.1", "v1.10.0", None),
        ("v1.35.4", "v1.37.2", "by one minor version at a time .*cluster_kubernetes=1.36'` first"),
        ("v1.37.2", "v1.36.3", "does not go back to an older minor version.*Nothing was touched.*make down"),
        ("v1.10.0", "v1.9.9", "does not go back"),
    ],
)
def test_a_step_is_one_minor_version_up(running: str, wanted: str, said: str | None) -> None:
    found = upgrade.step_problem({"kubernetes": running, "etcd": "v3.6.5"}, {"kubernetes": wanted, "etcd": "v3.7.3"})
    assert (found is None) == (said is None)
    assert re.search(said or "", found or "")


def test_etcd_does_not_go_back() -> None:
    found = upgrade.step_problem(
        {"kubernetes": "v1.36.3", "etcd": "v3.7.3"}, {"kubernetes": "v1.37.2", "etcd": "v3.6.5"}
    )
    assert found is not None and "runs etcd v3.7.3 and is to run v3.6.5" in found


def node(folder: Path, running: str, initialized: bool = True) -> Path:
    (folder / "state/config").mkdir(parents=True)
    (folder / "state" / config.KUBEADM).write_text(kubeadm(running))
    record = {"initialized": initialized, "parts": dict.fromkeys(config.PROGRAMS_OF, "1")}
    (folder / "node.json").write_text(json.dumps(record))
    return folder


def test_a_project_without_a_node_takes_each_of_its_releases(tmp_path: Path) -> None:
    assert [upgrade.version_problems(PROJECT, one, tmp_path) for one in ("", NEWEST, BEFORE, OLDEST)] == [[]] * 4
    (said,) = upgrade.version_problems(PROJECT, "1.30", tmp_path)
    assert said.startswith("cluster_kubernetes is '1.30'") and OLDEST in said


def test_a_node_goes_to_the_next_release_only(tmp_path: Path) -> None:
    here = node(tmp_path, project_releases(PROJECT)[OLDEST])
    assert upgrade.version_problems(PROJECT, OLDEST, here) == upgrade.version_problems(PROJECT, BEFORE, here) == []
    (said,) = upgrade.version_problems(PROJECT, "", here)
    assert f"cluster_kubernetes={BEFORE}" in said


def test_a_node_from_before_its_own_containerd_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    here = node(tmp_path, project_releases(PROJECT)[OLDEST])
    record = json.loads((here / "node.json").read_text())
    del record["parts"]["containerd"]
    (here / "node.json").write_text(json.dumps(record))
    (said,) = upgrade.version_problems(PROJECT, OLDEST, here)
    assert "had no containerd of their own" in said


def test_a_node_that_was_not_made_to_its_end_is_made_again(tmp_path: Path) -> None:
    assert upgrade.version_problems(PROJECT, OLDEST, node(tmp_path, "v1.99.0", initialized=False)) == []


def pod(name: str, source: str, *ready: bool) -> dict[str, Any]:
    statuses = [{"name": name, "ready": one} for one in ready]
    return {
        "metadata": {"name": name, "annotations": {"kubernetes.io/config.source": source}},
        "status": {"containerStatuses": statuses} if ready else {},
    }


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "etcd, kube-apiserver not ready"),
        ([pod("etcd", "file", True), pod("kube-apiserver", "file")], "kube-apiserver not ready"),
        ([pod("etcd", "file", True), pod("kube-apiserver", "file", False)], "kube-apiserver not ready"),
        ([pod("etcd", "api", True), pod("kube-apiserver", "file", True)], "etcd not ready"),
        ([pod("etcd", "file", True), pod("kube-apiserver", "file", True), {"metadata": {}, "status": {}}], None),
    ],
)
def test_the_control_plane_is_what_the_kubelet_itself_has_ready(pods: list[Any], said: str | None) -> None:
    assert upgrade.static_pods_problem(pods, ["etcd", "kube-apiserver"]) == said


def test_the_key_of_secrets_is_kept() -> None:
    assert upgrade.encryption_key(yaml.safe_dump(security.encryption("a2V5"))) == "a2V5"


def test_kubeadm_asks_nobody_and_pulls_nothing() -> None:
    told = upgrade.configuration("v1.37.2")["apply"]
    assert told["kubernetesVersion"] == "v1.37.2"
    assert told["forceUpgrade"]
    assert "preflight" in told["skipPhases"]


def test_a_minor_version_is_of_two_numbers() -> None:
    assert minor_version("v1.37.2") == "1.37"
