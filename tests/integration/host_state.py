"""Write down what a stack could leave behind on this machine, or compare with what was written down.

host_state.py FILE              write
host_state.py --compare FILE    exit with 1 and name what is there now and was not then

FILE lies in the stack's folder. What belongs to a stack of another folder may come and go meanwhile and does not count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

# What shows that a process, wherever it runs, is of a node or a stack.
SIGNS = (
    "containerd",
    "kube",
    "etcd",
    "coredns",
    "crossplane",
    "supervisord",
    "docker-registry",
    "localcloud",
    "ministack",
)

# How long something may look left before it is: so long another job of `make test` may have a mount or a process that does not name its folder.
SETTLING_SECONDS = 90


def output(*command: str) -> list[str]:
    """Lines of what a command prints; none where the command is missing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except FileNotFoundError:
        return []


def command_of(pid: str) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        return (Path("/proc") / pid / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def environment_of(pid: str) -> dict[str, str]:
    """The environment that a process was started with; empty when it is gone."""
    try:
        entries = (Path("/proc") / pid / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def namespace_of(pid: str, kind: str = "pid") -> str | None:
    """A namespace of a process; None when the process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def of_another_folder(pid: str, own: Path) -> bool:
    """Whether a process itself names another folder: as that stack's, or as a first process that works for it."""
    folder = environment_of(pid).get("LOCALCLOUD_DIR")
    if folder:
        return Path(folder).resolve() != own
    command = command_of(pid)
    # kubectl: somebody works on that stack just now.
    works = "init.sh" in command or re.search(
        r"[.]localcloud/(forward[^/]*|emulator)/|/kubectl .*[.]localcloud/kubeconfig", command
    )
    return bool(works) and ".localcloud/" in command and f"{own}/.localcloud/" not in command


def ancestry(pid: str) -> Iterable[str]:
    """A process and those above it, without the machine's first one."""
    while pid not in ("0", "1", ""):
        yield pid
        try:
            pid = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return


def processes(own: Path) -> Iterable[str]:
    """Processes that look like ours, with their number, so that a new one of the same name counts."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid, command = folder.name, command_of(folder.name)
        program = command.split(" ", 1)[0]
        if (
            any(sign in Path(program).name for sign in SIGNS)
            or "/bin/supervisord" in command
            or "supervisor.supervisord" in command
        ):
            found[pid] = (namespace_of(pid), command)
    # Looked for after the processes: whatever of another node was seen, its first process was there before.
    others = {
        namespace_of(folder.name, "pid_for_children")
        for folder in Path("/proc").glob("[0-9]*")
        if "unshare" in command_of(folder.name) and of_another_folder(folder.name, own)
    }
    for pid, (namespace, command) in found.items():
        another = namespace in others or any(of_another_folder(above, own) for above in ancestry(pid))
        # One that has ended meanwhile is not left.
        if not another and command_of(pid) == command:
            yield f"{pid} {command[:150]}"


def cgroups() -> Iterable[str]:
    """Control groups of nodes; os.walk passes over those that another node removes just now."""
    for folder, names, _files in os.walk("/sys/fs/cgroup"):
        yield from (f"{folder}/{name}" for name in names if "localcloud" in name)


def firewall() -> Iterable[str]:
    """Lines of nft's rules, each with its table, which says whose it is."""
    table = ""
    for line in output("nft", "list", "ruleset"):
        table = line.rstrip(" {") if line.startswith("table ") else table
        # What a rule has counted goes on, whoever made it.
        yield f"{table}: {re.sub(r'counter packets [0-9]+ bytes [0-9]+', 'counter', line.strip())}"


def state(own: Path) -> dict[str, list[str]]:
    """Everything of the host that a node touches, by what it is, without what other folders' nodes have."""
    key = hashlib.sha256(str(own).encode()).hexdigest()[:8]
    other = re.compile(rf"(?:lc|localcloud)-(?!{key})[0-9a-f]{{8}}")
    found = {
        "processes": sorted(processes(own)),
        # `ip netns` makes a mount of its folder when it is first used, and leaves it; nodes don't use it.
        "mounts": sorted(
            line.split(" - ")[0].split(" ", 3)[3]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if " /run/netns " not in line
        ),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "routes": sorted(output("ip", "route", "show", "table", "all")),
        "firewall": list(firewall()),
        "cgroups": sorted(cgroups()),
        "namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "folders": sorted(
            path for path in ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd", "/var/log/pods", "/var/lib/cni", "/run/localcloud")
            if Path(path).exists()
        ),
    }  # fmt: skip
    return {name: [line for line in lines if not other.search(line)] for name, lines in found.items()}


def new_since(then: dict[str, list[str]], own: Path) -> dict[str, list[str]]:
    """What is there now and was not then, by what it is."""
    now = state(own)
    new = {name: sorted(set(lines) - set(then[name])) for name, lines in now.items()}
    return {name: lines for name, lines in new.items() if lines}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    own = arguments.file.resolve().parent
    if not arguments.compare:
        arguments.file.write_text(json.dumps(state(own), indent=2))
        return 0
    then = json.loads(arguments.file.read_text())
    left = new_since(then, own)
    # What another stack has begun or ends shows up for a while, in pieces; what is left stays.
    deadline = time.monotonic() + SETTLING_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = new_since(then, own)
    if left:
        print(json.dumps(left, indent=2))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
