"""The embedded node as the CIS benchmark for Kubernetes sees it, by kube-bench, and what its settings do."""

from __future__ import annotations

import base64
import json
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node import etcd
from ansible_collections.localcloud.stack.plugins.module_utils.node.security import USERS

PROJECT = Path(__file__).resolve().parents[2]
# Its table says what kube-bench finds, and why that stays.
LEFT = re.findall(r"^\| (\d[\d.]+) \|", (PROJECT / "docs/node-security.md").read_text(), re.M)
BENCHMARK = "cis-1.10"
SECRET, CONTENT = "localcloud-encrypted", "only-in-memory"
ENCRYPTED = b"k8s:enc:secretbox:v1:node:"


@pytest.fixture(scope="module")
def within(stack: Any) -> Callable[..., str]:
    """Run a command in the node's namespaces and return what it prints."""
    pid, _began = json.loads((stack.folder / "node/node.json").read_text())["process"]
    (first,) = psutil.Process(pid).children()

    def run(*command: str) -> str:
        namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc")
        done = subprocess.run(
            ["nsenter", "--target", str(first.pid), *namespaces, "--", *command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def state(stack: Any) -> Path:
    return Path(stack.folder) / "node/state"


@pytest.fixture(scope="module")
def secret(stack: Any) -> Iterator[str]:
    stack.kubectl("create", "secret", "generic", SECRET, f"--from-literal=password={CONTENT}")
    yield SECRET
    stack.kubectl("delete", "secret", SECRET)


def test_kube_bench_finds_nothing_but_what_is_explained(within: Callable[..., str]) -> None:
    part = subprocess.run(
        [sys.executable, PROJECT / "scripts/part.py", "kube-bench", "kube-bench"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    folder = str(Path(part).parent)
    found = json.loads(
        within(
            # ps cuts lines to the width that the environment may name.
            *("env", "--unset=COLUMNS", part),
            "run",
            "--targets",
            "master,controlplane,etcd,node",
            "--json",
            "--benchmark",
            BENCHMARK,
            "--config-dir",
            folder,
            "--config",
            f"{folder}/config.yaml",
        )
    )
    results = [one for control in found["Controls"] for test in control["tests"] for one in test["results"]]
    assert sum(one["status"] == "PASS" for one in results) > 70
    failed = {one["test_number"]: one["test_desc"] for one in results if one["status"] == "FAIL"}
    assert sorted(failed) == sorted(LEFT), failed


def test_without_credentials_only_health_is_told(stack: Any, state: Path) -> None:
    server = stack.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    trust = ssl.create_default_context(cafile=str(state / "etc-kubernetes/pki/ca.crt"))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    for path in ("livez", "readyz", "healthz"):
        assert direct.open(f"{server}/{path}", timeout=10).read() == b"ok"
    for path in ("version", "api", "metrics"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            direct.open(f"{server}/{path}", timeout=10)


@pytest.fixture(scope="module")
def stored(stack: Any, state: Path) -> Callable[[str], dict[str, bytes]]:
    """What the node's etcd has below a key, by key."""
    pki = state / "etc-kubernetes/pki"

    def below(key: str) -> dict[str, bytes]:
        wanted = {"key": etcd.text(key.encode()), "range_end": etcd.text(f"{key[:-1]}{chr(ord(key[-1]) + 1)}".encode())}
        found = etcd.call(etcd.connection(stack.facts["address"], pki), "kv/range", wanted).get("kvs", [])
        return {base64.b64decode(one["key"]).decode(): base64.b64decode(one["value"]) for one in found}

    return below


def test_a_secret_is_stored_encrypted(secret: str, stored: Callable[[str], dict[str, bytes]]) -> None:
    (value,) = stored(f"/registry/secrets/default/{secret}").values()
    assert value.startswith(ENCRYPTED)
    assert CONTENT.encode() not in value


def test_of_what_a_node_begins_with_no_secret_stays_in_the_clear(stored: Callable[[str], dict[str, bytes]]) -> None:
    """Crossplane writes those again that have a key; Helm's record of Crossplane has none."""
    clear = [key for key, value in stored("/registry/secrets/").items() if not value.startswith(ENCRYPTED)]
    assert [key for key in clear if "/sh.helm.release.v1.crossplane." not in key] == []


def test_who_made_a_secret_is_recorded_without_what_is_in_it(
    secret: str, state: Path, eventually: Callable[..., Any]
) -> None:
    def made() -> list[str]:
        lines = (state / "log/audit/audit.log").read_text().splitlines()
        return [one for one in lines if f'"name":"{secret}"' in one and '"verb":"create"' in one]

    line = eventually(made)[-1]
    assert json.loads(line)["user"]["username"] == "kubernetes-admin"
    assert CONTENT not in line
    assert base64.b64encode(CONTENT.encode()).decode() not in line


@pytest.mark.parametrize("program", USERS)
def test_programs_beside_the_kubelet_have_their_own_rights(program: str, stack: Any, state: Path) -> None:
    def may(*what: str) -> str:
        command = [
            stack.facts["kubectl"],
            "--kubeconfig",
            str(state / f"etc-kubernetes/{program}.conf"),
            "auth",
            "can-i",
            *what,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    assert may("watch", "services", "--all-namespaces") == "yes"
    assert may("get", "secrets", "--all-namespaces") == "no"
    assert may("delete", "pods", "--all-namespaces") == "no"
