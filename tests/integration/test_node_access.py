"""Who reaches the embedded node and its registry, by the node's own rules and configuration in network namespaces.

Needs root, nft and docker-registry, as the node does, but no node: host, node, pod and LAN are a namespace each.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node import config, host
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import Identity

KEY = uuid.uuid4().hex[:8]
IDENTITY = Identity(f"localcloud-{KEY}", f"lc-{KEY}", "10.213.7.5", "10.213.7.6")
HOST, NODE, POD, LAN = (f"{place}-{KEY}" for place in ("host", "node", "pod", "lan"))
NOBODY = 65534
# Each cable: namespace, interface and address (twice), and the gateway of the second namespace.
CABLES = (
    (HOST, IDENTITY.interface, "10.213.7.5/30", NODE, "eth0", "10.213.7.6/30", "10.213.7.5"),
    (NODE, "cni0", "10.244.0.1/24", POD, "eth0", "10.244.0.9/24", "10.244.0.1"),
    (HOST, "eth9", "10.214.7.1/24", LAN, "eth0", "10.214.7.2/24", "10.214.7.1"),
)
LIMIT_SECONDS = 30


def within(namespace: str, *command: str, user: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a network namespace, as a user."""
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *as_user, *command], capture_output=True, text=True, check=False, timeout=60
    )


def ask(namespace: str, path: str = "/v2/", port: int = 5000, method: str = "GET", user: int = 0) -> int:
    """The registry's status for a request, 0 where there is no answer."""
    address = f"http://{IDENTITY.node_address}:{port}{path}"
    done = within(
        namespace, "curl", "--silent", "--noproxy", "*", "--max-time", "5", "--output", "/dev/null",
        "--write-out", "%{http_code}", "--request", method, address, user=user,
    )  # fmt: skip
    return int(done.stdout or 0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The namespaces with cables between them, and the registry's two programs in the node's."""
    folder = tmp_path_factory.mktemp("registry")
    with contextlib.ExitStack() as stack:
        for name in (HOST, NODE, POD, LAN):
            host.run("ip", "netns", "add", name)
            stack.callback(host.run, "ip", "netns", "delete", name)
            host.run("ip", "-n", name, "link", "set", "lo", "up")
        for one, interface, address, other, peer, peer_address, gateway in CABLES:
            ends = ["netns", one, "type", "veth", "peer", "name", peer, "netns", other]
            host.run("ip", "link", "add", interface, *ends)
            for name, end, cidr in ((one, interface, address), (other, peer, peer_address)):
                host.run("ip", "-n", name, "address", "add", cidr, "dev", end)
                host.run("ip", "-n", name, "link", "set", end, "up")
            host.run("ip", "-n", other, "route", "add", "default", "via", gateway)
        for name in (HOST, NODE):
            assert within(name, "sysctl", "-w", "net.ipv4.ip_forward=1").returncode == 0
        rules = folder / "registry.nft"
        rules.write_text(config.registry_rules(IDENTITY))
        assert within(NODE, "nft", "--file", str(rules)).stderr == ""
        for writable in (False, True):
            content = yaml.safe_dump(config.registry_config(IDENTITY, writable=writable))
            path = folder / f"{writable}.yml"
            path.write_text(content.replace(config.STATE, str(folder)))
            program = subprocess.Popen(
                ["ip", "netns", "exec", NODE, "docker-registry", "serve", path],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(program.wait)
            stack.callback(program.kill)
        end = time.monotonic() + LIMIT_SECONDS
        while (seen := (ask(NODE), ask(HOST))) != (200, 200):
            assert time.monotonic() < end, f"no answer from both programs of the registry: {seen}"
            time.sleep(0.1)
        yield folder


@pytest.fixture(params=["user", "host", "network"])
def access(request: pytest.FixtureRequest, network: Path) -> str:
    """The host's rules for one of the settings, loaded over those of the one before."""
    rules = network / "guard.nft"
    rules.write_text(host.guard_rules(IDENTITY, request.param, host.callers({}, os.getuid())))
    assert within(HOST, "nft", "--file", str(rules)).stderr == ""
    return str(request.param)


def test_who_reaches_the_node(access: str) -> None:
    assert ask(HOST) == 200
    assert ask(HOST, user=NOBODY) == (0 if access == "user" else 200)
    assert ask(LAN) == (200 if access == "network" else 0)
    assert ask(POD) == 200


def test_a_user_who_is_allowed_reaches_it(network: Path) -> None:
    rules = network / "guard.nft"
    rules.write_text(host.guard_rules(IDENTITY, "user", host.callers({"SUDO_UID": str(NOBODY)}, os.getuid())))
    assert within(HOST, "nft", "--file", str(rules)).stderr == ""
    assert ask(HOST, user=NOBODY) == 200


def test_only_the_host_writes_to_the_registry(access: str) -> None:
    upload = "/v2/package/blobs/uploads/"
    assert ask(HOST, upload, method="POST") == 202
    assert ask(POD, upload, method="POST") == 405
    assert ask(NODE, upload, method="POST") == 405
    assert ask(LAN, upload, method="POST") == (405 if access == "network" else 0)
    for place in (POD, NODE, LAN):
        assert ask(place, upload, port=5001, method="POST") == 0
        assert ask(place, "/v2/package/manifests/1", method="DELETE") in (0, 405)


def test_what_the_node_opens_is_answered(access: str) -> None:
    """A server of any user on the host answers pods, for example an emulator outside of the cluster."""
    program = (
        f"import os, socket; os.setgid({NOBODY}); os.setuid({NOBODY}); "
        f"server = socket.create_server(({IDENTITY.host_address!r}, 4566))\n"
        "while True: server.accept()[0].close()"
    )
    server = subprocess.Popen(["ip", "netns", "exec", HOST, sys.executable, "-c", program])
    try:
        end = time.monotonic() + LIMIT_SECONDS
        connect = f"exec 3<>/dev/tcp/{IDENTITY.host_address}/4566"
        while (done := within(NODE, "bash", "-c", connect)).returncode:
            assert server.poll() is None and time.monotonic() < end, done.stderr
            time.sleep(0.1)
    finally:
        server.kill()
        server.wait()
