"""What tests count as left on the host is of their own stack, whatever another checkout runs meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import host_state

OWN = Path("/home/me/one/.localcloud/monitoring")


@pytest.mark.parametrize(
    ("folder", "another"),
    [
        ("/home/me/two/.localcloud/forward/supervisord.conf", True),
        ("/home/me/two/.localcloud/forward-config_api_dev/supervisord.conf", True),
        ("/home/me/two/.localcloud/emulator/supervisord.conf", True),
        (f"{OWN}/.localcloud/forward-config_api_dev/supervisord.conf", False),
        ("/etc/supervisord.conf", False),
    ],
)
def test_a_process_of_another_checkout_is_not_left_by_this_one(
    monkeypatch: pytest.MonkeyPatch, folder: str, another: bool
) -> None:
    command = f"python -m supervisor.supervisord --configuration {folder}"
    monkeypatch.setattr(host_state, "environment_of", lambda _pid: {})
    monkeypatch.setattr(host_state, "command_of", lambda _pid: command)
    assert host_state.of_another_folder("1", OWN) is another
