"""What etcd was too slow for is applied again; nothing else is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.action import k8s

BUSY = {
    "failed": True,
    "msg": 'Failed to apply object: {"message":"Service \\"git\\" is invalid: spec.ports[0].nodePort: Invalid value: 30418: etcdserver: request timed out"}',
}
REFUSED = {"failed": True, "msg": 'Failed to apply object: {"message":"Service \\"git\\" is invalid"}'}


def run(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], *results: dict[str, Any]) -> dict[str, Any]:
    left = [dict(one) for one in results]
    monkeypatch.setattr(k8s.threading, "Event", lambda: SimpleNamespace(wait=lambda _seconds: None))
    action = object.__new__(k8s.ActionModule)
    action._task = SimpleNamespace(args=arguments)
    done = action.performed(lambda: left.pop(0))
    assert left == [], "it was not tried so often"
    return done


def test_what_etcd_was_too_slow_for_is_applied_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, {"apply": True}, BUSY, BUSY, {"changed": False})
    assert done == {"changed": True}


@pytest.mark.parametrize("arguments", [{"apply": True}, {}])
def test_a_refusal_is_told_at_once(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    assert run(monkeypatch, arguments, REFUSED) == REFUSED


def test_what_may_not_be_repeated_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, {"state": "absent"}, BUSY) == BUSY


def test_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k8s, "PATIENCE_SECONDS", -1)
    assert run(monkeypatch, {"apply": True}, BUSY) == BUSY
