# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A program of this machine that listens on a port, under supervisord: it outlives the playbook, and its own end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import without_redirection
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable
from ansible_collections.localcloud.stack.plugins.module_utils.common.processes import same_process
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError, wait_for

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil

PORTS = range(20000, 30000)
STOP_SECONDS = 15
# Stands for the port in a program's arguments and environment.
PORT = "{port}"
# The variable that holds the program's command line.
COMMAND = "LOCALCLOUD_COMMAND"


class SupervisedError(ModuleError):
    """The program does not run; the message names the cause and the next step."""


@dataclass(frozen=True)
class Program:
    """What runs and where it listens: everything that makes it another one when it changes.

    C(port): None for one that is found. C(hint): what to look at when it does not answer.
    """

    argv: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    port: int | None = None
    hint: str = ""


def candidates(seed: str) -> Iterator[int]:
    """All ports, beginning at one that depends on the seed, so that each checkout keeps its own."""
    first = int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16) % len(PORTS)
    for step in range(len(PORTS)):
        yield PORTS[(first + step) % len(PORTS)]


def choose_port(program: Program, seed: str, is_free: Callable[[int], bool]) -> int:
    """The program's port, or the first candidate that is free. Raises SupervisedError."""
    if program.port is not None:
        if not is_free(program.port):
            raise SupervisedError(
                f"Port {program.port} of {program.address} is taken by {holder(program.port)}. End that, or choose another port."
            )
        return program.port
    for port in candidates(seed):
        if is_free(port):
            return port
    raise SupervisedError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free on {program.address}.")


def holder(port: int) -> str:
    """Who listens on a port of this machine, as far as one may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another process"


def supervisord_config() -> str:
    """A supervisor of the one program of its environment (see supervisor_environment), started again when it ends.

    Neither the folder nor the program is in here: supervisord would take a part of many texts for a comment or a format.
    """
    return (
        "[supervisord]\nlogfile=supervisord.log\npidfile=supervisord.pid\nnodaemon=true\n"
        f"[program:program]\ncommand=%(ENV_{COMMAND})s\ndirectory=/\nautorestart=true\nstartsecs=0\nstartretries=1000000\n"
        "redirect_stderr=true\nstdout_logfile=program.log\nstdout_logfile_maxbytes=1MB\n"
    )


def supervisor_environment(program: Program, port: int, environ: Mapping[str, str]) -> dict[str, str]:
    """What the supervisor, and the program by it, has in its environment: this machine's, without what leads clients astray."""
    own = {name: value.replace(PORT, str(port)) for name, value in program.environment.items()}
    command = shlex.join(argument.replace(PORT, str(port)) for argument in program.argv)
    return {**without_redirection(environ), **own, COMMAND: command}


def is_free(address: str, port: int) -> bool:
    """Whether nothing listens on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def answers(address: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


class Supervised:
    """The program whose state lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record_path = folder / "program.json"
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

    def fits(self, program: Program) -> bool:
        """Whether exactly this program runs."""
        return self.process is not None and self.record["program"] == asdict(program)

    def check(self, program: Program) -> None:
        """Raise SupervisedError if another process has the program's port."""
        if program.port is None or (self.process is not None and self.record["port"] == program.port):
            return
        choose_port(program, "", lambda port: is_free(program.address, port))

    def start(self, program: Program, timeout: float) -> int:
        """Make the program run and answer; return its port. Raises SupervisedError."""
        if not self.fits(program):
            self.stop()
            port = choose_port(program, str(self.folder), lambda port: is_free(program.address, port))
            self.folder.mkdir(parents=True)
            self._spawn(program, port)
        port = self.record["port"]
        try:
            wait_for(
                f"port {port} to answer",
                lambda: None if answers(program.address, port) else self._last_words(),
                timeout,
            )
        except WaitError as error:
            raise SupervisedError(f"{error}. {program.hint}") from None
        return int(port)

    def _spawn(self, program: Program, port: int) -> None:
        config = self.folder / "supervisord.conf"
        config.write_text(supervisord_config())
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd=self.folder, env=supervisor_environment(program, port, os.environ),
        )  # fmt: skip
        created = psutil.Process(child.pid).create_time()
        self.record = {"pid": child.pid, "created": created, "port": port, "program": asdict(program)}
        # It holds the program's environment.
        self.record_path.touch(mode=0o600)
        self.record_path.write_text(json.dumps(self.record))

    def _last_words(self) -> str:
        try:
            lines = (self.folder / "program.log").read_text().splitlines()
        except OSError:
            lines = []
        return printable(lines[-1]) if lines else "the program has said nothing yet"

    def stop(self) -> bool:
        """End the program and forget it; return whether there was anything."""
        there = self.folder.exists()
        if (process := self.process) is not None:
            family = [process, *process.children(recursive=True)]
            process.terminate()
            alive = psutil.wait_procs(family, timeout=STOP_SECONDS)[1]
            for one in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        if there:
            shutil.rmtree(self.folder)
        self.record = None
        return there
