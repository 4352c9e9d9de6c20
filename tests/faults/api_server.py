"""A Kubernetes API server with its etcd, of the built parts and without a node: nothing of it runs a pod."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory

from tests.faults.bare_nodes import CACHE, PROJECT

TOKEN = "test"
LIMIT_SECONDS = 120


class Cluster(NamedTuple):
    """An API server that runs: its kubeconfig, and the kubectl of its version."""

    kubeconfig: Path
    program: Path

    def kubectl(self, *arguments: str, data: str | None = None) -> str:
        command = [self.program, "--kubeconfig", self.kubeconfig, *arguments]
        return subprocess.run(command, input=data, capture_output=True, text=True, check=True).stdout

    def get(self, *what: str) -> list[dict[str, Any]]:
        """The objects that `kubectl get` lists, with their managed fields."""
        found = json.loads(self.kubectl("get", *what, "--output=json", "--show-managed-fields"))
        return list(found["items"]) if "items" in found else [found]


def parts(*names: str) -> dict[str, Path]:
    """The folders of built parts."""
    built = Builder(Inventory.read(PROJECT), CACHE, print).require(list(names))
    return {name: Path(built[name].path) for name in names}


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _number in range(number)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in taken]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster with its data in this folder; it ends with the block."""
    built = parts("kubernetes", "etcd")
    client, peer, server = free_ports(3)
    key = folder / "service-account.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
    etcd = [
        *(built["etcd"] / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync"),
        *(f"--{kind}client-urls=http://127.0.0.1:{client}" for kind in ("listen-", "advertise-")),
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]
    api_server = [
        *(built["kubernetes"] / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}"),
        *("--bind-address=127.0.0.1", f"--secure-port={server}", f"--cert-dir={folder / 'certificates'}"),
        *(f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=AlwaysAllow"),
        *("--service-account-issuer=https://test", f"--service-account-signing-key-file={key}"),
        *(f"--service-account-key-file={key}", "--disable-admission-plugins=ServiceAccount"),
    ]
    kubeconfig = folder / "kubeconfig"
    with _process(etcd, folder / "etcd.log"), _process(api_server, folder / "api-server.log") as process:
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(server, folder / "certificates/apiserver.crt")))
        cluster = Cluster(kubeconfig, built["kubernetes"] / "kubectl")

        def starting() -> str | None:
            log = (folder / "api-server.log").read_text()[-2000:]
            assert process.poll() is None, log
            with contextlib.suppress(subprocess.CalledProcessError):
                return None if cluster.kubectl("get", "--raw=/readyz") == "ok" else log
            return log

        wait_for(f"the API server at port {server}", starting, LIMIT_SECONDS)
        yield cluster


@contextlib.contextmanager
def _process(command: list[Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (
        log.open("wb") as output,
        subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _kubeconfig(port: int, authority: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {
                "name": "test",
                "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)},
            }
        ],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
