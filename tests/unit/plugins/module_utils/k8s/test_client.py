# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real Kubernetes client against a small HTTP server that speaks like an API server."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import pathlib
import select
import socket
import ssl
import tempfile
import threading
import urllib.parse

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.wait import Options, Waiter, Want
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError, UntrustedError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KubernetesApi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SNS = "sns.aws.upbound.io/v1beta1"
# Nothing listens there.
DISCARD = 9
TOPIC = Want(SNS, "Topic", ("Ready",), "orders")


def topic(ready, version):
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": {"name": "orders", "resourceVersion": version}, "status": {"conditions": conditions}}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one topic: not ready when listed; the first watch breaks off, the second one says that it's ready."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        params = dict(urllib.parse.parse_qsl(url.query))
        self.server.seen.append((url.path, params, self.headers.get("authorization")))
        if url.path == f"/apis/{SNS}":
            return self.answer(200, {"resources": [{"name": "topics", "kind": "Topic", "namespaced": False}]})
        if url.path == f"/apis/{SNS}/topics" and "watch" in params:
            self.server.watches += 1
            return self.stream([] if self.server.watches == 1 else [{"type": "MODIFIED", "object": topic(True, "3")}])
        if url.path == f"/apis/{SNS}/topics":
            return self.answer(200, {"items": [topic(False, "1")], "metadata": {"resourceVersion": "2"}})
        if url.path == "/apis/secret.io/v1":
            return self.answer(403, {"message": "secrets is forbidden"})
        return self.answer(404, {"message": "the server could not find the requested resource"})

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.patched.append((self.path, self.headers["content-type"], body))
        self.answer(200, {}, slow=True)

    def answer(self, status, document, slow=False):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if slow:  # as long as a client does not send its next request on this connection, or long enough
            select.select([self.connection], [], [], 0.3)
        self.wfile.write(body)

    def stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            for piece in (line[:10], line[10:]):
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if events:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True  # without events: in the middle of the stream, as when a server dies

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    made.seen, made.patched, made.watches = [], [], 0
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def kubeconfig(server, tmp_path, monkeypatch):
    # None of these is asked for what is near, nor leads to another context.
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "K8S_AUTH_PROXY",
        "K8S_AUTH_HOST",
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{DISCARD}")
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "elsewhere")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example.org")
    path = tmp_path / "config"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "tok"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_a_wait_survives_a_stream_that_breaks_off(server, kubeconfig):
    result = Waiter(KubernetesApi(kubeconfig), [TOPIC], Options(timeout=5), pause=0.001).wait()
    assert result["ready"] is True
    assert server.watches >= 2
    path, params, authorization = next(one for one in server.seen if "watch" in one[1])
    assert path == f"/apis/{SNS}/topics"
    assert params["resourceVersion"] == "2"
    assert params["fieldSelector"] == "metadata.name=orders"
    assert authorization == "Bearer tok"


def test_a_merge_patch_is_sent_as_such(server, kubeconfig):
    api = KubernetesApi(kubeconfig)
    api.connect()
    api.merge(f"/apis/{SNS}/topics/orders", {"metadata": {"finalizers": None}})
    assert server.patched == [
        (f"/apis/{SNS}/topics/orders", "application/merge-patch+json", {"metadata": {"finalizers": None}})
    ]


def test_an_answer_is_read_to_its_end_before_the_connection_is_used_again(server, kubeconfig):
    api = KubernetesApi(kubeconfig)
    api.connect()
    api.merge(f"/apis/{SNS}/topics/orders", {})
    assert api.get(f"/apis/{SNS}", {})["resources"]


def test_refusals_have_the_servers_own_words(kubeconfig):
    api = KubernetesApi(kubeconfig)
    api.connect()
    with pytest.raises(ApiError) as caught:
        api.get("/apis/secret.io/v1", {})
    assert (caught.value.status, caught.value.message) == (403, "secrets is forbidden")
    with pytest.raises(ApiError) as caught:
        api.get("/apis/none", {})
    assert caught.value.status == 404


def test_nobody_there_is_told_as_such(server, kubeconfig):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: refused, and nobody else can take the port
        path = pathlib.Path(kubeconfig)
        path.write_text(path.read_text().replace(str(server.server_port), str(unused.getsockname()[1])))
        api = KubernetesApi(kubeconfig)
        api.connect()
        with pytest.raises(ApiError) as caught:
            api.get("/apis", {})
    assert (caught.value.status, caught.value.message) == (0, "connection refused")


@pytest.mark.parametrize(("where", "says"), [(("/none", None), "/none"), ((None, "zz"), "with context zz")])
def test_a_kubeconfig_that_cannot_be_used(kubeconfig, where, says):
    with pytest.raises(KubernetesError, match=f"{says} .*likely the path or context is wrong"):
        KubernetesApi(where[0] or kubeconfig, where[1]).connect()


def test_the_proxy_of_the_kubeconfig_is_used(server, kubeconfig):
    path = pathlib.Path(kubeconfig)
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"] = {
        "server": "http://127.0.0.1:9",
        "proxy-url": f"http://127.0.0.1:{server.server_port}",
    }
    path.write_text(yaml.safe_dump(document))
    api = KubernetesApi(kubeconfig)
    api.connect()
    with pytest.raises(ApiError):
        api.get("/version", {})
    assert [path for path, _params, _authorization in server.seen] == ["/version"]


def test_a_proxy_of_the_environment_is_used_for_what_goes_out(server, kubeconfig, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    path = pathlib.Path(kubeconfig)
    path.write_text(path.read_text().replace(f"127.0.0.1:{server.server_port}", "api.example.org"))
    api = KubernetesApi(kubeconfig)
    api.connect()
    with pytest.raises(ApiError):
        api.get("/version", {})
    assert [path for path, _params, _authorization in server.seen] == ["/version"]


@pytest.fixture
def credentials():
    """A certificate for 127.0.0.1 that signs itself, as server, client and authority in one, and its key: both PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "one")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, private.public_key(), x509.random_serial_number(), now, now.replace(year=now.year + 1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    return {
        "certificate": certificate.public_bytes(pem),
        "key": private.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
    }


@pytest.fixture
def guarded(server, kubeconfig, credentials, tmp_path):
    """The server by https, to clients that show the certificate; a function that writes what a kubeconfig says of it."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(credentials["certificate"])
    key.write_bytes(credentials["key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)

    def configured(cluster, user):
        path = pathlib.Path(kubeconfig)
        document = yaml.safe_load(path.read_text())
        address = f"https://127.0.0.1:{server.server_port}"
        document["clusters"][0]["cluster"] = {"server": address, **cluster}
        document["users"][0]["user"] = user
        path.write_text(yaml.safe_dump(document))
        return KubernetesApi(kubeconfig)

    return configured


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_certificates_and_keys_of_a_kubeconfig_are_not_left_on_the_disk(guarded, credentials, temporary):
    encoded = {name: base64.b64encode(pem).decode() for name, pem in credentials.items()}
    api = guarded(
        {"certificate-authority-data": encoded["certificate"]},
        {"client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"]},
    )
    api.connect()
    assert list(temporary.iterdir()) == []
    stream = api.watch(f"/apis/{SNS}/topics", {"watch": "1"}, 5)
    with pytest.raises(ApiError):  # the first one breaks off
        list(stream)
    # By a new connection, when the files are long gone.
    (event,) = api.watch(f"/apis/{SNS}/topics", {"watch": "1"}, 5)
    assert event["type"] == "MODIFIED"


def test_certificates_may_be_files(guarded, temporary):
    api = guarded({"certificate-authority": "tls.crt"}, {"client-certificate": "tls.crt", "client-key": "tls.key"})
    api.connect()
    assert api.get(f"/apis/{SNS}", {})["resources"]


def test_a_server_that_nobody_vouches_for_is_not_believed(guarded):
    api = guarded({}, {"client-certificate": "tls.crt", "client-key": "tls.key"})
    api.connect()
    with pytest.raises(UntrustedError, match="^certificate verify failed$"):
        api.get(f"/apis/{SNS}", {})


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_server_is_believed_where_the_kubeconfig_says_so(guarded):
    api = guarded({"insecure-skip-tls-verify": True}, {"client-certificate": "tls.crt", "client-key": "tls.key"})
    api.connect()
    assert api.get(f"/apis/{SNS}", {})["resources"]


def test_a_key_that_is_none(guarded, credentials):
    encoded = base64.b64encode(credentials["certificate"]).decode()
    api = guarded({}, {"client-certificate-data": encoded, "client-key-data": encoded})
    with pytest.raises(KubernetesError, match="cannot be used"):
        api.connect()
