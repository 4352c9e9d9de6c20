"""Modules of kubernetes.core ask the API server of their kubeconfig and nobody else, whatever the environment says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_MAP, AUTH_PROXY_HEADERS_SPEC
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import CLUSTER_VARIABLES

PROJECT = Path(__file__).resolve().parents[4]
# Helm and kubectl as far as it takes to see which cluster it is given.
HELM = """\
#!/bin/sh
echo "$@" >> "$0.called"
test "$1" = version && { echo 'version.BuildInfo{Version:"v3.19.0",'; exit 0; }
env | grep -E '^(HELM|K8S_AUTH)_|^MARK=' >> "$0.saw"
test -f "$KUBECONFIG" && cat "$KUBECONFIG" >> "$0.saw"
exit 1
"""

ELSEWHERE = """\
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = '''
name: elsewhere
short_description: This machine, as if it were another
description: Of a test.
author: test
version_added: "1"
options: {}
extends_documentation_fragment: [connection_pipelining]
'''


class Connection(Local):
    transport = "elsewhere"
"""


class Server:
    """An HTTP server that refuses everything and remembers who asked for what."""

    def __init__(self) -> None:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                seen.append(self.raw_requestline.decode(errors="replace").strip())
                if self.parse_request():
                    answer = json.dumps({"kind": "Status", "status": "Failure", "message": "no", "code": 403}).encode()
                    self.send_response(403)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                pass

        self.seen = seen
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """The API server that is meant, and the one that variables name."""
    pair = Server(), Server()
    yield pair
    for server in pair:
        server.http.shutdown()
        server.http.server_close()


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("ours", "other")],
        "current-context": "ours",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def play(
    folder: Path, tasks: list[dict[str, object]], environment: dict[str, str], declared: dict[str, str] | None = None
) -> str:
    """What a playbook of somebody says whose play declares an environment; each of its tasks may fail."""
    playbook = folder / "play.yml"
    tolerant = [{"name": f"Task {number}", "ignore_errors": True, **task} for number, task in enumerate(tasks)]
    playbook.write_text(
        yaml.safe_dump(
            [
                {
                    "name": "Play",
                    "hosts": "localhost",
                    "gather_facts": False,
                    "environment": declared or {},
                    "tasks": tolerant,
                }
            ]
        )
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), playbook],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "NO_COLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def redirected(elsewhere: str) -> dict[str, str]:
    """Every variable that could lead a client to the other server."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), elsewhere)
    urls = {"K8S_AUTH_HOST": elsewhere, "K8S_AUTH_PROXY": elsewhere, "HELM_KUBEAPISERVER": elsewhere}
    others = dict.fromkeys(("K8S_AUTH_CONTEXT", "K8S_AUTH_API_KEY", "HELM_KUBECONTEXT", "HELM_KUBETOKEN"), "other")
    others |= {"HELM_NAMESPACE": "other", "HELM_DRIVER": "memory", "KUBECONFIG": "/nonexistent/other"}
    return {**proxies, **{name.lower(): url for name, url in proxies.items()}, **urls, **others, "NO_PROXY": "other"}


def test_only_the_named_cluster_is_asked(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    meant, other = servers
    helm = tmp_path / "helm"
    helm.write_text(HELM)
    helm.chmod(0o755)
    given = {"kubeconfig": str(kubeconfig(tmp_path / "config", meant.url))}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    release = {"name": "shop", "namespace": "shop", "chart_ref": str(PROJECT / "charts/pipeline")}
    tasks: list[dict[str, object]] = [
        {"localcloud.stack.k8s_info": {**given, "kind": "Namespace"}},
        {
            "localcloud.stack.k8s": {**given, "resource_definition": namespace},
            "environment": {"K8S_AUTH_HOST": other.url},
        },
        {"localcloud.stack.kubectl": {**given, "binary": str(helm), "arguments": ["apply", "--filename=a b"]}},
        {"localcloud.stack.helm": {**given, "binary_path": str(helm), **release}},
    ]
    declared = {"HELM_KUBEAPISERVER": other.url, "K8S_AUTH_PROXY": other.url, "MARK": "of the play"}
    output = play(tmp_path, tasks, redirected(other.url), declared)
    assert other.seen == [], output
    assert "MARK=of the play" in (tmp_path / "helm.saw").read_text()
    assert len(meant.seen) >= 2, output
    # kubernetes.core itself sets the release's namespace.
    saw = (tmp_path / "helm.saw").read_text()
    assert re.findall(r"(?:HELM|K8S_AUTH)_\w+=.*", saw) == ["HELM_NAMESPACE=shop"] * saw.count("HELM_NAMESPACE")
    assert meant.url in saw
    called = (tmp_path / "helm.called").read_text().splitlines()
    assert f"--kubeconfig={given['kubeconfig']} apply --filename=a b" in called


def test_on_another_machine_a_cluster_of_the_environment_is_refused(
    tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    """There variables can't be taken out. A connection of another kind stands for it, which runs here."""
    meant, other = servers
    connection = tmp_path / "connection_plugins/elsewhere.py"
    connection.parent.mkdir()
    connection.write_text(ELSEWHERE)
    given = {"kubeconfig": str(kubeconfig(tmp_path / "config", meant.url))}
    task: dict[str, object] = {
        "localcloud.stack.k8s_info": {**given, "kind": "Namespace"},
        "vars": {"ansible_connection": "elsewhere"},
    }
    output = play(tmp_path, [task], {"K8S_AUTH_HOST": other.url, "HELM_KUBETOKEN": "a"})
    assert "the environment leads to a cluster by K8S_AUTH_HOST, besides the arguments" in output
    assert (meant.seen, other.seen) == ([], [])
    play(tmp_path, [task], {})
    assert meant.seen != []
    helm = tmp_path / "helm"
    helm.write_text(HELM)
    helm.chmod(0o755)
    call = {**given, "binary": str(helm), "arguments": ["get"]}
    play(tmp_path, [{"localcloud.stack.kubectl": call, "vars": task["vars"]}], {"HELM_KUBETOKEN": "a"})
    assert "HELM_KUBETOKEN=\n" in (tmp_path / "helm.saw").read_text()


def test_a_cluster_that_only_the_environment_names_is_refused(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    _meant, other = servers
    output = play(tmp_path, [{"localcloud.stack.k8s_info": {"kind": "Namespace"}}], {"K8S_AUTH_HOST": other.url})
    assert "No kubeconfig is given, and the environment names a cluster by K8S_AUTH_HOST, which is not used" in output
    assert other.seen == []


def test_a_kubeconfig_of_the_environment_serves_where_none_is_given(
    tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    meant, other = servers
    path = kubeconfig(tmp_path / "config", meant.url)
    variables = {"K8S_AUTH_KUBECONFIG": str(path), "K8S_AUTH_CONTEXT": "other", "K8S_AUTH_HOST": other.url}
    play(tmp_path, [{"localcloud.stack.k8s_info": {"kind": "Namespace"}}], variables)
    assert meant.seen != []
    assert other.seen == []


def test_all_variables_of_kubernetes_core_are_known() -> None:
    read = {name for pair in AUTH_ARG_MAP.items() for name in pair} | {"impersonate_user", "impersonate_groups"}
    read |= {f"proxy_headers_{name}" for name in AUTH_PROXY_HEADERS_SPEC}
    assert {f"K8S_AUTH_{name.upper()}" for name in read} <= {*CLUSTER_VARIABLES}


def test_roles_and_playbooks_use_kubernetes_core_by_no_other_way() -> None:
    used = re.compile(r"^\s*(?:- )?(?:action:\s*)?kubernetes\.core\.\w+", re.M)
    files = [path for folder in ("roles", "playbooks") for path in (PROJECT / folder).rglob("*.y*ml")]
    found = {str(path.relative_to(PROJECT)): used.findall(path.read_text()) for path in files}
    assert {name: uses for name, uses in found.items() if uses} == {}
