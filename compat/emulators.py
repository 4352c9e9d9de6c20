"""Engines as processes of this machine, on loopback: the images that the embedded node runs, unpacked, in namespaces of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.engine import Wanted
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import health_facts
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import ENGINES
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory, Result
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / ".localcloud/compat"
REGION = "eu-central-1"
START_SECONDS = 120
STOP_SECONDS = 20
# The network stays this machine's, so that the engine is reached on loopback; everything else is the image's.
ENTER = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i "$@"'


class EngineError(Exception):
    """An engine could not be started; the message names its log."""


class Engine(NamedTuple):
    """An engine that answers: its name and version as it says them, and its address."""

    name: str
    version: str
    endpoint: str


def settings(engine: str, port: int) -> dict[str, str]:
    """An engine's environment variables: those of its pod, but for those about the cluster, and this machine's."""
    container = ENGINES[engine].container
    assert container is not None, f"{engine} has no pod"
    address = f"127.0.0.1:{port}"
    in_pod = container.environment(Wanted(container.part_version, REGION, (), address, persistent=False))
    own = {
        "localstack": {"GATEWAY_LISTEN": address, "EAGER_SERVICE_LOADING": "0"},
        "ministack": {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"},
    }
    return {**in_pod, "AWS_DEFAULT_REGION": REGION, **own[engine]}


@contextlib.contextmanager
def running(engine: str) -> Iterator[Engine]:
    """Run an engine from its part until the block ends. Raises EngineError, BuildError, PartsError."""
    root, image = _unpacked(engine)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {**dict(one.split("=", 1) for one in image["Env"]), **settings(engine, port)}
    enter = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
    given = [f"{name}={value}" for name, value in variables.items()]
    log = FOLDER / f"{engine}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*enter, "sh", "-c", ENTER, str(root), *given, *image["Entrypoint"]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield _answering(f"http://127.0.0.1:{port}", process, log)
    finally:
        # unshare passes no signal on: its end is that of everything in the namespace.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def _answering(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> Engine:
    """Wait until an engine's health page answers."""
    deadline = time.monotonic() + START_SECONDS
    last = "no answer yet"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(AwsError):
            facts = health_facts(endpoint)
            if facts["engine"] != "unknown":
                return Engine(facts["engine"], facts["version"], endpoint)
            last = f"its health page says {facts}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
    ended = "it runs" if process.poll() is None else f"it ended with {process.returncode}"
    raise EngineError(f"{endpoint} was not there within {START_SECONDS} s ({ended}; {last}). See {log}.")


def _unpacked(engine: str) -> tuple[Path, dict[str, Any]]:
    """The root file system of an engine's image, unpacked once, and the image's settings."""
    part = _part(engine)
    target = FOLDER / part.path.name
    with tarfile.open(part.path / "image.tar") as image:
        (manifest,) = json.load(_member(image, "manifest.json"))
        config = json.load(_member(image, manifest["Config"]))["config"]
        if not target.is_dir():
            for old in FOLDER.glob(f"{engine}-*"):
                shutil.rmtree(old)
            unfinished = FOLDER / f"unfinished-{engine}"
            shutil.rmtree(unfinished, ignore_errors=True)
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=_member(image, layer)) as files:
                    files.extractall(unfinished, filter="tar")
            unfinished.rename(target)
    return target, config


def _member(archive: tarfile.TarFile, name: str) -> Any:
    return archive.extractfile(name)


def _part(name: str) -> Result:
    return Builder(Inventory.read(PROJECT), Cache(default_root()), print).require([name])[name]
