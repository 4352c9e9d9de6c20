#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: stack_snapshot
short_description: Save a stack on the embedded node to a file, or take one from it
version_added: 0.2.0
description:
  - A snapshot is one file with the state of the node that M(localcloud.stack.embedded_node) made, the data of an emulator that keeps them on a
    volume, and what the checkout remembers of the stack. It has no images, which the cache of built parts has.
  - It has the keys and secrets of the cluster, so its owner alone can read it. Restore only what you would run, as all of it runs as root.
  - A restored node has the names, addresses and UIDs of the saved one. It is started by M(localcloud.stack.embedded_node).
author:
  - localcloud.stack contributors (@localcloud)
options:
  state:
    description:
      - V(saved) writes the snapshot. While it does, the node's kubelet is stopped, its etcd stands still for as long as its data are read, and O(emulator)
        ends and starts again. A snapshot that is there is never replaced.
      - V(restored) takes the stack of the snapshot in place of the one that is there, which is removed.
    type: str
    choices: [saved, restored]
    required: true
  name:
    description: The snapshot's name, or with a slash the path of its file.
    type: str
    required: true
  base:
    description: The folder that a path is relative to.
    type: path
    default: .
  folder:
    description: The folder of the stack's state. Its folder C(snapshots) has those that were saved by name.
    type: path
    required: true
  checkout:
    description: The folder from whose path names and addresses of a new node are derived.
    type: path
    required: true
  project:
    description: The collection's root folder, which has C(toolchain/) and the blueprints.
    type: path
    required: true
  engine:
    description: The engine that the stack has, which the snapshot names.
    type: str
    default: ""
  blueprints:
    description: The blueprints that the stack has, which the snapshot names.
    type: list
    elements: str
    default: []
  emulator:
    description: The container of an emulator that writes its data when it ends. Without it no container is ended.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        required: true
      container:
        description: Its name.
        type: str
        default: emulator
  cache:
    description:
      - The cache of built parts.
      - By default C($XDG_CACHE_HOME/localcloud) or C(~/.cache/localcloud).
    type: path
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: A snapshot to restore is looked at, but for its end.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call saves or restores.
"""

EXAMPLES = r"""
- name: Save the stack
  localcloud.stack.stack_snapshot:
    state: saved
    name: before-the-migration
    folder: "{{ playbook_dir }}/.localcloud"
    checkout: "{{ playbook_dir }}"
    project: "{{ playbook_dir }}"
    emulator: {namespace: devopstest}

- name: Take a snapshot of a colleague
  localcloud.stack.stack_snapshot:
    state: restored
    name: ~/Downloads/orders.tar.zst
    folder: "{{ playbook_dir }}/.localcloud"
    checkout: "{{ playbook_dir }}"
    project: "{{ playbook_dir }}"
"""

RETURN = r"""
path:
  description: The snapshot.
  returned: success
  type: str
  sample: /home/me/stack/.localcloud/snapshots/before-the-migration.tar.zst
size_bytes:
  description: Its size.
  returned: when it is there
  type: int
  sample: 9437184
created:
  description: When it was made.
  returned: success, but not with O(state=saved) in check mode
  type: str
  sample: 2026-11-30T22:00:00Z
kubernetes:
  description: The minor version of Kubernetes that its node runs.
  returned: success, but not with O(state=saved) in check mode
  type: str
  sample: "1.37"
engine:
  description: The engine that it has.
  returned: success, but not with O(state=saved) in check mode
  type: str
  sample: ministack
blueprints:
  description: The blueprints that it has.
  returned: success, but not with O(state=saved) in check mode
  type: list
  elements: str
  sample: [pipeline]
"""

import contextlib
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.node import snapshot
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import Node
from ansible_collections.localcloud.stack.plugins.module_utils.node.snapshot import Manifest, SnapshotError
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root, remove

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    from filelock import FileLock

SPEC = Spec(
    argument_spec={
        "state": {"type": "str", "choices": ["saved", "restored"], "required": True},
        "name": {"type": "str", "required": True},
        "base": {"type": "path", "default": "."},
        "folder": {"type": "path", "required": True},
        "checkout": {"type": "path", "required": True},
        "project": {"type": "path", "required": True},
        "engine": {"type": "str", "default": ""},
        "blueprints": {"type": "list", "elements": "str", "default": []},
        "emulator": {
            "type": "dict",
            "options": {
                "namespace": {"type": "str", "required": True},
                "container": {"type": "str", "default": "emulator"},
            },
        },
        "cache": {"type": "path"},
    },
)


def roots(params: dict[str, Any], cache: Cache) -> dict[str, str]:
    """The folders that paths of a stack begin with."""
    return {"state": str(params["folder"]), "project": str(params["project"]), "cache": str(cache.root)}


def saved(node: Node, path: Path, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Save the stack."""
    facts = node.snapshot_facts()
    if path.exists():
        raise SnapshotError(
            f"There is a snapshot {path} already, and none is replaced. Take another name, or remove it, then run again."
        )
    if check_mode:
        return {"changed": True, "path": str(path)}
    manifest = Manifest(
        format=snapshot.FORMAT,
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        architecture=platform.machine(),
        roots=roots(params, node.cache),
        engine=params["engine"],
        blueprints=params["blueprints"],
        **facts,
    )
    emulator = params["emulator"]
    with snapshot.writing(path, manifest) as archive:
        node.save(archive, (emulator["namespace"], emulator["container"]) if emulator else None)
        for name in snapshot.FILES:
            archive.add(f"{snapshot.REMEMBERED}/{name}", Path(params["folder"]) / name)
    return {"changed": True, **described(path, manifest)}


def restored(node: Node, path: Path, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Take the stack of a snapshot."""
    manifest = snapshot.read_manifest(path)
    refuse(manifest, node, Path(params["project"]))
    result = {"changed": True, **described(path, manifest)}
    if check_mode:
        return result
    folder = Path(params["folder"])
    unpacked = folder / "snapshot-unpacked"
    try:
        snapshot.unpack(path, unpacked)
        node.restore(unpacked, manifest)
        snapshot.put_back(unpacked, folder, manifest.roots, roots(params, node.cache))
    finally:
        remove(unpacked)
    return result


def refuse(manifest: Manifest, node: Node, project: Path) -> None:
    """Raise SnapshotError or NodeError if this machine can't have the stack."""
    if manifest.architecture != platform.machine():
        raise SnapshotError(
            f"The snapshot is of a machine with {manifest.architecture}, and this one has {platform.machine()}. Nothing was touched."
        )
    own = Inventory.read(project, kubernetes=manifest.kubernetes).digests
    gone = [
        name
        for name, digest in sorted({**manifest.parts, **manifest.images}.items())
        if own.get(name) != digest and not node.cache.has(name, digest)
    ]
    if gone:
        raise SnapshotError(
            f"The snapshot was made with parts that are neither those of this checkout nor in {node.cache.results}: {', '.join(gone)}. Restore it "
            "with the commit that it was made with, or where these were built. Nothing was touched."
        )
    node.refuse_restoring(manifest)


def described(path: Path, manifest: Manifest) -> dict[str, Any]:
    return {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "created": manifest.created,
        "kubernetes": manifest.kubernetes,
        "engine": manifest.engine,
        "blueprints": list(manifest.blueprints),
    }


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("cryptography", "filelock", "psutil", "supervisor", "yaml", "zstandard"):
        raise ModuleError(problem)
    folder = Path(params["folder"])
    path = snapshot.path_of(folder / "snapshots", params["name"], Path(params["base"]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "node.lock"):
            node = Node(folder / "node", Path(params["checkout"]), Cache(Path(params["cache"] or default_root())))
            return {"saved": saved, "restored": restored}[params["state"]](node, path, params, check_mode)
    except OSError as error:
        raise SnapshotError(
            f"{path}: {error.strerror or error}. Free some space, or correct what is wrong there, then run again."
        ) from error


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
