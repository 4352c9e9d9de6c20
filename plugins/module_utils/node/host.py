# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's side of the embedded node: namespaces, the cable and who may use it, cgroups. All commands that change the host are here."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import for_machine
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from .identity import OWN_CGROUPS, Identity

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil

# Files of pods and programs are read by other users than the one that makes them.
UMASK = 0o022
CGROUPS = Path("/sys/fs/cgroup")
# There where systemd runs the machine (sd_booted(3)).
SYSTEMD = Path("/run/systemd/system")
# Of a machine with cgroup v1.
OLD_CGROUPS = (
    "This machine has cgroup v1, which Kubernetes has deprecated since 1.35 and takes out of a later release than 1.37 "
    "(https://github.com/kubernetes/enhancements/issues/5573). Change it to cgroup v2 until then, by an image or kernel setting "
    "(systemd.unified_cgroup_hierarchy=1) that has it."
)


class NodeError(ModuleError):
    """The node can't be made or used; the message names the cause and the next step."""


def run(*command: str | Path, timeout: float = 300) -> str:
    """Run a command and return what it prints. Raises NodeError with its error output."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            words,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env=for_machine(os.environ),
            umask=UMASK,
        )
    except FileNotFoundError:
        raise NodeError(f"The command '{words[0]}' is not there. Install its Debian package, then run again.") from None
    except subprocess.TimeoutExpired:
        raise NodeError(f"`{' '.join(words[:6])} …` did not end within {timeout:.0f} s.") from None
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise NodeError(f"`{' '.join(words[:6])} …` failed with exit code {done.returncode}:\n{tail}")
    return done.stdout


def taken_networks() -> list[str]:
    """Networks and addresses (CIDR) that the host's own interfaces and routes use."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all") or "[]")
    return [route["dst"] for route in routes if route["dst"] != "default"]


def interface_exists(name: str) -> bool:
    return (Path("/sys/class/net") / name).exists()


def start_namespaces(identity: Identity, state: Path) -> psutil.Process:
    """Start the node's first process in namespaces of its own and plug the cable in; return the process on the host.

    Its end ends everything within. It survives the playbook, having a session of its own.
    """
    plugged = state / "plugged"
    plugged.unlink(missing_ok=True)
    os.mkfifo(plugged)
    log_path = state / "log/init.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    own = os.stat("/proc/self/ns/net").st_ino
    with open(log_path, "w") as log:
        child = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
             "--propagation", "private", "--", "sh", str(state / "config/init.sh"), str(state), str(plugged)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd="/",
            env=for_machine(os.environ, near=(identity.node_address, identity.host_address, ".svc", ".cluster.local")),
        )  # fmt: skip
    namespace = Path(f"/proc/{child.pid}/ns/net")

    def separate() -> str | None:
        if child.poll() is not None:
            raise NodeError(f"Namespaces can't be made here:\n{log_path.read_text().strip()}")
        return None if namespace.stat().st_ino != own else "still in the host's network"

    wait_for("a network namespace of the node's own", separate, timeout=10, interval=0.01)
    peer = ["peer", "name", "eth0", "netns", str(child.pid)]
    run("ip", "link", "add", identity.interface, "type", "veth", *peer)
    run("ip", "address", "add", f"{identity.host_address}/30", "dev", identity.interface)
    run("ip", "link", "set", identity.interface, "up")
    with open(plugged, "w") as fifo:
        fifo.write("plugged\n")
    plugged.unlink()
    return psutil.Process(child.pid)


def hangs(url: str, seconds: float) -> bool:
    """Whether a program accepts a connection at this address and sends nothing for so long. Any answer counts as one."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=seconds):
            return False
    except TimeoutError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, TimeoutError)
    except OSError:
        return False


def guard_rules(identity: Identity, access: str, users: Iterable[int]) -> str:
    """nft's rules on the host for who reaches the node's address, where nothing asks who calls: replaces what is there.

    C(access): V(user) these users alone, V(host) every user of the machine, V(network) also what the machine forwards.
    Answers to connections that the node's pods opened always pass.
    """
    allowed = ", ".join(str(user) for user in sorted(set(users)))
    new = f'oifname "{identity.interface}" ct state new'
    chains = {
        "output": [f"{new} meta skuid != {{ {allowed} }} reject"] if access == "user" else [],
        "forward": [f'{new} iifname != "{identity.interface}" reject'] if access != "network" else [],
    }
    text = "".join(
        f"    chain {name} {{\n        type filter hook {name} priority filter; policy accept;\n"
        + "".join(f"        {rule}\n" for rule in rules)
        + "    }\n"
        for name, rules in chains.items()
    )
    # The first line makes the table for the second one, which fails where there is none.
    return f"table inet {identity.name}\ndelete table inet {identity.name}\ntable inet {identity.name} {{\n{text}}}\n"


def callers(environment: Mapping[str, str], user: int) -> set[int]:
    """Root, this user, and the one that became it by sudo."""
    return {0, user, int(environment.get("SUDO_UID") or user)}


def guard(rules: str, folder: Path) -> None:
    """Load nft's rules."""
    path = folder / "guard.nft"
    path.write_text(rules)
    run("nft", "--file", path)


def is_guarded(identity: Identity) -> bool:
    """Whether the host has the node's table; not where there is no nft."""
    with contextlib.suppress(NodeError):
        run("nft", "list", "table", "inet", identity.name)
        return True
    return False


def remove_guard(identity: Identity) -> None:
    if is_guarded(identity):
        run("nft", "delete", "table", "inet", identity.name)


def kill_namespaces(process: psutil.Process) -> None:
    """End the node's first process, and with it all its processes and mounts; wait until they are gone."""
    everything = [process, *process.children(recursive=True)]
    process.kill()
    alive = psutil.wait_procs(everything, timeout=30)[1]
    if alive:
        raise NodeError(f"Processes of the node outlive it: {', '.join(str(one.pid) for one in alive)}.")


def remove_interface(identity: Identity) -> None:
    """Unplug the cable. Dying sockets can keep the node's network alive for a minute after its last process."""
    if interface_exists(identity.interface):
        run("ip", "link", "delete", identity.interface)


def hierarchies() -> Iterator[Path]:
    """The cgroup hierarchies in which the kubelet keeps pods: one on v2, one for each controller on v1."""
    if (CGROUPS / "cgroup.controllers").exists():
        yield CGROUPS
        return
    if not CGROUPS.is_dir():
        return
    yield from (path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink())


def has_cgroups() -> bool:
    """Whether cgroups can be made here at all."""
    found = list(hierarchies())
    return bool(found) and all(os.access(one, os.W_OK) for one in found)


def old_cgroups() -> str | None:
    """What is to be known of a machine with cgroup v1; None with v2."""
    return None if (CGROUPS / "cgroup.controllers").exists() else OLD_CGROUPS


def _controllers(path: Path) -> set[str]:
    """What a file of cgroup v2 lists; nothing on v1, which has none."""
    return set(path.read_text().split()) if path.exists() else set()


def missing_controllers() -> list[str]:
    """The controllers of cgroup v2 that the host does not hand to groups below its root."""
    return sorted(_controllers(CGROUPS / "cgroup.controllers") - _controllers(CGROUPS / "cgroup.subtree_control"))


def make_cgroups(identity: Identity) -> None:
    """Make the node's cgroup in every hierarchy; the kubelet asks that it exist. Raises NodeError."""
    try:
        if not CGROUPS.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is none", str(CGROUPS))
        for hierarchy in hierarchies():
            (hierarchy / identity.name).mkdir(exist_ok=True)
            if controllers := _controllers(hierarchy / "cgroup.controllers"):
                wanted = " ".join(f"+{name}" for name in sorted(controllers))
                for group in (hierarchy, hierarchy / identity.name):
                    (group / "cgroup.subtree_control").write_text(wanted)
        cpuset = CGROUPS / "cpuset" / identity.name
        if cpuset.is_dir():
            for name in ("cpuset.cpus", "cpuset.mems"):
                (cpuset / name).write_text((CGROUPS / "cpuset" / name).read_text())
        _weigh(identity)
    except OSError as error:
        why = (
            "this container's cgroup has processes itself, so it hands no controllers to groups below it"
            if error.errno == errno.EBUSY
            else "likely this is a container whose /sys/fs/cgroup is read-only or missing"
        )
        raise NodeError(
            f"The node needs cgroups of its own, and they can't be made below {CGROUPS} ({error.strerror}: {error.filename}): {why}. {OWN_CGROUPS}, "
            "run this on the machine itself, or use a cluster of yours (cluster_allowed_contexts)."
        ) from None


def _weigh(identity: Identity) -> None:
    """Give the node's pods the weight per CPU that the kubelet gives them on a machine of their own.

    Without systemd, whose slices share the CPU time, each session of the host has as much as one group (autogroup, sched(7)): a node of the
    default weight starves next to ten busy ones until the API server fails its liveness probe.
    """
    if SYSTEMD.exists():
        return
    cpus = os.cpu_count() or 1
    for file, weight in (("cpu/{}/cpu.shares", 1024 * cpus), ("{}/cpu.weight", min(100 * cpus, 10_000))):
        path = CGROUPS / file.format(identity.name)
        if path.exists():
            path.write_text(str(weight))


def restore_controllers(names: Iterable[str]) -> None:
    """Hand these controllers to no groups below the root any more, as before the node, unless others use them meanwhile."""
    for name in names:
        # The kernel refuses one that a group below hands on, as another node's does.
        with contextlib.suppress(OSError):
            (CGROUPS / "cgroup.subtree_control").write_text(f"-{name}")


def remove_cgroups(identity: Identity) -> None:
    """Remove the node's cgroups, from the leaves up, as soon as the kernel has let go of their last processes."""
    for hierarchy in hierarchies():
        root = hierarchy / identity.name

        def gone(root: Path = root) -> str | None:
            for folder in os.walk(root, topdown=False):
                try:
                    os.rmdir(folder[0])
                except FileNotFoundError:
                    continue
                except OSError as error:
                    return f"{folder}: {error.strerror}"
            return None

        wait_for(f"the kernel to release {root}", gone, timeout=20)


def kinds_files(server: str) -> Iterator[Path]:
    """Where the modules of the collection kubernetes.core may keep what kinds a server has; see its client/discovery.py."""
    # Root's number, 0, is none there.
    users = ["", f"-{os.getuid()}"]
    with contextlib.suppress(OSError):  # no terminal, so there is no login name
        users.append(f"-{os.getlogin()}")
    for user in users:
        name = hashlib.sha256(f"{server}{user}".encode()).hexdigest()
        yield Path(tempfile.gettempdir()) / f"k8srcp-{name}.json"


def remove_kinds(identity: Identity) -> None:
    """Remove what kubernetes.core keeps of the node, which another node at this address would be taken for."""
    for path in kinds_files(identity.api_server):
        path.unlink(missing_ok=True)
