"""What a module documents is what it takes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
COLLECTION = "ansible_collections.localcloud.stack.plugins"
# Their work is done by an action plugin on the controller.
WITHOUT_ARGUMENTS = {"run_lock", "summary", "toolchain"}
MODULES = sorted({path.stem for path in (PLUGINS / "modules").glob("*.py")} - WITHOUT_ARGUMENTS)


class Captured(Exception):  # noqa: N818 (no error, a way out)
    pass


def documented(module: Any) -> dict[str, Any]:
    """Options of a module, those of its fragments included."""
    text = yaml.safe_load(module.DOCUMENTATION)
    options = dict(text.get("options", {}))
    for fragment in text.get("extends_documentation_fragment", []):
        name = fragment.rpartition(".")[2]
        shared = importlib.import_module(f"{COLLECTION}.doc_fragments.{name}").ModuleDocFragment
        options |= yaml.safe_load(shared.DOCUMENTATION)["options"]
    return options


def assert_same(options: dict[str, Any], spec: dict[str, Any], where: str) -> None:
    assert set(options) == set(spec), where
    fields = {"type": "str", "default": None, "choices": None, "elements": None, "required": False}
    for name, option in options.items():
        for field, default in fields.items():
            assert option.get(field, default) == spec[name].get(field, default), f"{where}{name}: {field}"
        assert_same(option.get("suboptions", {}), spec[name].get("options", {}), f"{where}{name}.")


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_arguments_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{COLLECTION}.modules.{name}")

    def capture(**arguments: Any) -> None:
        raise Captured(arguments)

    monkeypatch.setattr(module, "AnsibleModule", capture)
    with pytest.raises(Captured) as caught:
        module.main()
    (arguments,) = caught.value.args
    assert arguments["supports_check_mode"] is True
    assert_same(documented(module), arguments["argument_spec"], f"{name}.")
