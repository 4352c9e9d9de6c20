"""An unchanged site.yml on the newest ansible-core beside the oldest one that is supported, turn by turn, on this checkout's running stack.

Prints the seconds of each run and the ratio of the medians; the first turn of each is left out, as Python compiles what it imports. ARGS of
`make up` by which the stack was made go behind the number of turns: `python benchmarks/ansible_core.py 5 -e localstack_service_engine=ministack`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
from tests.collection.conftest import kept_environments, newest_environment, oldest_environment  # noqa: E402


def unchanged(bin_folder: Path, arguments: list[str]) -> float:
    """Seconds of a run, in which nothing may change. Raises SystemExit."""
    begin = time.monotonic()
    done = subprocess.run(
        [bin_folder / "ansible-playbook", "site.yml", *arguments],
        cwd=PROJECT,
        env={
            **os.environ,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": sysconfig.get_path("purelib"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0 or " changed=0 " not in done.stdout:
        raise SystemExit(f"{bin_folder}: not an unchanged run.\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return seconds


def main(turns: int, *arguments: str) -> None:
    cache = kept_environments()
    folders = {"oldest": oldest_environment(cache), "newest": newest_environment(cache)}
    seconds: dict[str, list[float]] = {name: [] for name in folders}
    for turn in range(turns + 1):
        for name, folder in folders.items():
            took = unchanged(folder, list(arguments))
            if turn:
                seconds[name].append(took)
    for name, folder in folders.items():
        version = subprocess.run([folder / "ansible", "--version"], capture_output=True, text=True, check=True).stdout
        runs = ", ".join(f"{one:.1f}" for one in seconds[name])
        print(f"{name}: {version.splitlines()[0]}: {runs} s, median {statistics.median(seconds[name]):.1f}")
    ratio = statistics.median(seconds["newest"]) / statistics.median(seconds["oldest"])
    print(f"newest / oldest: {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, *sys.argv[2:])
