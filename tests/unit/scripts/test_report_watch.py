"""Who gets the live page, and when the stack is read again."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.scripts.report_watch import ADDRESS, WATCHED_SECONDS, Server, Watch, refresh

TOKEN = "the-token"
PAGE = '<html><head><meta http-equiv="Content-Security-Policy" content="default-src \'none\'"></head><body><main>all is well</main></body></html>'


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(Watch(TOKEN, lambda: PAGE))
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(ADDRESS, server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": f"{ADDRESS}:{server.server_port}", **headers})
    return connection.getresponse()


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_whoever_has_the_address_gets_the_live_page(server: Server) -> None:
    answer = ask(server, f"/{TOKEN}/")
    text = answer.read().decode()
    assert answer.status == 200
    assert "all is well" in text
    # One policy, of the header, which lets this one script run and no other.
    assert "http-equiv" not in text
    policy = answer.headers["Content-Security-Policy"]
    (nonce,) = re.findall(r'<script nonce="(.*?)">', text)
    assert f"script-src 'nonce-{nonce}'" in policy
    assert policy.startswith("default-src 'none'")


def test_no_two_answers_have_one_nonce(server: Server) -> None:
    policies = {ask(server, f"/{TOKEN}/").headers["Content-Security-Policy"] for _time in range(2)}
    assert len(policies) == 2


@pytest.mark.parametrize(
    "path",
    ["/", "/page", "/the-toke/", "/the-token", "/the-token/../page", "/the-token/other", "/%00/"],
)
def test_without_the_token_there_is_nothing(server: Server, path: str) -> None:
    answer = ask(server, path)
    assert answer.status == 404
    assert b"all is well" not in answer.read()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}", "[::1]:{port}", ""]
)
def test_another_host_is_refused_also_with_the_token(server: Server, host: str) -> None:
    """As a page's name that was made to lead here would be (DNS rebinding)."""
    answer = ask(server, f"/{TOKEN}/", Host=host.format(port=server.server_port))
    assert answer.status == 421
    assert b"all is well" not in answer.read()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_can_only_be_read(server: Server, method: str) -> None:
    assert ask(server, f"/{TOKEN}/", method).status == 405


def test_no_other_origin_may_read_it(server: Server) -> None:
    headers = ask(server, f"/{TOKEN}/page", Origin="http://evil.example").headers
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_what_did_not_change_is_not_sent_again(server: Server) -> None:
    first = ask(server, f"/{TOKEN}/page")
    again = ask(server, f"/{TOKEN}/page", **{"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status, again.read()) == (200, 304, b"")


def test_a_failure_is_told_with_the_last_page(server: Server) -> None:
    server.watch.problem = "The stack could not be read: naïve\r\nSet-Cookie: a=b"
    answer = ask(server, f"/{TOKEN}/page")
    assert answer.headers["X-Report-Problem"] == "The stack could not be read: na?ve??Set-Cookie: a=b"
    assert "Set-Cookie" not in answer.headers


def test_only_a_page_that_is_looked_at_is_made_again() -> None:
    now = [0.0]
    watch = Watch(TOKEN, lambda: PAGE, lambda: now[0])
    now[0] = WATCHED_SECONDS + 1
    assert not watch.watched()
    assert watch.answer("GET", "/guess/page", [f"{ADDRESS}:1"], 1).status == 404
    assert not watch.watched()
    assert watch.answer("GET", f"/{TOKEN}/page", [f"{ADDRESS}:1"], 1).status == 200
    assert watch.watched()
    assert watch.was_asked.is_set()


def test_a_command_that_fails_is_told_with_its_error_and_log(tmp_path: Path) -> None:
    log = tmp_path / "report.log"
    script = "print('[ERROR]: Task failed: Action failed: There is no stack.'); raise SystemExit(2)"
    assert refresh([sys.executable, "-c", script], log) == f"The stack could not be read: There is no stack. See {log}."
    assert refresh([sys.executable, "-c", f"print({json.dumps('fine')})"], log) == ""
