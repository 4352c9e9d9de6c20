"""Modules that run in the task's own process: where they may, and what becomes of their result."""

from __future__ import annotations

import contextlib
import gc
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.plugin_utils.in_process import InProcess
from ansible_collections.localcloud.stack.plugins.plugin_utils.main_process import NEW_OBJECTS, kept


def action(**changed: Any) -> Any:
    """An action in the place where modules may run in its process, but for what is changed."""
    one: Any = InProcess.__new__(InProcess)
    one._connection = SimpleNamespace(transport=changed.get("transport", "local"), become=changed.get("become"))
    one._task = SimpleNamespace(
        async_val=changed.get("async_val", 0),
        environment=changed.get("environment", []),
        delegate_to=changed.get("delegate_to"),
        action="localcloud.stack.door",
    )
    one._templar = SimpleNamespace(template=lambda value: value)
    return one


def test_at_home_is_this_machine_and_this_python() -> None:
    here = {"ansible_python_interpreter": sys.executable}
    assert action()._at_home(here)
    assert not action()._at_home({})
    assert not action()._at_home({"ansible_python_interpreter": "/usr/bin/other"})
    for changed in ({"transport": "ssh"}, {"become": object()}, {"async_val": 5}, {"environment": [{"A": "b"}]}):
        assert not action(**changed)._at_home(here)
    other = {"ansible_delegated_vars": {"other": {"ansible_python_interpreter": "/usr/bin/other"}, "same": here}}
    assert not action(delegate_to="other")._at_home({**here, **other})
    assert action(delegate_to="same")._at_home(other)


@pytest.mark.parametrize(("value", "at_home"), [(True, True), (False, False), ("no", False), ("yes", True)])
def test_it_can_be_turned_off(value: object, at_home: bool) -> None:
    here = {"ansible_python_interpreter": sys.executable, "localcloud_in_process": value}
    assert action()._at_home(here) is at_home
    delegated = {**here, "ansible_delegated_vars": {"same": {"ansible_python_interpreter": sys.executable}}}
    assert action(delegate_to="same")._at_home(delegated) is at_home


@pytest.mark.parametrize(
    ("looks_only", "check_mode", "here", "runs_elsewhere"),
    [
        (False, False, {"changed": True}, False),
        (True, False, {"changed": False}, False),
        (True, False, {"changed": True}, True),
        (True, False, {"failed": True, "msg": "it is shut"}, True),
        (True, True, {"failed": True, "msg": "it is shut"}, False),
        (True, True, {"changed": True}, False),
    ],
)
def test_who_only_looks_here_has_the_work_done_elsewhere(
    monkeypatch: pytest.MonkeyPatch, looks_only: bool, check_mode: bool, here: dict[str, Any], runs_elsewhere: bool
) -> None:
    asked = []

    def run(_params: dict[str, Any], checking: bool) -> dict[str, Any]:
        asked.append(checking)
        if here.get("failed"):
            raise ModuleError(here["msg"])
        return here

    one = action()
    one.looks_only, one.module = looks_only, SimpleNamespace(SPEC=Spec({}), run=run)
    one._task.check_mode, one._task.diff, one._task.args = check_mode, False, {}
    one._display = SimpleNamespace(verbosity=0)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_arguments: {})
    monkeypatch.setattr(one, "_execute_module", lambda **_arguments: {"elsewhere": True})
    result = one.run(None, {"ansible_python_interpreter": sys.executable})
    assert asked == [looks_only or check_mode]
    assert result == ({"elsewhere": True} if runs_elsewhere else here)


def test_garbage_is_looked_for_again_after_what_is_kept_was_made() -> None:
    before = gc.get_threshold()
    with contextlib.suppress(ValueError), kept():
        inside = gc.isenabled()
        raise ValueError
    try:
        assert (inside, gc.isenabled(), gc.get_threshold()[0]) == (False, True, NEW_OBJECTS)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
