"""Booleans hold their own also where -e gives them as text: 'false' is true to Jinja."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
FILES = [
    path
    for pattern in ("roles/*/*/*", "playbooks/**/*.yml", "molecule/**/*.yml")
    for path in sorted(PROJECT.glob(pattern))
    if path.is_file() and path.parent.name not in ("defaults", "meta")
]
BOOLEANS = sorted(
    name
    for specs in PROJECT.glob("roles/*/meta/argument_specs.yml")
    for entry in yaml.safe_load(specs.read_text())["argument_specs"].values()
    for name, option in entry.get("options", {}).items()
    if option.get("type") == "bool"
)


def judged_as_they_are(name: str, line: str) -> bool:
    """Whether a line uses a variable in an expression without making a boolean of it.

    What is only handed on, as in C(adopt: "{{ name }}"), is made one by the module or the role that takes it.
    """
    handed_on = re.sub(rf'^\s*\S+: "\{{\{{ {name} \}}\}}"$', "", line)
    return bool(re.search(rf"(?<![\w.]){name}\b(?!:| \| bool\b)", re.sub(r"#.*", "", handed_on)))


def test_the_roles_have_booleans_and_files() -> None:
    assert {"aws_resources_prune", "cluster_ingress_controller"} <= set(BOOLEANS)
    assert PROJECT / "roles/aws_resources/tasks/change.yml" in FILES


@pytest.mark.parametrize(
    ("line", "judged"),
    [
        ("  when: role_on and x", True),
        ("  when: role_on | bool and x", False),
        ('    on: "{{ role_on }}"', False),
        ("    on: \"{{ 'a' if role_on else 'b' }}\"", True),
        ("  role_on: false", False),
        ("  localcloud.stack.role_on:", False),
    ],
)
def test_such_a_use_is_found(line: str, judged: bool) -> None:
    assert judged_as_they_are("role_on", line) is judged


@pytest.mark.parametrize("name", dict.fromkeys(BOOLEANS))
def test_a_boolean_is_read_as_one(name: str) -> None:
    found = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path in FILES
        for line in path.read_text().splitlines()
        if judged_as_they_are(name, line)
    ]
    assert found == []
