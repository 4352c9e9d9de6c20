"""A supervised program: its port, its supervisor, its life."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.supervised import (
    PORTS,
    Program,
    Supervised,
    SupervisedError,
    choose_port,
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


# What a configuration file, a shell or a format would take for something of its own.
HOSTILE = {
    "QUOTES": """a"b'c`d""",
    "COMMENTS": "one ;two #three",
    "FORMATS": "5% %(here)s %%",
    "LINES": "-----BEGIN-----\n[program:x]\n-----END-----\n",
    "SHELL": "$(touch /nonexistent/x) $HOME",
    "EMPTY": "",
}
ECHO = """\
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[2:], "environment": dict(os.environ)}).encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_what_a_program_is_given_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the folder's name has all that a configuration file trips over."""
    for name in ("K8S_AUTH_HOST", "HELM_KUBETOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.setenv(name, "elsewhere")
    supervised = Supervised(tmp_path / "a \"folder\" ;with 'all' #of $(it) 5%")
    port = supervised.start(Program([sys.executable, "-c", ECHO, "{port}", *HOSTILE.values()], HOSTILE), timeout=20)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        seen = json.load(opener.open(f"http://127.0.0.1:{port}"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in supervised.folder.iterdir()}
    finally:
        supervised.stop()
    assert seen["argv"] == [*HOSTILE.values()]
    assert {name: seen["environment"][name] for name in HOSTILE} == HOSTILE
    assert not {"K8S_AUTH_HOST", "HELM_KUBETOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_SQS"} & {*seen["environment"]}
    assert modes["program.json"] == 0o600
    # What the program prints lies beside it.
    assert {"program.json", "supervisord.conf", "supervisord.log", "program.log"} <= {*modes}


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
