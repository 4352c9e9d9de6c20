"""An etcd that has reached its quota refuses every write until a run makes room, although the API server is ready."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.localcloud.stack.plugins.module_utils.node import etcd
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import BaseInputs, Node

from tests.faults.bare_nodes import all_versions, kubectl


def test_a_full_etcd_is_seen_and_writes_again(
    start: Callable[[str, BaseInputs | None], Node], parts: dict[str, PartPath]
) -> None:
    node = start("only", None)
    assert node.is_up(parts)
    member = etcd.call(node._etcd(), "maintenance/status", {})["header"]["member_id"]
    alarm = {"action": "ACTIVATE", "memberID": member, "alarm": "NOSPACE"}
    etcd.call(node._etcd(), "maintenance/alarm", alarm)
    refused = kubectl(node, parts, "create", "configmap", "one")
    assert "database space exceeded" in refused.stderr
    assert not node.is_up(parts)
    assert node.up(parts, all_versions())
    assert node.is_up(parts)
    assert kubectl(node, parts, "create", "configmap", "one").returncode == 0
