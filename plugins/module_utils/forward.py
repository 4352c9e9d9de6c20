# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A port of this machine that leads to a Service of a cluster, by `kubectl port-forward` under supervisord."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from .processes import same_process
from .waiting import WaitError, wait_for

PORTS = range(20000, 30000)
STOP_SECONDS = 10


class ForwardError(Exception):
    """The port can't be forwarded; the message names the cause and the next step."""


@dataclass(frozen=True)
class Route:
    """From where to where: everything that makes a forward another one when it changes."""

    kubectl: str
    kubeconfig: str
    context: str
    namespace: str
    service: str
    service_port: int

    def command(self, port: int) -> str:
        """The command line for a local port."""
        return shlex.join(
            [self.kubectl, "--kubeconfig", self.kubeconfig, "--context", self.context, "--namespace", self.namespace,
             "port-forward", "--address", "127.0.0.1", f"service/{self.service}", f"{port}:{self.service_port}"]
        )  # fmt: skip


def candidates(seed: str) -> Iterator[int]:
    """All ports, beginning at one that depends on the seed, so that each checkout keeps its own."""
    first = int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16) % len(PORTS)
    for step in range(len(PORTS)):
        yield PORTS[(first + step) % len(PORTS)]


def free_port(seed: str, is_free: Callable[[int], bool]) -> int:
    """The first candidate that is free. Raises ForwardError."""
    for port in candidates(seed):
        if is_free(port):
            return port
    raise ForwardError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free on 127.0.0.1.")


def supervisord_config(folder: Path, command: str) -> str:
    """A supervisor of this one forward; kubectl ends when a pod goes, and is started again."""
    escaped = command.replace("%", "%%")
    return (
        f"[supervisord]\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\nnodaemon=true\n"
        f"[program:forward]\ncommand={escaped}\nautorestart=true\nstartsecs=0\nstartretries=1000000\n"
        f"redirect_stderr=true\nstdout_logfile={folder}/forward.log\nstdout_logfile_maxbytes=1MB\n"
    )


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


class Forward:
    """The forward whose state lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record_path = folder / "forward.json"
        try:
            self.record = json.loads(self.record_path.read_text())
        except (OSError, ValueError):
            self.record = None

    @property
    def process(self) -> psutil.Process | None:
        """The supervisor, if it is alive and really it."""
        if self.record is None:
            return None
        return same_process(self.record["pid"], self.record["created"])

    def fits(self, route: Route) -> bool:
        """Whether the forward runs and leads where `route` does."""
        return self.process is not None and self.record["route"] == asdict(route)

    def start(self, route: Route, timeout: float) -> int:
        """Make the forward run and answer; return its port. Raises ForwardError."""
        if not self.fits(route):
            self.stop()
            self.folder.mkdir(parents=True)
            self._spawn(route, free_port(str(self.folder), is_free))
        port: int = self.record["port"]
        try:
            wait_for(f"port {port} to answer", lambda: None if answers(port) else self._last_words(), timeout)
        except WaitError as error:
            raise ForwardError(
                f"{error}. Is the Service {route.namespace}/{route.service} there with ready pods?"
            ) from None
        return port

    def _spawn(self, route: Route, port: int) -> None:
        config = self.folder / "supervisord.conf"
        config.write_text(supervisord_config(self.folder, route.command(port)))
        child = subprocess.Popen(
            [str(Path(sys.prefix) / "bin/supervisord"), "--configuration", str(config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd="/",
        )  # fmt: skip
        created = psutil.Process(child.pid).create_time()
        self.record = {"pid": child.pid, "created": created, "port": port, "route": asdict(route)}
        self.record_path.write_text(json.dumps(self.record))

    def _last_words(self) -> str:
        try:
            lines = (self.folder / "forward.log").read_text().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "kubectl has said nothing yet"

    def stop(self) -> bool:
        """End the forward and forget it; return whether there was anything."""
        there = self.folder.exists()
        if (process := self.process) is not None:
            family = [process, *process.children(recursive=True)]
            process.terminate()
            _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
            for one in alive:
                one.kill()
        if there:
            shutil.rmtree(self.folder)
        self.record = None
        return there
