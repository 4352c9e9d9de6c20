"""A module does the same in a process of its own and in Ansible's."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_here, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

PROJECT = Path(__file__).parents[5]
SPEC = Spec(
    argument_spec={
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "no_log": True},
        "size": {"type": "int", "default": 1},
        "steps": {"type": "list", "elements": "dict", "default": []},
        "values": {"type": "dict", "default": {}},
    },
    mutually_exclusive=[["key", "steps"]],
    public=frozenset({"test"}),
    secrets=lambda params: [one["token"] for one in params["steps"]],
    unshown=["values"],
)
WAYS = ["own process", "here"]


@pytest.fixture(params=WAYS)
def result(request: pytest.FixtureRequest, run_module: Any) -> Any:
    """What comes of a run with these arguments, in either way; at -vvv."""

    def result_of(run: Any, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
        if request.param == "here":
            return run_here(SPEC, run, arguments, check_mode, "localcloud.stack.door", 3)
        return run_module(SimpleNamespace(main=lambda: main(run)), check_mode, **arguments)

    return result_of


def main(run: Any) -> None:
    run_module(SPEC, run)


def works(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    said = f"{params['key']} of {params['name']}"
    return {"check": check_mode, "said": said, "size": params["size"], "warnings": [f"mind\x1b {params['key']}"]}


def test_arguments_are_validated_and_no_secret_is_in_the_result(result: Any) -> None:
    found = result(works, name="door", key="hush-hush", size="7", values={"password": "unshown"})
    assert (found["changed"], found["check"], found["size"]) == (False, False, 7)
    assert found["said"] == "******** of door"
    assert found["warnings"] == [r"mind\x1b ********"]
    assert "hush-hush" not in str(found)
    assert "unshown" not in str(found)


def test_check_mode(result: Any) -> None:
    assert result(works, True, name="door")["check"] is True


def test_a_well_known_value_is_no_secret(result: Any) -> None:
    assert result(works, name="latest-test", key="test")["said"] == "test of latest-test"


def test_secrets_that_nothing_marks(result: Any) -> None:
    assert result(works, name="hush-hush", steps=[{"token": "hush-hush"}])["said"] == "None of ********"


def refuses(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    raise ModuleError(f"it is shut: {params['key']}", where="here", key=params["key"])


def test_a_failure(result: Any) -> None:
    found = result(refuses, name="door", key="hush-hush")
    assert (found["failed"], found["msg"], found["where"]) == (True, "it is shut: ********", "here")
    assert "hush-hush" not in str(found)
    assert "exception" not in found


def test_a_failure_that_nobody_expected(result: Any) -> None:
    def breaks(params: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
        raise KeyError(f"{'x' * 295} {params['key']}")

    found = result(breaks, name="door", key="hush-hush")
    assert (found["failed"], found["changed"]) == (True, False)
    assert "met an unexpected error: KeyError" in found["msg"]
    assert "Traceback" in found["exception"]
    # Nor the half of it that is left where the text is cut.
    assert "hus" not in str(found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "missing required arguments: name"),
        ({"name": "a", "size": "hush-hush", "key": "hush-hush"}, "********"),
        ({"name": "a", "key": "b", "steps": []}, "parameters are mutually exclusive: key|steps"),
        ({"name": "a", "nmae": "b"}, "nmae. Supported parameters include: key, name, size, steps, values."),
    ],
)
def test_arguments_that_are_wrong(result: Any, arguments: dict[str, Any], says: str) -> None:
    found = result(works, **arguments)
    assert found["failed"]
    assert says in found["msg"]
    assert "hush-hush" not in str(found)


def test_nothing_of_the_arguments_reaches_the_systems_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic, "AnsibleModule", None)
    monkeypatch.setattr(basic, "syslog", None)
    assert run_here(SPEC, works, {"name": "door"}, False, "door", 0)["said"] == "None of door"


def test_arguments_are_shown_where_it_is_asked_for_alone() -> None:
    shown = run_here(SPEC, works, {"name": "door", "key": "hush-hush"}, False, "door", 3)["invocation"]["module_args"]
    assert (shown["name"], shown["size"]) == ("door", 1)
    assert shown["key"] != "hush-hush"
    assert "invocation" not in run_here(SPEC, works, {"name": "door"}, False, "door", 2)


def modules() -> list[str]:
    paths = sorted((PROJECT / "plugins/modules").glob("*.py"))
    return [path.stem for path in paths if "def main" in path.read_text()]


@pytest.mark.parametrize("name", modules())
def test_every_module_is_so(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.localcloud.stack.plugins.modules.{name}")
    assert isinstance(module.SPEC, Spec)
    assert list(module.run.__annotations__) == [*module.run.__code__.co_varnames[:2], "return"]
    tree = ast.parse((PROJECT / f"plugins/modules/{name}.py").read_text())
    (found,) = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "main"]
    assert ast.unparse(found.body) == "run_module(SPEC, run)"
    assert "AnsibleModule" not in vars(module)
