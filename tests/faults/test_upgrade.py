"""A node that runs is brought to other parts: its pods stay, a run that is killed meanwhile is gone on with, and what does not start is put back.

The parts are the same ones under other digests, as if they had been rebuilt; tests of `make test-matrix` go from one Kubernetes to the next.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.node import lifecycle, upgrade
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import NodeError
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import BaseInputs, Node

from tests.faults.bare_nodes import all_versions, get, kubectl

Start = Callable[[str, BaseInputs | None], Node]
Parts = dict[str, PartPath]


def rebuilt(parts: Parts, folder: Path) -> Parts:
    """The same parts, as if they had been rebuilt: programs in another folder, all with another digest."""
    others = {name: replace(part, digest=part.digest[::-1]) for name, part in parts.items()}
    for name in ("kubernetes", "containerd"):
        shutil.copytree(parts[name].path, folder / name)
        others[name] = replace(others[name], path=str(folder / name))
    return others


def program(node: Node, name: str) -> tuple[int, str]:
    """Process and file of a program of the node."""
    assert node.process
    found = []
    for one in node.process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # what ends meanwhile, as a probe's
            if one.name() == name:
                found.append((one.pid, one.exe()))
    (only,) = found
    return only


def run_a_pod(node: Node, parts: Parts) -> str:
    """Run a pod; return the container that it is."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stays"},
        "spec": {"containers": [{"name": "pause", "image": parts["pause"].image, "imagePullPolicy": "Never"}]},
    }
    get(node, parts, "serviceaccount", "default")
    done = kubectl(node, parts, "apply", "--filename", "-", given=yaml.safe_dump(pod))
    assert done.returncode == 0, done.stderr
    wait_for("the pod to run", lambda: None if container(node, parts) else "it does not", 60)
    return container(node, parts)


def container(node: Node, parts: Parts) -> str:
    """The container of the pod, if it runs and never ended."""
    (status,) = get(node, parts, "pod", "stays")["status"].get("containerStatuses") or [{"state": {}}]
    return str(status["containerID"]) if "running" in status["state"] and not status["restartCount"] else ""


@pytest.mark.nightly
def test_a_killed_upgrade_is_gone_on_with_and_pods_stay(
    start: Start, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = start("only", None)
    before = run_a_pod(node, parts)
    server, *beside = (program(node, name) for name in ("kube-apiserver", "kubelet", "containerd"))
    others = rebuilt(parts, tmp_path)
    assert not node.is_up(others)

    def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(node, "_exchange_programs", killed)
        node.up(others, all_versions())
    node = Node(node.folder, Path(node.checkout), node.cache)
    assert not node.is_up(others)
    assert node.up(others, all_versions())
    assert program(node, "kube-apiserver")[0] != server[0]
    kubelet, containerd = program(node, "kubelet"), program(node, "containerd")
    assert not {kubelet[0], containerd[0]} & {process for process, _file in beside}
    assert kubelet[1].startswith(others["kubernetes"].path)
    assert containerd[1].startswith(others["containerd"].path)
    assert container(node, others) == before
    assert not list((node.folder / "state/config").glob("upgrade*"))
    assert node.is_up(others)
    assert not node.up(others, all_versions())


@pytest.mark.nightly
def test_what_does_not_start_is_put_back(
    start: Start, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new API server is one that ends at once."""
    monkeypatch.setattr(upgrade, "COMPONENT_SECONDS", 20)
    node = start("only", None)
    before = run_a_pod(node, parts)
    others = rebuilt(parts, tmp_path)
    settings = lifecycle.config.security.api_server

    def wrong(*folders: str) -> dict[str, Any]:
        found = settings(*folders)
        return {**found, "extraArgs": [*found["extraArgs"], {"name": "no-such-flag", "value": "1"}]}

    with monkeypatch.context() as patched:
        patched.setattr(lifecycle.config.security, "api_server", wrong)
        with pytest.raises(NodeError, match="could not be upgraded from Kubernetes .*put back, and no data are lost"):
            node.up(others, all_versions())
    assert container(node, parts) == before
    assert "no-such-flag" not in (node.folder / "state/etc-kubernetes/manifests/kube-apiserver.yaml").read_text()
    assert node.up(others, all_versions())
    assert container(node, others) == before
