"""From a bundle's archive to a verified event in an empty home without a network, Go or registries; beside a `make up` with all in the cache.

Fails unless the event is verified, a second run changes nothing, and nothing is left. Prints seconds, the load meanwhile, their ratio, and the most
that lay on the disk. Needs what an embedded node needs.
"""

from __future__ import annotations

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
ENGINE = "-e localstack_service_engine=ministack -e cluster_mode=embedded"
SAMPLE_SECONDS = 3.0
# A network of its own with nothing but loopback. /sys tells of the network in which it was mounted.
ALONE = """
mkdir -p "$1/cgroup" && mount --rbind /sys/fs/cgroup "$1/cgroup" && mount -t sysfs sysfs /sys && mount --rbind "$1/cgroup" /sys/fs/cgroup
ip link set lo up
shift
exec "$@"
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=PROJECT / ".localcloud") as temporary:
        work = Path(temporary)
        archive = work / "bundle.tar"
        if len(sys.argv) > 1:
            shutil.copy(sys.argv[1], archive)
        else:
            write_bundle(work).rename(archive)
        subprocess.run(["git", "clone", "--quiet", PROJECT, work / "checkout"], check=True)
        (work / "home").mkdir()
        with most_on_disk(work) as peak:
            script = [sys.executable, __file__, "--inside", str(work)]
            done = subprocess.run(
                ["unshare", "--net", "--mount", "--", "sh", "-ec", ALONE, "sh", str(work), *script],
                check=False,
                env=bare(work),
            )
        print(
            f"archive {archive.stat().st_size / 1e9:.2f} GB, at most {peak[0] / 1e9:.2f} GB on the disk, archive and checkout included"
        )
    return done.returncode


def write_bundle(work: Path) -> Path:
    """A bundle of the pipeline with MiniStack, after a run that keeps what its nodes begin with."""
    state = {**os.environ, "LOCALCLOUD_DIR": str(work / "before")}
    (work / "before").mkdir()
    for target in ("up", "down"):
        subprocess.run(["make", target, f"ARGS={ENGINE}"], cwd=PROJECT, check=True, env=state)
    subprocess.run(["make", "bundle", f"DIR={work / 'made'}", f"ARGS={ENGINE}"], cwd=PROJECT, check=True)
    (archive,) = (work / "made").glob("*.tar")
    return archive


def bare(work: Path) -> dict[str, str]:
    """The environment of a machine on which nothing was installed: no Go, no proxies, no mirrors."""
    return {"HOME": str(work / "home"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


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


def inside(work: Path) -> int:
    """What is done without a network."""
    seconds = {}
    try:
        for name, arguments, expected in (
            ("from the bundle", ["up", f"BUNDLE={work / 'bundle.tar'}"], r"Verified: event"),
            ("again", ["up", f"BUNDLE={work / 'bundle.tar'}"], r"changed=0 "),
            ("down", ["down"], r"failed=0 "),
            ("warm", ["up", f"ARGS={ENGINE}"], r"Verified: event"),
        ):
            seconds[name] = run(work, name, arguments, expected)
    finally:
        run(work, "down at the end", ["down"], r"failed=0 ")
    print(f"ratio: {seconds['from the bundle'] / seconds['warm']:.2f}", flush=True)
    return 0


def run(work: Path, name: str, arguments: list[str], expected: str) -> float:
    """Seconds of a make in the checkout, which must print this. Raises SystemExit with the end of what it printed."""
    begin = time.monotonic()
    done = subprocess.run(["make", *arguments], cwd=work / "checkout", capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode or not re.search(expected, done.stdout):
        sys.exit(f"{name}: failed after {seconds:.0f} s\n{(done.stdout + done.stderr)[-4000:]}")
    print(f"{name}: {seconds:.1f} s at a load of {os.getloadavg()[0]:.0f}", flush=True)
    return seconds


if __name__ == "__main__":
    sys.exit(inside(Path(sys.argv[2])) if sys.argv[1:2] == ["--inside"] else main())
