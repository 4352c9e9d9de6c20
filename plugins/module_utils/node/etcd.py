# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write into a data folder of etcd before the cluster that it belongs to is started."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import for_machine
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from ..toolchain.cache import remove
from . import host
from .host import NodeError

# Of an empty etcd: as many writes as it takes in one request, and as long as one may be.
OPERATIONS = 128
REQUEST_BYTES = 64 * 1024 * 1024
# Of a node's own.
CLIENT_PORT = 2379


class Connection(http.client.HTTPConnection):
    """To a socket in the file system, which only its owner reaches."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def fill(program: Path, name: str, peer: str, data: Path, pairs: Iterable[tuple[str, bytes]]) -> None:
    """Make a data folder with these keys and values, for a member with this name and peer URL. Raises NodeError, WaitError."""
    with running(program, name, peer, data) as client:
        remaining = iter(pairs)
        while batch := list(islice(remaining, OPERATIONS)):
            puts = [{"request_put": {"key": text(key.encode()), "value": text(value)}} for key, value in batch]
            call(client, "kv/txn", {"success": puts})


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def everything(client: Path) -> dict[str, bytes]:
    """All keys and values."""
    # From the lowest key, to the end.
    found = call(client, "kv/range", {"key": text(b"\0"), "range_end": text(b"\0")}).get("kvs", [])
    return {base64.b64decode(one["key"]).decode(): base64.b64decode(one.get("value", "")) for one in found}


def value(client: Path | http.client.HTTPConnection, key: str) -> bytes:
    """The value of a key; NodeError if there is none."""
    found = call(client, "kv/range", {"key": text(key.encode())}).get("kvs", [])
    if not found:
        raise NodeError(f"etcd has no {key}.")
    return base64.b64decode(found[0].get("value", ""))


def call(client: Path | http.client.HTTPConnection, path: str, body: object) -> dict[str, Any]:
    """Call etcd's JSON gateway, at a socket or by a connection; its answer. NodeError if it refuses."""
    connection = Connection(client) if isinstance(client, Path) else client
    try:
        connection.request("POST", f"/v3/{path}", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NodeError(f"etcd refuses {path}: HTTP {response.status} {answer[:200].decode(errors='replace')}")
    result: dict[str, Any] = json.loads(answer)
    return result


def connection(address: str, certificates: Path) -> http.client.HTTPSConnection:
    """To a node's own etcd, with the API server's certificate; `certificates` is the node's folder /etc/kubernetes/pki."""
    context = ssl.create_default_context(cafile=str(certificates / "etcd/ca.crt"))
    context.load_cert_chain(certificates / "apiserver-etcd-client.crt", certificates / "apiserver-etcd-client.key")
    return http.client.HTTPSConnection(address, CLIENT_PORT, timeout=30, context=context)


def full(client: Path | http.client.HTTPConnection) -> list[dict[str, Any]]:
    """The alarms that an etcd has reached its quota, for which it refuses every write until they are taken back."""
    return [one for one in call(client, "maintenance/alarm", {}).get("alarms", []) if one.get("alarm") == "NOSPACE"]


def make_room(client: Path | http.client.HTTPConnection) -> bool:
    """Let an etcd write again that has reached its quota and refuses that for good; return whether it had.

    Former versions of objects are dropped, of which it keeps those of five minutes, and its file is made as small as its content.
    Raises NodeError if that is still too large, OSError if etcd does not answer.
    """
    alarms = full(client)
    if not alarms:
        return False
    status = call(client, "maintenance/status", {})
    call(client, "kv/compaction", {"revision": status["header"]["revision"], "physical": True})
    call(client, "maintenance/defragment", {})
    status = call(client, "maintenance/status", {})
    used, quota = int(status["dbSize"]), int(status.get("dbSizeQuota", 0))
    if 0 < quota <= used:
        raise NodeError(
            f"etcd is full: the objects in this cluster take {used >> 20} MiB, and it takes {quota >> 20} MiB. It refuses every change until some are "
            "deleted: run `make down`, then `make up`."
        )
    for alarm in alarms:
        call(client, "maintenance/alarm", {"action": "DEACTIVATE", **alarm})
    return True


@contextmanager
def running(program: Path, name: str, peer: str, data: Path) -> Iterator[Path]:
    """An etcd with this data folder that only this user reaches; yields its socket. It ends in order."""
    folder = data.with_name(f"{data.name}-sockets")
    remove(folder)
    folder.mkdir(mode=0o700, parents=True)
    log_path = folder / "log"
    # A socket's path may be 107 bytes long, and the folder's longer: both sides go by a short one.
    here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    client = Path(f"/proc/self/fd/{here}/client")
    with open(log_path, "w") as log:
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["setpriv", "--pdeathsig", "KILL", program, f"--data-dir={data}", f"--name={name}", "--unsafe-no-fsync",
             "--listen-client-urls=unix:///proc/self/cwd/client", "--advertise-client-urls=http://localhost:2379",
             "--listen-peer-urls=unix:///proc/self/cwd/peer", f"--initial-advertise-peer-urls={peer}",
             f"--initial-cluster={name}={peer}", f"--max-request-bytes={REQUEST_BYTES}", "--log-level=warn"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            env=for_machine(os.environ), umask=host.UMASK,
        )  # fmt: skip

    def answers() -> str | None:
        if child.poll() is not None:
            raise NodeError(f"etcd can't be started:\n{log_path.read_text().strip()[-2000:]}")
        try:
            call(client, "maintenance/status", {})
        except (NodeError, OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        return None

    try:
        wait_for("etcd to answer", answers, timeout=30, interval=0.02)
        yield client
        child.terminate()
        child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()
        os.close(here)
        remove(folder)
