"""Nodes with Kubernetes alone, made of the toolchain's parts without a playbook."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.localcloud.stack.plugins.action.toolchain import versions
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import Node
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

PROJECT = Path(__file__).resolve().parents[2]
# Taken before a test sets another home folder, in whose cache all would be built again.
CACHE = Cache(default_root())


def all_parts() -> dict[str, PartPath]:
    """All that a node with Kubernetes alone is made of."""
    names = yaml.safe_load((PROJECT / "roles/cluster/vars/main.yml").read_text())["__cluster_node_parts"]
    built = Builder(Inventory.read(PROJECT), CACHE, print).require(names)
    return {name: PartPath(str(one.path), one.digest, one.image) for name, one in built.items()}


def all_versions() -> dict[str, str]:
    """The versions of these parts."""
    return versions(Inventory.read(PROJECT))


def kubectl(
    node: Node, parts: dict[str, PartPath], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command of kubectl, as the node's administrator."""
    config = node.folder / "kubeconfig"
    config.write_text(yaml.safe_dump(node.kubeconfig()))
    command = [f"{parts['kubernetes'].path}/kubectl", "--kubeconfig", str(config), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def get(node: Node, parts: dict[str, PartPath], *what: str) -> dict[str, Any]:
    """What kubectl gets, as soon as controllers have made it."""
    answers: list[dict[str, Any]] = []

    def there() -> str | None:
        done = kubectl(node, parts, "get", *what, "-o", "json")
        if done.returncode == 0:
            answers.append(json.loads(done.stdout))
        return done.stderr if done.returncode else None

    wait_for(" ".join(what), there, timeout=60)
    return answers[0]
