"""Run a command beside a Docker daemon of its own, in namespaces of its own: run.py [--podman] COMMAND…

With --podman beside Podman, whose other name is docker there, as in Debian's package podman-docker.

Docker, its containers, networks, rules, mounts and cgroups are seen by nobody else and end with the command, whatever ends it. In there
is no way out of the machine; what a cluster is made of is built before.
Needs Linux, root, and what the embedded node needs.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.node import host
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import Identity, key
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

PROJECT = Path(__file__).resolve().parents[2]
RUNC = Path(__file__).with_name("runc.py")
HOST_STATE = PROJECT / "tests/integration/host_state.py"
ANSWER_SECONDS = 30


def main() -> int:
    if sys.argv[1] == "--inside":
        return inside(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    engine, command = ("podman", sys.argv[2:]) if sys.argv[1] == "--podman" else ("docker", sys.argv[1:])
    folder = PROJECT / ".localcloud/docker"
    # Named as a node's, so that tests know whose it is.
    identity = Identity(f"localcloud-{key(str(folder))}", "", "", "")
    builder = Builder(Inventory.read(PROJECT), Cache(default_root()), lambda line: print(line, file=sys.stderr))
    parts = builder.require([engine, "kind", "kind-node", "registry"])
    clear(folder)
    (folder / "data").mkdir(parents=True)
    run(sys.executable, HOST_STATE, folder / "before.json")
    host.make_cgroups(identity)
    environment = {
        **os.environ,
        "PATH": f"{parts['docker'].path if engine == 'docker' else folder / 'bin'}:{os.environ['PATH']}",
        "DOCKER_PARTS": str(parts[engine].path),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION", "KUBECONFIG"):
        environment.pop(name, None)
    code = 1
    try:
        code = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "--propagation", "private",
             parts[engine].path / "docker-init", "--", sys.executable, __file__, "--inside", folder, engine, *command],
            env=environment, preexec_fn=lambda: enter_cgroups(identity), check=False,
        ).returncode  # fmt: skip
        return code
    finally:
        host.remove_cgroups(identity)
        # Of a command that failed, that is told already.
        left = subprocess.run([sys.executable, HOST_STATE, "--compare", folder / "before.json"], check=False).returncode
        clear(folder)
        if left and not code:
            raise SystemExit("The machine is not as it was before Docker.")


def clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def enter_cgroups(identity: Identity) -> None:
    """The process's cgroup becomes the root of its namespace's."""
    for hierarchy in hierarchies():
        (hierarchy / identity.name / "cgroup.procs").write_text(str(os.getpid()))


def hierarchies() -> list[Path]:
    """Those of cgroup v1. What hands controllers on, as the unified one does, takes no processes."""
    return [path for path in host.hierarchies() if not (path / "cgroup.controllers").exists()]


def inside(folder: Path, engine: str, command: list[str]) -> int:
    """In the namespaces: Docker or Podman, then the command."""
    names = [path.name for path in hierarchies()]
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/sys/fs/cgroup")
    for name in names:
        (host.CGROUPS / name).mkdir()
        options = "none,name=systemd" if name == "systemd" else name
        run("mount", "-t", "cgroup", "-o", options, "cgroup", host.CGROUPS / name)
    run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    runc = folder / "runc"
    runc.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(RUNC)])} "$@"\n')
    runc.chmod(0o755)
    (prepare_podman if engine == "podman" else start_docker)(folder, runc, os.environ["DOCKER_PARTS"])
    return subprocess.run(command, check=False).returncode


def prepare_podman(folder: Path, runc: Path, parts: str) -> None:
    """It has no daemon; its settings say where everything is."""
    (folder / "containers.conf").write_text(f"""\
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
conmon_path = ["{parts}/conmon"]
helper_binaries_dir = ["{parts}"]
runtime = "machine"
[engine.runtimes]
machine = ["{runc}"]
""")
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/data"\nrunroot = "/run/containers/storage"\n'
    )
    (folder / "bin").mkdir()
    for name in ("podman", "docker"):
        path = folder / "bin" / name
        path.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={parts} PATH={parts}:$PATH exec {parts}/podman "$@"\n')
        path.chmod(0o755)
    run("podman", "info", "--format", "{{.Version.Version}}")


def start_docker(folder: Path, runc: Path, parts: str) -> None:
    log = (folder / "dockerd.log").open("w")
    # In a session of its own: Ctrl-C is for the command, and all ends with this namespace's first process.
    docker = subprocess.Popen(
        [f"{parts}/dockerd", "--data-root", folder / "data", "--exec-root=/run/docker", "--pidfile=/run/docker.pid",
         f"--userland-proxy-path={parts}/docker-proxy", "--add-runtime", f"machine={runc}", "--default-runtime=machine",
         "--storage-driver=overlay2", "--ip6tables=false"],
        stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "LD_LIBRARY_PATH": parts, "PATH": f"{parts}:{os.environ['PATH']}"},
    )  # fmt: skip

    def answers() -> str | None:
        if docker.poll() is not None:
            raise SystemExit(f"Docker does not start:\n{(folder / 'dockerd.log').read_text()[-3000:]}")
        done = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else None

    wait_for("Docker to answer", answers, ANSWER_SECONDS)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
