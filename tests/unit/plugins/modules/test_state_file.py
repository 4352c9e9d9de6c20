"""A file of the stack's state is written where it differs, and then only."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.modules import state_file


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    given = {"dest": str(path), "content": "{}", "mode": "0600"}
    assert state_file.run(given, True)["changed"]
    assert not path.exists()
    assert [state_file.run(given, False)["changed"] for _again in range(2)] == [True, False]
    assert state_file.run({**given, "content": "{}\n"}, True)["changed"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        state_file.differs(tmp_path, b"")
