"""Proofs by HTTP against a real server."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe import http_client, http_proof
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_client import Client, NoAnswerError, Request
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_proof import HttpProof, HttpProofError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import read_steps, step_problems

PICTURE = bytes(range(256)) * 300


def proof(*steps: dict[str, Any], timeout: float = 10) -> dict[str, Any]:
    assert step_problems(list(steps)) == []
    return HttpProof(read_steps(steps), timeout).run()


def failing(*steps: dict[str, Any], timeout: float = 10) -> HttpProofError:
    with pytest.raises(HttpProofError) as raised:
        proof(*steps, timeout=timeout)
    return raised.value


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "avatar.png"
    path.write_bytes(PICTURE)
    return path


@pytest.fixture
def users(server: Any, reply: Any) -> Any:
    """A users API on the server: makes users, gives them and their avatars back, deletes them."""
    there: dict[str, bytes] = {}

    def create(request: Any) -> Any:
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        parts = [part.partition(b"\r\n\r\n") for part in request.body.split(b"--" + boundary)[1:-1]]
        fields = {re.search(rb'name="(\w+)"', head)[1].decode(): (head, body[:-2]) for head, _empty, body in parts}  # type: ignore[index]
        head, avatar = fields["avatar"]
        assert b'filename="avatar.png"' in head and b"Content-Type: image/png" in head
        email = fields["email"][1].decode()
        there[email] = avatar
        user = {"email": email, "name": fields["name"][1].decode(), "avatar_url": f"{server.url}/avatar/{email}"}
        server.routes[f"GET /user/{email}"] = lambda _one: reply(200, json.dumps(user).encode())
        server.routes[f"GET /avatar/{email}"] = lambda _one: reply(200, there[email], {"Content-Type": "image/png"})

        def delete(_one: Any) -> Any:
            return reply(204) if there.pop(email, None) else reply(404)

        server.routes[f"DELETE /user/{email}"] = delete
        return reply(201, json.dumps(user).encode())

    server.routes["POST /user"] = create
    server.there = there
    return server


def user_steps(url: str, picture: Path) -> list[dict[str, Any]]:
    user = f"{url}/user/probe-${{unique}}@example.org"
    form = {
        "name": "Probe",
        "email": "probe-${unique}@example.org",
        "avatar": {"file": str(picture), "content_type": "image/png"},
    }
    return [
        {"name": "create", "url": f"{url}/user", "method": "POST", "send_form": form, "status": 201},
        {"name": "get", "url": user, "json": {"email": form["email"]}, "save": {"avatar_url": "avatar_url"}},
        {"name": "avatar", "url": "${avatar_url}", "file": str(picture), "header": {"Content-Type": "image/png"}},
        {"name": "delete", "url": user, "method": "DELETE", "status": 204, "always": True},
    ]


def test_a_users_whole_life(users: Any, picture: Path) -> None:
    found = proof(*user_steps(users.url, picture))
    unique = found["saved"]["unique"]
    assert re.fullmatch("[0-9a-f]{12}", unique)
    assert found["saved"] == {"unique": unique, "avatar_url": f"{users.url}/avatar/probe-{unique}@example.org"}
    assert [(one["name"], one["status"]) for one in found["steps"]] == [
        ("create", 201),
        ("get", 200),
        ("avatar", 200),
        ("delete", 204),
    ]
    assert list(found["latency_ms"]) == ["create", "get", "avatar", "delete", "total"]
    assert found["latency_ms"]["total"] >= sum(one["ms"] for one in found["steps"]) - 1
    assert users.there == {}
    assert proof(*user_steps(users.url, picture))["saved"]["unique"] != unique


def test_what_was_made_is_taken_away_when_a_step_fails(users: Any, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(PICTURE[:-1])
    steps = user_steps(users.url, picture)
    steps[2]["file"] = str(other)
    steps.insert(3, {"name": "never", "url": users.url})
    error = failing(*steps)
    assert "Step 'avatar' (GET http://127.0.0.1" in str(error)
    assert f"the body has {len(PICTURE)} bytes instead of the file's {len(PICTURE) - 1}" in str(error)
    assert f"The answer: {len(PICTURE)} bytes of image/png." in str(error)
    assert error.details["failed_step"] == "avatar"
    assert [one["name"] for one in error.details["steps"]] == ["create", "get", "avatar", "delete"]
    assert users.there == {}


def test_a_clean_up_that_fails_is_added_and_the_next_one_still_runs(server: Any, reply: Any) -> None:
    server.says("GET /a", reply(500, b"out of luck"))
    server.says("DELETE /a", reply(403, b"no"))
    server.says("DELETE /b", reply(204))
    clean = {"method": "DELETE", "status": 204, "always": True}
    error = failing(
        {"url": f"{server.url}/a", "save": {"id": "id"}},
        {"name": "first", "url": f"{server.url}/a", **clean},
        {"name": "unknown", "url": f"{server.url}/${{id}}", **clean},
        {"name": "last", "url": f"{server.url}/b", **clean},
    )
    text = str(error)
    assert text.startswith(
        f"Step 'GET {server.url}/a' was not answered as expected: the status is 500 instead of 200. The answer: out of luck. "
        "Likely the service failed; look at its log. Cleaning up failed, too: Step 'first'"
    )
    assert "Step 'unknown' was not sent, as ${id} is not known." in text
    assert server.asked() == ["GET /a", "DELETE /a", "DELETE /b"]


def test_clean_up_runs_when_the_run_is_interrupted(server: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_one: Any) -> Any:
        raise KeyboardInterrupt

    server.says("DELETE /a", reply(204))
    answer = Client.answer
    monkeypatch.setattr(
        Client,
        "answer",
        lambda self, request, *more: interrupted(request) if request.method == "GET" else answer(self, request, *more),
    )
    clean = {"url": f"{server.url}/a", "method": "DELETE", "status": 204, "always": True}
    with pytest.raises(KeyboardInterrupt):
        proof({"url": server.url}, clean)
    assert server.asked() == ["DELETE /a"]


def test_values_keep_their_type_and_reach_every_part(server: Any, reply: Any) -> None:
    server.says("POST /a", reply(200, b'{"id": 7, "on": true, "tag": "t"}'))
    server.says("PUT /b/7", reply(200, b'{"id": 7, "tags": ["t"]}', {"ETag": "v7"}))
    server.says("POST /c", reply(200, b"said t"))
    proof(
        {
            "url": f"{server.url}/a",
            "method": "POST",
            "send_json": {"x": [1, None]},
            "save": {"id": "id", "on": "on", "tag": "tag"},
        },
        {
            "url": f"{server.url}/b/${{id}}",
            "method": "PUT",
            "headers": {"X-Tag": "<${tag}>", "content-type": "application/x"},
            "send_json": {"id": "${id}", "on": "${on}", "text": "${id}"},
            "json": {"id": "${id}", "tags": ["${tag}"]},
            "header": {"etag": "v${id}"},
        },
        {"url": f"{server.url}/c", "method": "POST", "send_body": "${tag} $${x} ${on}", "contains": "said ${tag}"},
    )
    first, second, third = server.received
    assert (json.loads(first.body), first.headers["content-type"]) == ({"x": [1, None]}, "application/json")
    assert json.loads(second.body) == {"id": 7, "on": True, "text": 7}
    assert (second.headers["x-tag"], second.headers["content-type"]) == ("<t>", "application/x")
    assert (third.body, third.headers["content-type"]) == (b"t ${x} true", "text/plain; charset=utf-8")


def test_a_value_that_makes_a_request_impossible(server: Any, reply: Any) -> None:
    server.says("GET /a", reply(200, rb'{"url": "nowhere", "line": "a\r\nX-Evil: b"}'))
    error = failing(
        {"url": f"{server.url}/a", "save": {"url": "url", "line": "line"}},
        {"name": "next", "url": "${url}", "headers": {"X": "${line}"}},
    )
    assert str(error) == (
        "Step 'next' was not sent, as its URL nowhere is not a URL; write it with scheme and host, for example "
        "http://127.0.0.1:30080/path; its header X has a line break, which a header cannot have."
    )
    assert server.asked() == ["GET /a"]


def test_what_is_to_be_saved_must_be_there(server: Any, reply: Any) -> None:
    server.says("GET /a", reply(200, b'{"b": 1}'))
    server.says("GET /text", reply(200, b"hello"))
    assert "nothing to save as x: the answer has no a, but b" in str(
        failing({"url": f"{server.url}/a", "save": {"x": "a"}})
    )
    assert "nothing to save as x: the body is not JSON" in str(
        failing({"url": f"{server.url}/text", "save": {"x": "a"}})
    )


def test_what_comes_later_is_waited_for(server: Any, reply: Any) -> None:
    server.says(
        "GET /a", reply(503), reply(404), reply(200, b'{"state": "new"}'), reply(200, b'{"state": "done", "id": 1}')
    )
    found = proof(
        {"name": "wait", "url": f"{server.url}/a", "json": {"state": "done"}, "retry": True, "save": {"id": "id"}}
    )
    assert (found["steps"][0]["status"], found["saved"]["id"], len(server.received)) == (200, 1, 4)
    assert found["latency_ms"]["wait"] > 100 + 150 + 225


def test_waiting_ends_with_condition_limit_and_last_answer(server: Any, reply: Any) -> None:
    server.says("GET /a", reply(200, b'{"state": "new"}'))
    server.says("DELETE /a", reply(204))
    step = {"name": "wait", "url": f"{server.url}/a", "json": {"state": "done"}, "retry": True}
    clean = {"url": f"{server.url}/a", "method": "DELETE", "status": 204, "always": True}
    begin = time.monotonic()
    text = str(failing(step, {"name": "not sent", "url": server.url}, clean, timeout=1))
    assert 1 <= time.monotonic() - begin < 30
    assert re.match(
        r"Waited 1 s for step 'wait' \(GET http://\S+/a\) to be answered as expected; last state: was not answered as expected: "
        r'json.state is "new" instead of "done". The answer: {"state": "new"}. .* All steps have 1 s \(timeout\).$',
        text,
    )
    assert server.asked()[-1] == "DELETE /a"


def test_a_service_that_is_not_there_yet_is_waited_for() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        text = str(failing({"url": url, "retry": True}, timeout=1))
        assert "last state: got no answer (the connection was refused). Likely nothing listens there" in text
        assert "got no answer (the connection was refused)" in str(failing({"url": url}))


def test_steps_after_the_time_is_up_are_not_sent(server: Any, reply: Any) -> None:
    server.says("GET /slow", reply(200, b"abc", drip=0.3))
    server.says("DELETE /a", reply(204))
    error = failing(
        {"url": f"{server.url}/slow"},
        {"name": "late", "url": server.url},
        {"url": f"{server.url}/a", "method": "DELETE", "status": 204, "always": True},
        timeout=0.5,
    )
    assert str(error) == "Step 'late' was not sent, as the time for all steps (timeout, 0.5 s) was up before."
    assert server.asked() == ["GET /slow", "DELETE /a"]


def test_an_answer_that_does_not_end_is_given_up(server: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_proof, "LIMIT", 0.5)
    server.says("GET /slow", reply(200, b"x" * 600, drip=0.1))
    server.says("GET /silent", reply(200, b"", {"Content-Length": "5"}))
    begin = time.monotonic()
    assert "did not end within its time, after" in str(failing({"url": f"{server.url}/slow"}))
    assert "it took too long" in str(failing({"url": f"{server.url}/silent"}))
    assert time.monotonic() - begin < 30


def test_an_answer_that_is_too_large_is_given_up(server: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "LARGEST", 1024**2)
    server.says("GET /large", reply(200, b"x" * (1024**2 + 1)))
    assert "got more than 1 MiB" in str(failing({"url": f"{server.url}/large"}))


def test_what_does_not_speak_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        import threading

        def say() -> None:
            connection, _address = listener.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
            connection.close()

        threading.Thread(target=say, daemon=True).start()
        assert "got no answer (" in str(failing({"url": url}))


def test_redirects_are_followed_within_one_origin(server: Any, other_server: Any, reply: Any) -> None:
    server.says("POST /a", reply(303, b"", {"Location": "/b"}))
    server.says("GET /b", reply(307, b"", {"Location": "c"}))
    server.says("GET /c", reply(200, b"there"))
    server.says("GET /out", reply(302, b"", {"Location": f"{other_server.url}/x"}))
    server.says("GET /loop", reply(302, b"", {"Location": "/loop"}))
    proof(
        {"url": f"{server.url}/a", "method": "POST", "send_body": "x", "contains": "there", "headers": {"X-Own": "1"}}
    )
    assert server.asked() == ["POST /a", "GET /b", "GET /c"]
    assert server.received[1].headers["x-own"] == "1" and "content-type" not in server.received[1].headers
    assert proof({"url": f"{server.url}/out", "status": 302})["steps"][0]["status"] == 302
    text = str(failing({"url": f"{server.url}/out", "headers": {"Authorization": "Bearer hush-hush"}}))
    assert f"the status is 302 (a redirect to {other_server.url}/x, which is not followed) instead of 200" in text
    assert "give that address as url, or expect the status 302" in text
    assert other_server.received == []
    assert "gave more than 5 redirects" in str(failing({"url": f"{server.url}/loop"}))


def test_secrets_are_not_shown(server: Any, reply: Any) -> None:
    server.says("POST /login", reply(200, b'{"access_token": "tok-1234", "session": "s-5678"}'))

    def echo(request: Any) -> Any:
        said = f"{request.headers['authorization']} {request.headers['cookie']} tok-1234 s-5678 pw-9"
        return reply(401, said.encode(), {"Set-Cookie": "c=fresh"})

    server.routes["GET /a?token=in-url"] = echo
    error = failing(
        {
            "name": "log in",
            "url": f"{server.url}/login",
            "method": "POST",
            "send_json": {"password": "pw-9"},
            "save": {"token": "access_token", "sid": "session"},
        },
        {
            "url": f"{server.url}/a?token=in-url",
            "headers": {"Authorization": "Bearer ${token}", "Cookie": "sid=${sid}"},
        },
    )
    shown = f"{error} {error.details}"
    assert server.received[1].headers["authorization"] == "Bearer tok-1234"
    assert [one for one in ("tok-1234", "s-5678", "pw-9", "in-url", "fresh") if one in shown] == []
    assert list(error.details["saved"]) == ["unique"]
    assert "look at the step's headers" in shown


def test_credentials_of_the_url_are_sent_and_not_shown(server: Any, reply: Any) -> None:
    server.says("GET /a", reply(401, b"no"))
    url = server.url.replace("http://", "http://me:p%40ss-word@")
    assert "p%40ss-word" not in str(failing({"url": f"{url}/a"}))
    failing({"url": f"{url}/a", "headers": {"authorization": "Bearer own-token"}})
    first, second = server.received
    assert first.headers["authorization"] == f"Basic {base64.b64encode(b'me:p@ss-word').decode()}"
    assert second.headers["authorization"] == "Bearer own-token"


def test_a_proxy_is_used_for_the_rest_of_the_world_only(server: Any, other_server: Any, reply: Any) -> None:
    server.says("GET /a", reply(200, b"direct"))
    environ = {"http_proxy": other_server.url.replace("http://", "http://me:hush@"), "NO_PROXY": "excepted.test"}
    other_server.routes["GET http://8.8.8.8/a"] = lambda _one: reply(200, b"by proxy")
    client = Client(environ)
    assert client.answer(Request("GET", f"{server.url}/a", {}), 5).body == b"direct"
    assert client.answer(Request("GET", "http://8.8.8.8/a", {}), 5).body == b"by proxy"
    assert other_server.received[0].headers["proxy-authorization"].startswith("Basic ")
    with pytest.raises(NoAnswerError, match="host name does not resolve"):
        client.answer(Request("GET", "http://excepted.test/a", {}), 5)
    assert len(other_server.received) == 1
    with pytest.raises(NoAnswerError, match="environment's proxy cannot be used"):
        Client({"all_proxy": "socks9://127.0.0.1:1"}).answer(Request("GET", "http://8.8.8.8/a", {}), 5)
