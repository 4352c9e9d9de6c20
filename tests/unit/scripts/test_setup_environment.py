"""A machine without a place for the cache is told so at the start."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    spec = importlib.util.spec_from_file_location("setup_environment", PROJECT / "scripts/setup_environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_home_that_is_no_folder(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(
        script.SetupError, match=r"home/.cache/localcloud can't be written: Not a directory. Set XDG_CACHE"
    ):
        script.set_up(["runtime"])


def test_a_user_without_a_home(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(script.Path, "home", nobody)
    with pytest.raises(script.SetupError, match="has no home folder. Set XDG_CACHE_HOME to a folder"):
        script.set_up(["runtime"])


def test_a_cache_elsewhere(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script.check_cache(script.cache_folder())
    assert list((tmp_path / "cache/localcloud").iterdir()) == []
