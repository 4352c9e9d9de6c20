"""Write down what a stack could leave behind on this machine, or compare with what was written down.

host_state.py FILE              write
host_state.py --compare FILE    exit with 1 and name what is there now and was not then

FILE lies in the stack's folder. What belongs to a stack of another folder may come and go meanwhile and does not count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
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


def of_another_stack(pid: str, own: Path) -> bool:
    """Whether it or an ancestor is the first process of a node, a supervisor or a kubectl of another folder."""
    while pid not in ("0", "1", ""):
        command = command_of(pid)
        # kubectl: somebody works on that stack just now.
        if ".localcloud/" in command and (
            "init.sh" in command
            or re.search(r"[.]localcloud/(forward|emulator)/|/kubectl .*[.]localcloud/kubeconfig", command)
        ):
            return f"{own}/.localcloud/" not in command
        try:
            pid = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return False
    return False


def processes(own: Path) -> Iterable[str]:
    """Processes that look like ours, with their number, so that a new one of the same name counts."""
    for folder in Path("/proc").glob("[0-9]*"):
        command = command_of(folder.name)
        program = command.split(" ", 1)[0]
        ours = any(sign in Path(program).name for sign in SIGNS) or "/bin/supervisord" in command
        if ours and not of_another_stack(folder.name, own):
            yield f"{folder.name} {command[:150]}"


def state(own: Path) -> dict[str, list[str]]:
    """Everything of the host that a node touches, by what it is, without what other folders' nodes have."""
    key = hashlib.sha256(str(own).encode()).hexdigest()[:8]
    other = re.compile(rf"(?:lc|localcloud)-(?!{key})[0-9a-f]{{8}}")
    found = {
        "processes": sorted(processes(own)),
        "mounts": sorted(line.split(" - ")[0].split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "routes": sorted(output("ip", "route", "show", "table", "all")),
        "firewall": output("nft", "list", "ruleset"),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("**/*localcloud*")),
        "namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "folders": sorted(
            path for path in ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd", "/var/log/pods", "/var/lib/cni", "/run/localcloud")
            if Path(path).exists()
        ),
    }  # fmt: skip
    return {name: [line for line in lines if not other.search(line)] for name, lines in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    now = state(arguments.file.resolve().parent)
    if not arguments.compare:
        arguments.file.write_text(json.dumps(now, indent=2))
        return 0
    then = json.loads(arguments.file.read_text())
    left = {name: sorted(set(lines) - set(then[name])) for name, lines in now.items()}
    left = {name: lines for name, lines in left.items() if lines}
    if left:
        print(json.dumps(left, indent=2))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
