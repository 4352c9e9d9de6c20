"""The forwarded port: its choice and its supervisor."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.forward import (
    PORTS,
    ForwardError,
    Route,
    free_port,
    supervisord_config,
)

ROUTE = Route("kubectl", "/home/me/my config", "kind-kind", "apps", "localstack", 4566)


def test_a_stack_keeps_its_port() -> None:
    assert free_port("/a", lambda _: True) == free_port("/a", lambda _: True)
    assert free_port("/a", lambda _: True) != free_port("/b", lambda _: True)


def test_a_taken_port_is_passed_over() -> None:
    first = free_port("/a", lambda _: True)
    assert free_port("/a", lambda port: port != first) not in (first, None)


def test_no_free_port_is_an_error() -> None:
    with pytest.raises(ForwardError, match=f"{PORTS.start} to {PORTS.stop - 1}"):
        free_port("/a", lambda _: False)


def test_the_supervisor_runs_the_quoted_command(tmp_path) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(supervisord_config(tmp_path, ROUTE.command(23000)))
    command = parser["program:forward"]["command"]
    assert "'/home/me/my config'" in command
    assert command.endswith("service/localstack 23000:4566")
    assert parser["program:forward"]["autorestart"] == "true"
