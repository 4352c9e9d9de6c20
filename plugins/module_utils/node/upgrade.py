# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which other versions a running node may be brought to, and what kubeadm is told for it. Pure, but for version_problems()."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..toolchain.parts import project_parts, project_releases, release_problem
from .config import KUBEADM, PROGRAMS_OF

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

SKEW = "https://kubernetes.io/releases/version-skew-policy/"
# Phases of `kubeadm upgrade apply` that a node of this kind does without: it has no kube-proxy in a pod, its certificates and kubeconfigs are renewed by
# themselves, preflight looks for images of kubeadm's own choice, and CoreDNS' configuration is only brought on from versions that this kubeadm knows.
SKIPPED_PHASES = ("preflight", "kubeconfig", "bootstrap-token", "addon", "post-upgrade")
# So long kubeadm waits for each component before it puts the old one back.
COMPONENT_SECONDS = 150


def version_problems(project: Path, kubernetes: str, node: Path) -> list[str]:
    """What is wrong with this minor version of Kubernetes for a project, and for the node in this folder, if there is one. Raises OSError."""
    known = project_releases(project)
    if problem := release_problem(kubernetes, known):
        return [problem]
    with contextlib.suppress(FileNotFoundError, ValueError):
        record = json.loads((node / "node.json").read_text())
        if record["initialized"]:
            if problem := parts_problem(record.get("parts", {})):
                return [problem]
            parts = project_parts(project, kubernetes)
            wanted = {name: parts[name].spec["version"] for name in ("kubernetes", "etcd")}
            problem = step_problem(running_versions((node / "state" / KUBEADM).read_text()), wanted)
            return [problem] if problem else []
    return []


def parts_problem(recorded: Collection[str]) -> str | None:
    """Why a node with these parts can't be upgraded, and what to do instead; None if it can."""
    unknown = [name for name in PROGRAMS_OF if name not in recorded]
    return (
        f"The node was made by a version of this collection whose nodes had no {' and no '.join(unknown)} of their own, and can't be upgraded in "
        "place. Nothing was touched. Run `make down`, then `make up`."
        if unknown
        else None
    )


def running_versions(kubeadm: str) -> dict[str, str]:
    """The versions of kubernetes and etcd in a node's kubeadm configuration (YAML documents)."""
    documents = {one["kind"]: one for one in yaml.safe_load_all(kubeadm)}
    cluster = documents["ClusterConfiguration"]
    return {"kubernetes": cluster["kubernetesVersion"], "etcd": cluster["etcd"]["local"]["imageTag"]}


def step_problem(running: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    """Why a node of the one versions can't be brought to the others, and what to do instead; None if it can."""
    for name, called in (("kubernetes", "Kubernetes"), ("etcd", "etcd")):
        if _minor(wanted[name]) < _minor(running[name]):
            return (
                f"The node runs {called} {running[name]} and is to run {wanted[name]}, but does not go back to an older minor version: what the newer one has "
                "stored, the older one may not read. Nothing was touched. Run `make down`, then `make up`, or stay with the newer one."
            )
    (major, minor), (_major, next_minor) = _minor(running["kubernetes"]), _minor(wanted["kubernetes"])
    if next_minor > minor + 1:
        return (
            f"The node runs Kubernetes {running['kubernetes']} and is to run {wanted['kubernetes']}, but is upgraded by one minor version at a time ({SKEW}). "
            f"Nothing was touched. Run `make up ARGS='-e cluster_kubernetes={major}.{minor + 1}'` first, and so on, or `make down`, then `make up`."
        )
    return None


def configuration(version: str) -> dict[str, Any]:
    """kubeadm's UpgradeConfiguration to a version of Kubernetes, on a node whose ClusterConfiguration is that of this version already."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "UpgradeConfiguration",
        "apply": {
            "kubernetesVersion": version,
            "certificateRenewal": False,
            "etcdUpgrade": True,
            # Without a question on the terminal.
            "forceUpgrade": True,
            "skipPhases": list(SKIPPED_PHASES),
        },
        "timeouts": {"upgradeManifests": f"{COMPONENT_SECONDS}s"},
    }


def static_pods_problem(pods: Iterable[Mapping[str, Any]], components: Iterable[str]) -> str | None:
    """Which of these components is not ready, by the pods that the kubelet has (v1 Pod); None if all are."""
    ready = {
        container["name"]
        for pod in pods
        if pod["metadata"].get("annotations", {}).get("kubernetes.io/config.source") == "file"
        for container in pod.get("status", {}).get("containerStatuses", [])
        if container.get("ready")
    }
    waiting = [name for name in components if name not in ready]
    return f"{', '.join(waiting)} not ready" if waiting else None


def encryption_key(encryption: str) -> str:
    """The key (base64) in a node's EncryptionConfiguration (YAML)."""
    (resource,) = yaml.safe_load(encryption)["resources"]
    return str(resource["providers"][0]["secretbox"]["keys"][0]["secret"])


def _minor(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"'{version}' is no version.")
    return int(found[1]), int(found[2])
