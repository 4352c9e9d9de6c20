"""Modules that run in the task's own process: where they may, and what becomes of their result."""

from __future__ import annotations

import contextlib
import gc
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.localcloud.stack.plugins.plugin_utils import in_process
from ansible_collections.localcloud.stack.plugins.plugin_utils.in_process import (
    NEW_OBJECTS,
    Ended,
    InProcess,
    kept,
    module_class,
)

SPEC = {"name": {"type": "str", "required": True}, "key": {"type": "str", "no_log": True}}


def ended(arguments: dict[str, Any], work: Any) -> dict[str, Any]:
    with pytest.raises(Ended) as raised:
        work(module_class(arguments)(argument_spec=SPEC, supports_check_mode=True))
    return raised.value.result


def test_a_result_without_secrets_and_with_warnings() -> None:
    def work(module: Any) -> None:
        module.warn("mind the gap")
        module.exit_json(changed=False, said=f"{module.params['key']} of {module.params['name']}")

    result = ended({"name": "door", "key": "hush-hush", "_ansible_verbosity": 3}, work)
    assert result["said"] == "******** of door"
    assert result["warnings"] == ["mind the gap"]
    assert "hush-hush" not in str(result)
    assert result["invocation"]["module_args"]["name"] == "door"
    assert "invocation" not in ended({"name": "door"}, work)


def test_a_failure() -> None:
    result = ended({"name": "door"}, lambda module: module.fail_json(msg="it is shut", where="here"))
    assert (result["failed"], result["msg"], result["where"]) == (True, "it is shut", "here")


def test_arguments_that_are_wrong() -> None:
    result = ended({}, lambda module: module.exit_json())
    assert result["failed"]
    assert result["msg"] == "missing required arguments: name"


def test_check_mode() -> None:
    arguments = {"name": "door", "_ansible_check_mode": True}
    assert ended(arguments, lambda module: module.exit_json(check=module.check_mode))["check"] is True


def test_a_warning_about_data_acts_on_no_terminal() -> None:
    def work(module: Any) -> None:
        module.warn("a tag\x1b[2J\r")
        module.exit_json()

    assert ended({"name": "door"}, work)["warnings"] == [r"a tag\x1b[2J\r"]


def test_nothing_of_a_tasks_arguments_reaches_the_systems_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda _self, message: logged.append(message))
    one = action()
    one._task.check_mode, one._task.diff, one._task.args = False, False, {"name": "hush-hush"}
    one._display = SimpleNamespace(verbosity=0)
    one.module = SimpleNamespace(main=lambda: one.module.AnsibleModule(argument_spec=SPEC).exit_json(changed=False))
    assert one._run_here(False) == {"changed": False}
    assert logged == []
    # As Ansible's own way would.
    module_class({"name": "hush-hush"})(argument_spec=SPEC)
    assert "hush-hush" in str(logged)


def test_an_unexpected_error_shows_no_secret() -> None:
    def main() -> None:
        module = one.module.AnsibleModule(argument_spec=SPEC)
        raise KeyError(f"{'x' * 295} {module.params['key']}")

    one = action()
    one._task.check_mode, one._task.diff, one._task.args = False, False, {"name": "door", "key": "hush-hush"}
    one._display, one.module = SimpleNamespace(verbosity=0), SimpleNamespace(main=main)
    result = one._run_here(False)
    assert result["failed"]
    assert "localcloud.stack.door met an unexpected error: KeyError" in result["msg"]
    # Nor the half of it that is left where the text is cut.
    assert "hus" not in str(result)


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


def test_at_home_is_this_machine_and_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"ansible_python_interpreter": sys.executable}
    assert action()._at_home(here)
    assert not action()._at_home({})
    assert not action()._at_home({"ansible_python_interpreter": "/usr/bin/other"})
    for changed in ({"transport": "ssh"}, {"become": object()}, {"async_val": 5}, {"environment": [{"A": "b"}]}):
        assert not action(**changed)._at_home(here)
    other = {"ansible_delegated_vars": {"other": {"ansible_python_interpreter": "/usr/bin/other"}, "same": here}}
    assert not action(delegate_to="other")._at_home({**here, **other})
    assert action(delegate_to="same")._at_home(other)
    monkeypatch.setattr(in_process, "__version__", "2.18.0")
    assert not action()._at_home(here)


@pytest.mark.parametrize(
    ("looks_only", "check_mode", "here", "runs_elsewhere"),
    [
        (False, False, {"changed": True}, False),
        (True, False, {"changed": False}, False),
        (True, False, {"changed": True}, True),
        (True, False, {"changed": False, "failed": True}, True),
        (True, False, {"failed": True, "msg": "it is shut"}, True),
        (True, True, {"failed": True, "msg": "it is shut"}, False),
        (True, True, {"changed": True}, False),
    ],
)
def test_who_only_looks_here_has_the_work_done_elsewhere(
    monkeypatch: pytest.MonkeyPatch, looks_only: bool, check_mode: bool, here: dict[str, Any], runs_elsewhere: bool
) -> None:
    asked = []

    def main() -> None:
        asked.append(one.module.AnsibleModule(argument_spec={}, supports_check_mode=True).check_mode)
        raise Ended(here)

    one = action()
    one.looks_only, one.module = looks_only, SimpleNamespace(main=main)
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
