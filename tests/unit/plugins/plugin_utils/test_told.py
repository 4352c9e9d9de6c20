"""What actions and filters do not expect is told by a sentence."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleFilterError
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.in_process import InProcess
from ansible_collections.localcloud.stack.plugins.plugin_utils.kubernetes_core import KubernetesCore
from jinja2 import UndefinedError

PLUGINS = Path(__file__).parents[4] / "plugins"


def told_of(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> Any:
    class ActionModule(told.Action):
        def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
            if error:
                raise error
            return {"changed": False}

    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_arguments: {})
    one = ActionModule.__new__(ActionModule)
    one._task = SimpleNamespace(action="localcloud.stack.door")
    return one.run()


def test_an_action_that_meets_what_it_does_not_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    result = told_of(monkeypatch, KeyError("role"))
    assert result["failed"]
    assert "The action localcloud.stack.door met an unexpected error: KeyError: 'role'" in result["msg"]
    assert told_of(monkeypatch, None) == {"changed": False}
    with pytest.raises(AnsibleActionFail, match="it is shut"):
        told_of(monkeypatch, AnsibleActionFail("it is shut"))


def actions() -> list[str]:
    return [path.stem for path in sorted((PLUGINS / "action").glob("*.py"))]


@pytest.mark.parametrize("name", actions())
def test_every_action_does_so(name: str) -> None:
    kind = importlib.import_module(f"ansible_collections.localcloud.stack.plugins.action.{name}").ActionModule
    assert issubclass(kind, (InProcess, KubernetesCore, told.Action))
    assert "run" not in vars(kind)


def filters() -> dict[str, Any]:
    modules = [
        importlib.import_module(f"ansible_collections.localcloud.stack.plugins.filter.{path.stem}")
        for path in sorted((PLUGINS / "filter").glob("*.py"))
    ]
    return {name: function for module in modules for name, function in module.FilterModule().filters().items()}


# Values of no use to any filter, and such that have names which none knows.
NONSENSE: list[Any] = [object(), {"surely": "not"}, [{"surely": "not"}], 7]


@pytest.mark.parametrize("name", filters())
def test_every_filter_takes_nonsense_or_says_a_sentence(name: str) -> None:
    refused = 0
    for value in NONSENSE:
        for count in range(4):
            try:
                filters()[name](value, *[value] * count)
            except AnsibleError as error:
                refused += 1
                assert len(str(error).split()) > 4, str(error)
    assert refused


def test_an_undefined_value_stays_one() -> None:
    def undefined(_value: object) -> None:
        raise UndefinedError("'it' is undefined")

    def lacking(value: dict[str, str]) -> str:
        return value["changed"]

    found = told.filters({"undefined": undefined, "lacking": lacking})
    with pytest.raises(UndefinedError):
        found["undefined"]({})
    with pytest.raises(AnsibleFilterError, match="The filter lacking met an unexpected error: KeyError: 'changed'"):
        found["lacking"]({})
