"""What plugins use, override and subclass of Ansible: public names only, as private ones change with any release."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.plugins.action import ActionBase

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
COLLECTION = "ansible_collections.localcloud.stack.plugins"
# What ActionBase has for its subclasses, as an action plugin can't be written without: what its constructor is given, its display, and the
# ways to run a module and to say what is supported (https://docs.ansible.com/ansible/latest/dev_guide/developing_plugins.html#action-plugins).
PROTECTED = frozenset(
    {
        *("_task", "_connection", "_play_context", "_loader", "_templar", "_shared_loader_obj", "_display"),
        *("_execute_module", "_supports_async", "_supports_check_mode"),
    }
)
# Public by Python's own documentation.
NAMED_TUPLES = frozenset({"_asdict", "_fields", "_field_defaults", "_make", "_replace"})
# Keys of Ansible's own among arguments and in results.
INTERNAL_KEY = re.compile(r"_ansible_\w+")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def used(source: str) -> list[str]:
    """Private names that are not the source's own: of other objects, Ansible's keys, and by getattr()."""
    tree = ast.parse(source)
    own = {*defined(tree)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in PROTECTED | NAMED_TUPLES:
            ours = node.attr in own or (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
            found += [] if ours else [node.attr]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and INTERNAL_KEY.fullmatch(node.value):
            found.append(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            names = [one.value for one in node.args[1:2] if isinstance(one, ast.Constant)]
            found += [name for name in names if is_private(str(name)) and name not in own | PROTECTED]
    return found


def defined(tree: ast.AST) -> Iterator[str]:
    """Names that functions, classes, assignments and fields define."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def overridden(kind: type) -> list[str]:
    """Private names of Ansible's classes that a class of ours has, too, or uses of them; AnsibleModule itself, if it is one."""
    bases = [one for one in kind.__mro__ if one.__module__.startswith("ansible.")]
    theirs = {name for base in bases for name in (*vars(base), *defined(tree_of(base))) if is_private(name)} - PROTECTED
    ours = {*defined(tree_of(kind)), *mentioned(kind)}
    return sorted(theirs & ours) + (["AnsibleModule"] if issubclass(kind, AnsibleModule) else [])


def mentioned(kind: type) -> Iterator[str]:
    """Attributes of C(self) in the class."""
    for node in ast.walk(tree_of(kind)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            yield node.attr


def tree_of(kind: type) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(kind)))


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_no_private_name_of_others_is_used(path: Path) -> None:
    assert used(path.read_text()) == []


def classes() -> Iterator[type]:
    """The classes of all plugins that derive from a class of Ansible."""
    for folder in ("action", "callback", "filter", "plugin_utils"):
        for path in sorted((PLUGINS / folder).glob("*.py")):
            module = importlib.import_module(f"{COLLECTION}.{folder}.{path.stem}")
            for kind in vars(module).values():
                if isinstance(kind, type) and kind.__module__ == module.__name__:
                    yield kind


def test_no_private_name_of_ansible_is_overridden() -> None:
    found = {f"{kind.__module__.removeprefix(COLLECTION)}.{kind.__name__}": overridden(kind) for kind in classes()}
    assert len(found) > 20
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("task._role.get_name()", ["_role"]),
        ("self._connection._shell.quote(x)", ["_shell"]),
        ("result = {'_ansible_no_log': True}", ["_ansible_no_log"]),
        ("getattr(task, '_role')", ["_role"]),
        ("self._own(); one._asdict(); self._task.args; x.__dict__", []),
        ("def _own(): pass\nmodule._own()", []),
    ],
)
def test_a_use_is_found(source: str, names: list[str]) -> None:
    assert used(source) == names


class Overriding(ActionBase):
    def _compute_environment_string(self, raw_environment_out: object = None) -> str:
        return ""


class Using(ActionBase):
    def run(self, tmp: object = None, task_vars: object = None) -> object:
        return self._low_level_execute_command("true")


class Allowed(ActionBase):
    _supports_async = True

    def run(self, tmp: object = None, task_vars: object = None) -> object:
        return self._execute_module(self._own())

    def _own(self) -> str:
        return str(self._task.action)


class Module(AnsibleModule):
    def _load_params(self) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Overriding, ["_compute_environment_string"]),
        (Using, ["_low_level_execute_command"]),
        (Allowed, []),
        (Module, ["_load_params", "AnsibleModule"]),
    ],
)
def test_an_override_is_found(kind: type, names: list[str]) -> None:
    assert overridden(kind) == names
