"""A file of the stack's state is written whole, once, and for its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.modules import state_file


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    assert state_file.differs(path, b"{}")
    state_file.write(path, b"{}", 0o600)
    assert not state_file.differs(path, b"{}")
    assert state_file.differs(path, b"{}\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.json"
    state_file.write(path, b"old", 0o600)

    def full(_path: Path, _mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(OSError, match="No space"):
        state_file.write(path, b"new", 0o600)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        state_file.differs(tmp_path, b"")
