"""Delete the cache of built parts, with the compilers' caches and downloads, unless something uses it.

clean_cache.py [--downloads]       --downloads: the caches and downloads alone; what is built stays, and may be in use
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import downloads
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

INIT = "/.localcloud/node/state/config/init.sh"


def node_of(process: psutil.Process) -> str:
    """Whose program it is: the folder of the node's checkout, if it is known."""
    for parent in process.parents():
        for word in parent.cmdline():
            if word.endswith(INIT):
                return f"the node of {word.removesuffix(INIT)}"
    return f"process {process.pid}"


def runs_from(process: psutil.Process, root: Path) -> bool:
    """Whether its program lies in the cache, as those of nodes do."""
    return Path(process.exe()).is_relative_to(root)


def goes_on_with(process: psutil.Process, root: Path) -> bool:
    """Whether it is a run of ours with this cache, which goes on with what it has found there: its state folder says so."""
    if not any(word.endswith("ansible-playbook") for word in process.cmdline()[:2]):
        return False
    environment = process.environ()
    if default_root(environment).resolve() != root:
        return False
    folder = Path(process.cwd(), environment.get("LOCALCLOUD_DIR") or "", ".localcloud")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((folder / "run.json").read_text())["pid"] == process.pid)
    return False


def users(root: Path, processes: Iterable[psutil.Process]) -> list[str]:
    """What uses the cache without building: nodes whose programs lie in it, and runs."""
    found: dict[str, None] = {}
    for process in processes:
        # It has ended, or is another user's, whose cache is another one.
        with contextlib.suppress(psutil.Error, OSError):
            if runs_from(process, root):
                found[node_of(process)] = None
            elif goes_on_with(process, root):
                found[f"a run in {process.cwd()}"] = None
    return list(found)


def refusal(root: Path, why: str, what_to_do: str) -> int:
    print(f"{root} is in use, and nothing was deleted: {why}. {what_to_do}, then run again.")
    return 1


def main(words: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--downloads", action="store_true", help="compilers' caches and downloads alone; what is built stays"
    )
    arguments = parser.parse_args(words)
    root = default_root()
    if not root.exists():
        print(f"{root} is not there.")
        return 0
    cache = Cache(root)
    if building := cache.building():
        return refusal(root, f"a run builds {', '.join(building)}", "Wait for its end, or stop it")
    if arguments.downloads:
        freed = downloads.give_up(cache, downloads.ALL)
        if freed is None:
            return refusal(root, "a run has just begun to build", "Wait for its end, or stop it")
        print(
            f"{freed / 1024**3:.1f} GiB of downloads and compilers' caches in {root} are deleted. What is built is kept; a changed part takes longer."
        )
        return 0
    if using := users(root.resolve(), psutil.process_iter()):
        return refusal(
            root,
            f"programs of it run in {', '.join(using)}",
            "End runs, and take nodes down by `make down` in their checkouts",
        )
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_symlink())
    if not cache.clear():
        return refusal(root, "a run has just begun to build", "Wait for its end, or stop it")
    print(f"{root} is empty now: {size / 1024**3:.1f} GiB are deleted.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
