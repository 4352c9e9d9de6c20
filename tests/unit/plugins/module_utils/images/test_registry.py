# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import http.server
import json
import threading

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.images import registry as images_registry
from ansible_collections.localcloud.stack.plugins.module_utils.images.registry import (
    Registry,
    RegistryError,
    stored_auth,
)
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import Reference, digest_of

AUTH = base64.b64encode(b"user:pass").decode()
IMAGE = {"schemaVersion": 2, "mediaType": images_registry.IMAGES[0], "config": {"digest": "sha256:c"}, "layers": []}
INDEX = {"schemaVersion": 2, "mediaType": images_registry.INDEXES[1], "manifests": [{"digest": "sha256:m"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.server.answer(self.path, self.headers.get("Authorization"))
        content = json.dumps(body).encode() if body is not None else b"not json"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    # None is between this machine and what is next to it.
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []
    server.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def registry(server, auth=None, insecure=True):
    return Registry(Reference(server.host, "orders/consumer", "1"), insecure, auth)


MANIFEST = "/v2/orders/consumer/manifests/1"


def test_an_image(server):
    server.answer = lambda path, auth: (200, {}, IMAGE)
    assert registry(server).look() == (digest_of(json.dumps(IMAGE).encode()), ("sha256:c",))
    assert server.seen[-1] == (MANIFEST, None)


def test_an_image_of_many_platforms(server):
    server.answer = lambda path, auth: (200, {}, IMAGE if path.endswith("/sha256:m") else INDEX)
    assert registry(server).look() == (digest_of(json.dumps(INDEX).encode()), ("sha256:c",))


def test_a_missing_tag(server):
    server.answer = lambda path, auth: (404, {}, {"errors": []})
    assert registry(server).look() is None


def test_stored_credentials_are_shown_only_when_asked_for(server):
    def answer(path, auth):
        return (200, {}, IMAGE) if auth == f"Basic {AUTH}" else (401, {"WWW-Authenticate": 'Basic realm="r"'}, {})

    server.answer = answer
    assert registry(server, AUTH).look().config_digests == ("sha256:c",)
    assert [auth for path, auth in server.seen] == [None, f"Basic {AUTH}"]


def test_a_token(server):
    def answer(path, auth):
        if path.startswith("/token"):
            assert path == "/token?service=s&scope=repository%3Aorders%2Fconsumer%3Apull"
            return (200, {}, {"token": "t"}) if auth == f"Basic {AUTH}" else (401, {}, {})
        if auth == "Bearer t":
            return 200, {}, IMAGE
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token",service="s",scope="x"'}, {}

    server.answer = answer
    assert registry(server, AUTH).look().config_digests == ("sha256:c",)
    with pytest.raises(RegistryError) as caught:
        registry(server).look()
    assert caught.value.denied


@pytest.mark.parametrize(("status", "denied"), [(401, True), (403, True), (500, False)])
def test_other_answers(server, status, denied):
    server.answer = lambda path, auth: (status, {}, {})
    with pytest.raises(RegistryError, match=f"HTTP {status}") as caught:
        registry(server).look()
    assert caught.value.denied is denied


def test_what_is_no_registry(server):
    server.answer = lambda path, auth: (200, {}, None)
    with pytest.raises(RegistryError, match="is no registry"):
        registry(server).look()


def test_tls_to_plain_http(server):
    with pytest.raises(RegistryError, match="WRONG_VERSION_NUMBER|record layer failure"):
        registry(server, insecure=False).look()


def test_credentials_do_not_follow_to_another_host(server):
    def answer(path, auth):
        if path == "/elsewhere":
            return 200, {}, IMAGE
        if auth:
            return 307, {"Location": f"http://localhost:{server.server_port}/elsewhere"}, {}
        return 401, {"WWW-Authenticate": 'Basic realm="r"'}, {}

    server.answer = answer
    assert registry(server, AUTH).look()
    assert server.seen[-1] == ("/elsewhere", None)


def test_a_registry_that_is_not_there(server):
    server.server_close()
    with pytest.raises(RegistryError, match="refused"):
        registry(server).look()


def auth_file(path, **auths):
    path.write_text(json.dumps({"auths": {name: {"auth": value} for name, value in auths.items()}}))
    return str(path)


def test_the_narrowest_credentials_win(tmp_path):
    entries = {"quay.io": "host", "quay.io/team": "team", "other.io": "other"}
    files = [auth_file(tmp_path / "a.json", **entries)]
    assert stored_auth(files, Reference("quay.io", "team/orders", "1")) == "team"
    assert stored_auth(files, Reference("quay.io", "orders", "1")) == "host"
    assert stored_auth(files, Reference("example.com", "orders", "1")) is None


def test_the_first_file_wins_and_broken_ones_are_passed_over(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    first = auth_file(tmp_path / "a.json", **{"quay.io": "first"})
    second = auth_file(tmp_path / "b.json", **{"quay.io": "second"})
    files = [str(tmp_path / "missing.json"), str(tmp_path / "broken.json"), first, second]
    assert stored_auth(files, Reference("quay.io", "a", "1")) == "first"


def test_dockers_old_name_of_the_hub(tmp_path):
    file = auth_file(tmp_path / "a.json", **{"https://index.docker.io/v1/": "hub"})
    assert stored_auth([file], Reference("docker.io", "library/a", "1")) == "hub"


def test_where_credentials_are_kept():
    assert images_registry.auth_files({}, "/home/a", 7) == [
        "/run/containers/7/auth.json",
        "/home/a/.config/containers/auth.json",
        "/home/a/.docker/config.json",
    ]
    environ = {"REGISTRY_AUTH_FILE": "/x", "XDG_RUNTIME_DIR": "/run/user/7", "DOCKER_CONFIG": "/d"}
    assert images_registry.auth_files(environ, "/home/a", 7)[:2] == ["/x", "/run/user/7/containers/auth.json"]
    assert images_registry.auth_files(environ, "/home/a", 7)[-1] == "/d/config.json"
