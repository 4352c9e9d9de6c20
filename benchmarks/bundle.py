"""From a bundle's archive to a verified event in an empty home without a network, Go or registries; beside a `make up` with all in the cache.

bundle.py embedded|kind [ARCHIVE]   a kind cluster is made beside a Docker daemon of its own (tests/in_docker/run.py)

Fails unless the event is verified, a second run changes nothing, and nothing is left. Prints seconds, the load meanwhile, their ratio, and the most
that lay on the disk. Needs what an embedded node needs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from benchmarks import first_run  # noqa: E402

ENGINE = "-e localstack_service_engine=ministack"
# What `make bundle` is given, and what takes the same from the cache.
CHOSEN = {"embedded": f"{ENGINE} -e cluster_mode=embedded", "kind": f"{ENGINE} -e cluster_mode=kind"}
WARM = {**CHOSEN, "kind": f"{CHOSEN['kind']} -e apps_image_delivery=parts"}
SAMPLE_SECONDS = 3.0
# A network of its own with nothing but loopback. /sys tells of the network in which it was mounted.
ALONE = """
mkdir -p "$1/cgroup" && mount --rbind /sys/fs/cgroup "$1/cgroup" && mount -t sysfs sysfs /sys && mount --rbind "$1/cgroup" /sys/fs/cgroup
ip link set lo up
shift
exec "$@"
"""


def main(cluster: str, given: str | None = None) -> int:
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=PROJECT / ".localcloud") as temporary:
        work = Path(temporary)
        archive = work / "bundle.tar"
        if given:
            shutil.copy(given, archive)
        else:
            write_bundle(work, cluster).rename(archive)
        subprocess.run(["git", "clone", "--quiet", PROJECT, work / "checkout"], check=True)
        (work / "home").mkdir()
        with most_on_disk(work) as peak:
            script = [sys.executable, __file__, "--inside", cluster, str(work)]
            done = subprocess.run([*alone(work, cluster), *script], check=False)
        if not done.returncode:
            first_run.note(f"bundle-{cluster}", json.loads((work / "seconds.json").read_text()), peak[0])
        print(
            f"{cluster}: archive {archive.stat().st_size / 1e9:.2f} GB, at most {peak[0] / 1e9:.2f} GB on the disk, archive and checkout included"
        )
    return done.returncode


def alone(work: Path, cluster: str) -> list[str]:
    """By which a command runs without a way to any registry."""
    if cluster == "kind":
        return [sys.executable, str(PROJECT / "tests/in_docker/run.py")]
    return ["unshare", "--net", "--mount", "--", "sh", "-ec", ALONE, "sh", str(work)]


def write_bundle(work: Path, cluster: str) -> Path:
    """A bundle of the pipeline with MiniStack; of the embedded node after a run that keeps what nodes begin with."""
    state = {**os.environ, "LOCALCLOUD_DIR": str(work / "before")}
    (work / "before").mkdir()
    for target in ("up", "down") if cluster == "embedded" else ():
        subprocess.run(["make", target, f"ARGS={CHOSEN[cluster]}"], cwd=PROJECT, check=True, env=state)
    subprocess.run(["make", "bundle", f"DIR={work / 'made'}", f"ARGS={CHOSEN[cluster]}"], cwd=PROJECT, check=True)
    (archive,) = (work / "made").glob("*.tar")
    return archive


def bare(work: Path) -> dict[str, str]:
    """The environment of a machine on which nothing was installed but Docker, where it is to be: no Go, no proxies, no mirrors."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    if docker := os.environ.get("DOCKER_PARTS"):
        path = f"{docker}:{path}"
    return {"HOME": str(work / "home"), "PATH": path, "LANG": "C.UTF-8"}


@contextmanager
def most_on_disk(folder: Path) -> Iterator[list[int]]:
    """The most bytes that lay in a folder meanwhile, each file once."""
    peak, end = [0], threading.Event()

    def sample() -> None:
        while not end.wait(SAMPLE_SECONDS):
            said = subprocess.run(
                ["nice", "du", "--summarize", "--one-file-system", "--block-size=1", folder],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            # Nothing is said where a file went meanwhile.
            peak[0] = max([peak[0], *map(int, said.split()[:1])])

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        end.set()
        thread.join()


def inside(cluster: str, work: Path) -> int:
    """What is done without a network."""
    seconds = {}
    try:
        for name, arguments, expected in (
            ("from the bundle", ["up", f"BUNDLE={work / 'bundle.tar'}"], r"Verified: event"),
            ("again", ["up", f"BUNDLE={work / 'bundle.tar'}"], r"changed=0 "),
            ("down", ["down"], r"failed=0 "),
            ("warm", ["up", f"ARGS={WARM[cluster]}"], r"Verified: event"),
        ):
            seconds[name] = run(work, name, arguments, expected)
    finally:
        run(work, "down at the end", ["down"], r"failed=0 ")
    (work / "seconds.json").write_text(json.dumps([seconds["from the bundle"]]))
    print(f"{cluster}: ratio {seconds['from the bundle'] / seconds['warm']:.2f}", flush=True)
    return 0


def run(work: Path, name: str, arguments: list[str], expected: str) -> float:
    """Seconds of a make in the checkout, which must print this. Raises SystemExit with the end of what it printed."""
    begin = time.monotonic()
    command = ["make", *arguments]
    done = subprocess.run(command, cwd=work / "checkout", capture_output=True, text=True, check=False, env=bare(work))
    seconds = time.monotonic() - begin
    if done.returncode or not re.search(expected, done.stdout):
        sys.exit(f"{name}: failed after {seconds:.0f} s\n{(done.stdout + done.stderr)[-4000:]}")
    print(f"{name}: {seconds:.1f} s at a load of {os.getloadavg()[0]:.0f}", flush=True)
    return seconds


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(inside(sys.argv[2], Path(sys.argv[3])))
    sys.exit(main(*sys.argv[1:]))
