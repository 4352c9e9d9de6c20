"""The list of snapshots: one that can't be read is there, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import snapshot
from ansible_collections.localcloud.stack.scripts import snapshots


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALCLOUD_DIR", str(tmp_path))
    return tmp_path / ".localcloud/snapshots"


def test_there_are_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert snapshots.main() == 0
    assert f"There are no snapshots in {folder}. `make save NAME=<name>`" in capsys.readouterr().out


def test_each_has_a_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = snapshot.Manifest(
        format=snapshot.FORMAT, created="2026-11-30T22:00:00Z", architecture="x86_64", kubernetes="1.37", identity={},
        parts={}, images={}, roots={}, engine="ministack", blueprints=["pipeline", "users_api"],
    )  # fmt: skip
    with snapshot.writing(folder / "before.tar.zst", manifest):
        pass
    (folder / "broken.tar.zst").write_text("x")
    assert snapshots.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "SAVED", "(UTC)", "MB", "ENGINE", "BLUEPRINTS"]
    assert lines[1].split()[:3] == ["broken", "can't", "be"]
    assert lines[2].split() == ["before", "2026-11-30", "22:00", "0.0", "ministack", "pipeline,", "users_api"]
