"""What a task registers has a name of its own, as it would stand for the role's variable of that name from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path.parent for path in (Path(__file__).resolve().parents[3] / "roles").glob("*/tasks"))


def registered(tasks: list[dict[str, Any]]) -> Iterator[str]:
    for task in tasks:
        if "register" in task:
            yield task["register"]
        for part in ("block", "rescue", "always"):
            yield from registered(task.get(part, []))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_no_result_stands_for_a_variable(role: Path) -> None:
    files = [path for path in (role / "vars/main.yml", role / "defaults/main.yml") if path.exists()]
    variables = {name for path in files for name in yaml.safe_load(path.read_text()) or {}}
    assert variables
    results = {
        name for path in (role / "tasks").glob("*.yml") for name in registered(yaml.safe_load(path.read_text()) or [])
    }
    assert results & variables == set()
