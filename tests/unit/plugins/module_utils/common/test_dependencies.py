"""What a machine lacks is named as it is installed."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common import dependencies as packages


def test_all_there() -> None:
    assert packages.missing_packages("json", "yaml") is None


def test_what_is_missing_is_named_as_pip_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: object() if name == "psutil" else None)
    problem = packages.missing_packages("psutil", "supervisor", "yaml")
    assert problem is not None
    assert f"`{sys.executable} -m pip install supervisor PyYAML`" in problem
    assert "psutil" not in problem
