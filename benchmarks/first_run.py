"""Measure what a first run takes on each way to a cluster: seconds until the event is verified, and bytes on the disk then.

first_run.py [--rounds 3] [WAY…]    docker, linux, yours, cold; without one the first three

`docker` and `yours` are a kind cluster of the checkout's own and one that was made by hand, beside a Docker daemon of their own (tests/in_docker/run.py),
`linux` is the embedded node, each from nothing with all parts in the cache; `cold` is the embedded node with an empty cache. All with MiniStack.
Writes docs/first_run.json, from which `make generate` writes README's first table. benchmarks/bundle.py notes the bundle's figures there, too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parent.parent
FIGURES = PROJECT / "docs/first_run.json"
IN_DOCKER = (sys.executable, str(PROJECT / "tests/in_docker/run.py"))
MINISTACK = {"localstack_service_engine": "ministack"}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "docker": {**MINISTACK, "cluster_mode": "kind", "apps_image_delivery": "parts"},
    "linux": {**MINISTACK, "cluster_mode": "embedded"},
    "cold": {**MINISTACK, "cluster_mode": "embedded"},
    "yours": {**MINISTACK, "cluster_allowed_contexts": ["kind-mine"], "apps_image_delivery": "parts"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", metavar="WAY", default=["docker", "linux", "yours"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        measure(arguments.ways[0], arguments.rounds)
        return 0
    for way in arguments.ways:
        inside = [sys.executable, __file__, "--inside", f"--rounds={arguments.rounds}", way]
        done = subprocess.run([*(IN_DOCKER if way in ("docker", "yours") else ()), *inside], check=False)
        if done.returncode:
            return done.returncode
    return 0


def note(way: str, seconds: Iterable[float], size: int) -> None:
    """Keep the figures of a way: seconds of each round, and bytes."""
    known: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    known[way] = {
        "seconds": [round(one, 1) for one in seconds],
        "gigabytes": round(size / 1e9, 2),
        "measured": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1024**3:.0f} GiB, {platform.machine()}",
    }
    FIGURES.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    print(f"{way}: median {statistics.median(known[way]['seconds'])} s, {known[way]['gigabytes']} GB", flush=True)


def measure(way: str, rounds: int) -> None:
    """Measure one way, where Docker answers if it needs that."""
    seconds = []
    with tempfile.TemporaryDirectory(prefix="first-run-", dir=PROJECT / ".localcloud") as folder:
        environment = {**os.environ, "LOCALCLOUD_DIR": folder, "KUBECONFIG": f"{folder}/kubeconfig"}
        if way == "cold":
            environment["XDG_CACHE_HOME"] = f"{folder}/cache"
        if way == "yours":
            environment["PATH"] = f"{part('kind', 'kind').parent}:{environment['PATH']}"
            make_cluster(environment)
        try:
            for _round in range(1 if way == "cold" else rounds):
                begin = time.monotonic()
                make("up", way, environment)
                seconds.append(time.monotonic() - begin)
                size = on_disk(Path(folder), way)
                make("down", way, environment)
        finally:
            make("down", way, environment)
    note(way, seconds, size)


def make_cluster(environment: Mapping[str, str]) -> None:
    """A kind cluster as a user makes one, of the node image that is built here."""
    image, archive = part("kind-node", "image"), part("kind-node", "image.tar")
    config = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnetworking: {disableDefaultCNI: true, kubeProxyMode: none}\n"
    config += 'kubeadmConfigPatches: ["kind: KubeletConfiguration\\nfailCgroupV1: false\\n"]\n'
    subprocess.run(["docker", "load", "--quiet", "--input", archive], check=True)
    command = ["kind", "create", "cluster", "--name=mine", f"--image={image.read_text()}", "--config=-"]
    subprocess.run(command, check=True, env=environment, input=config, text=True)


def part(name: str, file: str) -> Path:
    """A file of a part, which is built if it is missing."""
    command = [sys.executable, str(PROJECT / "scripts/part.py"), name, file]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def make(target: str, way: str, environment: Mapping[str, str]) -> None:
    """Raises SystemExit with the end of what it printed."""
    command = ["make", target, f"ARGS=-e '{json.dumps(SETTINGS[way])}'"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or (target == "up" and "Verified: event" not in done.stdout):
        sys.exit(f"{way}: `make {target}` failed\n{(done.stdout + done.stderr)[-4000:]}")


def on_disk(folder: Path, way: str) -> int:
    """Bytes of the stack, of the parts that it is made of or, where all was built, of the cache, and of Docker's data."""
    facts = json.loads((folder / ".localcloud/cluster.json").read_text())
    places = [folder]
    if way != "cold":
        places += [one["path"] for one in facts["parts"].values()]
    if way in ("docker", "yours"):
        places.append(PROJECT / ".localcloud/docker/data")
    said = subprocess.run(
        ["du", "--summarize", "--one-file-system", "--total", "--block-size=1", *places],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return int(said.splitlines()[-1].split()[0])


if __name__ == "__main__":
    sys.exit(main())
