"""A supervised program: its port, its supervisor, its life."""

from __future__ import annotations

import configparser
import socket
import sys
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.supervised import (
    PORTS,
    Program,
    Supervised,
    SupervisedError,
    choose_port,
    supervisord_config,
)

FORWARD = Program(["kubectl", "--kubeconfig", "/home/me/my config", "service/localstack", "{port}:4566"])


def test_a_stack_keeps_its_port() -> None:
    assert choose_port(FORWARD, "/a", lambda _: True) == choose_port(FORWARD, "/a", lambda _: True)
    assert choose_port(FORWARD, "/a", lambda _: True) != choose_port(FORWARD, "/b", lambda _: True)


def test_a_taken_port_is_passed_over() -> None:
    first = choose_port(FORWARD, "/a", lambda _: True)
    assert choose_port(FORWARD, "/a", lambda port: port != first) not in (first, None)


def test_no_free_port_is_an_error() -> None:
    with pytest.raises(SupervisedError, match=f"{PORTS.start} to {PORTS.stop - 1}"):
        choose_port(FORWARD, "/a", lambda _: False)


def test_the_supervisor_runs_the_quoted_command(tmp_path: Path) -> None:
    parser = configparser.RawConfigParser()
    program = Program(FORWARD.argv, {"GATEWAY_PORT": "{port}", "RATE": "5%"})
    parser.read_string(supervisord_config(tmp_path, program, 23000))
    section = parser["program:program"]
    assert "'/home/me/my config'" in section["command"]
    assert section["command"].endswith("service/localstack 23000:4566")
    assert section["environment"] == 'GATEWAY_PORT="23000",RATE="5%%"'
    assert section["autorestart"] == "true"


def listener(port: int | None = None) -> Program:
    return Program([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"], port=port)


def test_a_program_lives_until_it_is_stopped(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path / "program")
    port = supervised.start(listener(), timeout=20)
    again = Supervised(tmp_path / "program")
    assert again.fits(listener())
    assert not again.fits(Program(["other"]))
    assert again.start(listener(), timeout=20) == port
    assert again.process == supervised.process
    assert again.stop() is True
    assert again.stop() is False
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_port_of_somebody_else_is_refused_with_a_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        supervised = Supervised(tmp_path / "program")
        for attempt in (supervised.check, lambda program: supervised.start(program, timeout=1)):
            with pytest.raises(SupervisedError, match=f"Port {port} of 127.0.0.1 is taken by process "):
                attempt(listener(port))
    assert not (tmp_path / "program").exists()
