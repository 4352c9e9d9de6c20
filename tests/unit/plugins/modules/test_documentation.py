"""What a module documents is what it takes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
COLLECTION = "ansible_collections.localcloud.stack.plugins"
# Their work is done by an action plugin on the controller.
WITHOUT_ARGUMENTS = {
    "blueprint",
    "engine_gaps",
    "helm",
    "k8s",
    "k8s_info",
    "kubectl",
    "run_lock",
    "stack_report",
    "summary",
    "toolchain",
}
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))


@pytest.fixture(scope="module")
def documentation() -> dict[str, Any]:
    """What ansible-doc shows of each module, with what it shares with others."""
    names = [f"localcloud.stack.{name}" for name in MODULES]
    command = [Path(sys.executable).with_name("ansible-doc"), "--type", "module", "--json", *names]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {name: shown[f"localcloud.stack.{name}"]["doc"] for name in MODULES}


def assert_same(options: dict[str, Any], spec: dict[str, Any], where: str) -> None:
    assert set(options) == set(spec), where
    fields = {"type": "str", "default": None, "choices": None, "elements": None, "required": False}
    for name, option in options.items():
        for field, default in fields.items():
            assert option.get(field, default) == spec[name].get(field, default), f"{where}{name}: {field}"
        assert_same(option.get("suboptions", {}), spec[name].get("options", {}), f"{where}{name}.")


@pytest.mark.parametrize("name", sorted({*MODULES} - WITHOUT_ARGUMENTS))
def test_documentation_and_arguments_agree(name: str, documentation: dict[str, Any]) -> None:
    module = importlib.import_module(f"{COLLECTION}.modules.{name}")
    assert_same(documentation[name]["options"], module.SPEC.argument_spec, f"{name}.")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_does_in_check_and_diff_mode_and_again(
    name: str, documentation: dict[str, Any]
) -> None:
    attributes = documentation[name]["attributes"]
    assert set(attributes) - {"action"} == {"check_mode", "diff_mode", "idempotent"}
    for attribute in attributes.values():
        assert {"description", "support"} <= set(attribute)
