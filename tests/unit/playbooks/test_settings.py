"""The stack's settings repeat the roles' defaults, and what make new-blueprint writes is a blueprint."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.reader import Surroundings, read

from tests.unit.plugins.module_utils.blueprint.test_reader import FACTS, TARGET, render

PROJECT = Path(__file__).resolve().parents[3]
SCAFFOLD = PROJECT / "playbooks/files/blueprint"


def test_settings_of_roles_have_the_roles_defaults() -> None:
    """Within a role its own default counts, elsewhere the stack's."""
    stack = yaml.safe_load((PROJECT / "playbooks/roles/stack/defaults/main.yml").read_text())
    roles = {
        name: value
        for path in (PROJECT / "roles").glob("*/defaults/main.yml")
        for name, value in yaml.safe_load(path.read_text()).items()
    }
    assert {name: value for name, value in stack.items() if name in roles and roles[name] != value} == {}


def test_the_scaffold_is_a_blueprint() -> None:
    raw = yaml.safe_load((SCAFFOLD / "blueprint.yml").read_text())
    found = read(
        SCAFFOLD,
        {**raw, "name": "my-service"},
        Surroundings({**FACTS, "emulated": True, "service_account_annotations": {}}, target=TARGET),
        render,
    )
    assert found.problems == []
    written = re.findall(r"^        - (\S+)$", (PROJECT / "playbooks/new_blueprint.yml").read_text(), re.MULTILINE)
    assert sorted(written) == sorted(str(path.relative_to(SCAFFOLD)) for path in SCAFFOLD.rglob("*") if path.is_file())


def test_the_scaffold_has_the_pins_of_our_applications() -> None:
    pins = re.compile(r"^([a-z0-9-]+==\S+)", re.MULTILINE)
    ours = set(pins.findall((PROJECT / "requirements/apps.txt").read_text()))
    scaffold = set(pins.findall((SCAFFOLD / "app/requirements.txt").read_text()))
    assert scaffold
    assert scaffold <= ours
