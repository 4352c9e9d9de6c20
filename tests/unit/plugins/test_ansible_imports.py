"""What is imported of Ansible: public names only, as private ones change with any release."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
OTHERS = ("ansible", "ansible_collections.kubernetes")


def private(source: str) -> list[str]:
    """Names of Ansible or of kubernetes.core that a source imports although they, or what they are in, are private."""
    return [name for name in imported(ast.parse(source)) if any(part.startswith("_") for part in name.split("."))]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith(tuple(f"{one}." for one in OTHERS)) and name != VERSION)


# Public by Python's own convention for a module's version.
VERSION = "ansible.release.__version__"


def test_no_private_name_of_ansible_is_imported() -> None:
    found = {
        str(path.relative_to(PROJECT)): names
        for folder in ("plugins", "scripts", "tests")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        if (names := private(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import ansible._internal", ["ansible._internal"]),
        ("from ansible.module_utils._internal import x", ["ansible.module_utils._internal.x"]),
        ("from ansible.module_utils.basic import _load_params", ["ansible.module_utils.basic._load_params"]),
        ("if x:\n    from ansible import _x as y", ["ansible._x"]),
        ("from ansible_collections.kubernetes.core.plugins.module_utils._version import a",
         ["ansible_collections.kubernetes.core.plugins.module_utils._version.a"]),
        ("from ansible.module_utils.basic import AnsibleModule\nimport _thread\nfrom ._x import y", []),
    ],
)  # fmt: skip
def test_a_private_name_is_found(source: str, names: list[str]) -> None:
    assert private(source) == names
