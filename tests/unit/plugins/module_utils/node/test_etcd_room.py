"""An etcd at its quota is made to write again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import etcd
from ansible_collections.localcloud.stack.plugins.module_utils.node.host import NodeError

ALARM = {"memberID": "7", "alarm": "NOSPACE"}
MIB = 2**20


class Etcd:
    """Answers as etcd's gateway does: numbers of 64 bits are texts."""

    def __init__(self, alarms: list[dict[str, str]], content: int) -> None:
        self.alarms, self.content, self.size = alarms, content, 2048 * MIB
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, _client: Path, path: str, body: Any) -> dict[str, Any]:
        self.asked.append((path, body))
        if path == "maintenance/alarm" and body.get("action") == "DEACTIVATE":
            self.alarms.remove({name: value for name, value in body.items() if name != "action"})
        if path == "maintenance/alarm":
            return {"alarms": self.alarms} if self.alarms else {}
        if path == "maintenance/defragment":
            self.size = self.content
        return {"header": {"revision": "42"}, "dbSize": str(self.size), "dbSizeQuota": str(2048 * MIB)}


def test_one_that_writes_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Etcd([{"memberID": "7", "alarm": "CORRUPT"}], 100 * MIB)
    monkeypatch.setattr(etcd, "call", server)
    assert not etcd.make_room(Path("/client"))
    assert [path for path, _body in server.asked] == ["maintenance/alarm"]


def test_one_full_of_former_versions_writes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Etcd([dict(ALARM)], 100 * MIB)
    monkeypatch.setattr(etcd, "call", server)
    assert etcd.make_room(Path("/client"))
    assert server.alarms == []
    assert ("kv/compaction", {"revision": "42", "physical": True}) in server.asked


def test_one_full_of_objects_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Etcd([dict(ALARM)], 2048 * MIB)
    monkeypatch.setattr(etcd, "call", server)
    with pytest.raises(NodeError, match="take 2048 MiB, and it takes 2048 MiB.*`make down`, then `make up`"):
        etcd.make_room(Path("/client"))
    assert server.alarms == [ALARM]
