"""A file is written whole or stays as it was, and is for its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.files import write_whole


def test_it_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    write_whole(path, b"{}")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"{}", 0o600)


def test_what_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.json"
    write_whole(path, b"old")

    def full(_path: Path, _mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
