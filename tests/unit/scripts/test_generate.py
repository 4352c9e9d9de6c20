"""What follows from the kinds of AWS resources stands where it should; a new kind is a file and `make generate`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

PROJECT = Path(__file__).resolve().parents[3]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", PROJECT / "scripts/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


generate = load()
LISTS = list(generate.entries())


@pytest.mark.parametrize("path", sorted({str(one.path) for one in generate.SECTIONS}))
def test_files_are_as_the_kinds_say(path: str) -> None:
    ((_path, text),) = generate.generated([Path(path)])
    assert (PROJECT / path).read_text() == text, "run `make generate`"


def test_a_changed_section_is_found_and_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    read = ("requirements/core-oldest.in", "requirements/runtime.in", "requirements.yml")
    for path in {*(one.path for one in generate.SECTIONS), *map(Path, read)}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((PROJECT / path).read_text())
    changed = tmp_path / "roles/aws_resources/defaults/main.yml"
    text = changed.read_text()
    changed.write_text(text.replace("aws_resources_queues: []\n", ""))
    monkeypatch.setattr(generate, "PROJECT", tmp_path)
    monkeypatch.setattr(
        generate, "services", lambda: [path.stem for path in (PROJECT / generate.KINDS).glob("[a-z]*.py")]
    )
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "roles/aws_resources/defaults/main.yml" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    assert changed.read_text() == text


def test_a_file_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has 0 sections 'generated: lists'"):
        generate.Section(Path("a.yml"), "lists", lambda: []).within("nothing")


def test_the_stack_hands_over_every_list_that_a_blueprint_declares() -> None:
    path = str(PROJECT / "playbooks/roles/stack/vars/main.yml")
    stack = DataLoader().load_from_file(path, trusted_as_template=True)
    own = {
        name: value for name, value in stack.items() if name == "stack_handed_over" or name.startswith("aws_resources_")
    }
    for declared in ({name: [{"name": name}] for name in LISTS}, {}):
        templar = Templar(DataLoader(), variables={**own, "stack_current": {"aws": declared}})
        for name in LISTS:
            assert templar.template(own[f"aws_resources_{name}"]) == declared.get(name, []), name
