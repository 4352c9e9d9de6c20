"""Say what this machine has, which ways it has to a cluster, how long and how big each is, and which one `make up` takes.

Nothing is touched. Python alone is needed; with a .venv it is known as well what is built already. Ends with 1 where there is no way.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from scripts import bundle_archive, setup_environment  # noqa: E402

GIB = 1024**3
COMMAND_SECONDS = 10
ANSWER_SECONDS = 5
# Measured on 2 cores, 24 GiB, Debian 12, as README has it: minutes and GiB of disk at most of each way to the first event.
BUILD = (25, 14)
BUILT = (2, 5)
BUNDLE = (3, 4)
IN_DOCKER = (5, 6)
CLUSTER_OF_YOURS = (5, 1)
# With less memory the API server or the provider is killed.
NODE_MEMORY_BYTES = 4 * GIB
OLDEST_GO = (1, 26)
INSTALL_PYTHON = (
    "On Debian install python3-venv; elsewhere Python 3.11 or later, then run with PYTHON=/path/to/python3."
)


class Bundle(NamedTuple):
    """An archive. C(cluster): what it is for, `embedded` or `kind`. C(problem): why it can't be used, empty where it can."""

    cluster: str
    problem: str = ""


@dataclass(frozen=True)
class Machine:
    """What there is. Sizes in bytes; None is what is unknown.

    `docker`: why it can't be used, empty if it answers, None if it is not installed; `engine`: whether that is Docker, or Podman in place of it.
    `registries`: for each kind whether it answers.
    `bundles`: each archive that lies here. `unbuilt`: how many parts of the node are still to be built.
    `last`: the kind of the checkout's own cluster, empty if it has none.
    """

    system: str
    architecture: str
    root: bool
    cpus: int
    memory: int
    cache: str
    free: int
    python: str
    venv: bool
    cgroups: bool = True
    go: tuple[int, ...] | None = None
    apt: bool = False
    missing_packages: Sequence[str] = ()
    docker: str | None = None
    engine: str = "Docker"
    contexts: Sequence[str] = ()
    context: str | None = None
    allowed: Sequence[str] = ()
    commands: Mapping[str, bool] = field(default_factory=dict)
    registries: Mapping[str, bool] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    unbuilt: int | None = None
    last: str = ""


@dataclass(frozen=True)
class Way:
    """A way to a cluster: `problems` are sentences with cause and next step; none where it would work."""

    name: str
    kind: str
    minutes: int
    gib: int
    command: str
    problems: Sequence[str] = ()
    note: str = ""


def embedded(machine: Machine, refused: str) -> Way:
    """The node that is built here; `refused` says why the choice of a cluster would refuse it."""
    built = machine.unbuilt == 0
    minutes, gib = BUILT if built else BUILD
    problems = [*([refused] if refused else []), *no_python(machine), *too_small(machine, gib)]
    if not built:
        if machine.go is None:
            problems.append("Go is not installed. Install Go 1.26 or later, or take a bundle.")
        elif machine.go < OLDEST_GO:
            problems.append(
                f"Go {'.'.join(map(str, machine.go))} is too old. Install Go 1.26 or later, or take a bundle."
            )
        problems += [
            f"{name} can't be reached. Check network and proxy, or take a bundle."
            for name, there in machine.registries.items()
            if not there
        ]
    if machine.missing_packages and not machine.apt:
        problems.append(
            f"These are missing, and there is no APT to install them: {', '.join(machine.missing_packages)}. Install them."
        )
    note = (
        "all is built"
        if built
        else "all is built here"
        if machine.unbuilt is None
        else f"{machine.unbuilt} parts are built here"
    )
    if machine.missing_packages and machine.apt:
        note += f"; {len(machine.missing_packages)} Debian packages are installed"
    return Way("the embedded node", "embedded", minutes, gib, "make up", problems, note)


def from_bundle(machine: Machine, refused: str) -> Way:
    """The same node, or a kind cluster, whose parts come from a bundle."""
    refusals = {"embedded": refused, "kind": no_docker(machine)}
    found = {path: one.problem or refusals[one.cluster] for path, one in machine.bundles.items()}
    usable = [path for path, problem in found.items() if not problem]
    problems = [refused] if not found and all(refusals.values()) else []
    problems += [*no_python(machine), *too_small(machine, BUNDLE[1])]
    problems += [f"{path} can't be used: {problem}" for path, problem in found.items() if not usable]
    path = usable[0] if usable else "<file or URL>"
    note = (
        "without Go, registries and internet"
        if usable
        else "no bundle lies here; take one of a release by its URL, or `make bundle` elsewhere"
    )
    return Way("a bundle", "bundle", *BUNDLE, f"make up BUNDLE={path}", problems, note)


def in_docker(machine: Machine) -> Way:
    """A kind cluster. Its images and the engine's data are not in the cache, so the room for these is not looked at."""
    problem = no_docker(machine)
    note = f"images are built by {machine.engine} and pulled from public registries"
    return Way(
        f"a kind cluster in {machine.engine}",
        "kind",
        *IN_DOCKER,
        "make up",
        [*([problem] if problem else []), *no_python(machine)],
        note,
    )


def yours(machine: Machine) -> Way:
    """The cluster of the kubeconfig."""
    problems = []
    allowing = f'make up ARGS=\'-e {{"cluster_allowed_contexts":["{machine.context or "<context>"}"]}}\''
    if machine.context is None:
        problems.append("There is no kubeconfig with a current context. Make one, or set KUBECONFIG.")
    elif not machine.commands.get("helm"):
        problems.append("Helm is not installed. Install Helm 4, or 3.13 or later.")
    allowed = machine.context in machine.allowed
    note = (
        ""
        if machine.context is None
        else f"context {machine.context}"
        if allowed
        else f"context {machine.context}, once you allow it"
    )
    return Way(
        "a cluster of yours",
        "existing",
        *CLUSTER_OF_YOURS,
        "make up" if allowed else allowing,
        problems + no_python(machine),
        note,
    )


def no_docker(machine: Machine) -> str:
    """Why Docker can't be used; empty if it answers."""
    return "Docker is not installed. Install it and start it." if machine.docker is None else machine.docker


def no_python(machine: Machine) -> list[str]:
    if machine.venv and tuple(map(int, machine.python.split(".")[:2])) >= setup_environment.OLDEST_PYTHON:
        return []
    return [f"Python {machine.python} {'is too old' if machine.venv else 'has no venv'}. {INSTALL_PYTHON}"]


def too_small(machine: Machine, gib: int) -> list[str]:
    """Why disk or memory don't suffice for a node."""
    found = []
    if machine.free < gib * GIB:
        found.append(
            f"{machine.free / GIB:.1f} GiB are free at {machine.cache}, of {gib}. Free some space, or set XDG_CACHE_HOME to a larger disk."
        )
    if machine.memory < NODE_MEMORY_BYTES:
        found.append(
            f"{machine.memory / GIB:.1f} GiB of memory are too little for a node, which takes 4. Use a cluster elsewhere."
        )
    return found


def report(machine: Machine, ways: Sequence[Way], choice: tuple[str, str]) -> Iterator[str]:
    """The lines that are printed; `choice` is what make up chooses: the kind of a way, empty where it refuses, and why."""
    yield (
        f"This machine: {machine.system} {machine.architecture}, {machine.cpus} CPUs, {machine.memory / GIB:.0f} GiB of memory, "
        f"{machine.free / GIB:.0f} GiB free for {machine.cache}, {'root' if machine.root else 'not root'}."
    )
    there, absent = tools(machine)
    yield f"There: {', '.join(there)}." + (f" Not there: {', '.join(absent)}." if absent else "")
    yield ""
    for way in ways:
        yield f"{'yes' if not way.problems else 'no ':4}{way.name}, about {way.minutes} min and {way.gib} GB: {way.command}"
        if way.note:
            yield f"    {way.note[0].upper()}{way.note[1:]}."
        yield from (f"    {problem}" for problem in way.problems)
    yield ""
    kind, why = choice
    taken = next((way for way in ways if way.kind == kind), None)
    if taken is None:
        yield f"`make up` would end at once: {why}"
    elif taken.problems:
        yield f"`make up` would take {taken.name}, as {why}, and fail."
    else:
        yield f"`make up` takes {taken.name}, as {why}."
    if (taken is None or taken.problems) and (others := [way for way in ways if not way.problems]):
        yield f"Take instead: {others[0].command}"


def tools(machine: Machine) -> tuple[list[str], list[str]]:
    """What is there of what a way may need, and what is not."""
    go = f"Go {'.'.join(map(str, machine.go))}" if machine.go else "Go"
    docker = machine.engine if not machine.docker else f"{machine.engine}, which can't be used"
    found = {
        f"Python {machine.python}": True,
        go: machine.go is not None,
        docker: machine.docker is not None,
        **machine.commands,
        **machine.registries,
    }
    return [name for name, is_there in found.items() if is_there], [
        name for name, is_there in found.items() if not is_there
    ]


# --- reading the machine


def read(project: Path = PROJECT) -> Machine:
    """This machine as it is now."""
    cache = setup_environment.cache_folder()
    nearest = next(path for path in (cache, *cache.parents) if path.is_dir())
    contexts, context = kubeconfig()
    with ThreadPoolExecutor(4) as pool:
        docker = pool.submit(engine_problem)
        answers = {
            "Go modules": pool.submit(lambda: reachable(module_proxy())),
            "PyPI": pool.submit(lambda: reachable(package_index(), "/pip/")),
        }
        unbuilt = pool.submit(parts_to_build, project)
        return Machine(
            platform.system(), bundle_archive.ARCHITECTURES.get(platform.machine(), platform.machine()), os.geteuid() == 0,
            os.cpu_count() or 1, memory(), str(cache), shutil.disk_usage(nearest).free, platform.python_version(),
            find_spec("ensurepip") is not None, cgroups(), go_version(), shutil.which("apt-get") is not None, missing_packages(project),
            *docker.result(), contexts, context, allowed_contexts(project),
            {name: shutil.which(name) is not None for name in ("kubectl", "helm", "kind")},
            {name: answer.result() for name, answer in answers.items()}, bundles(project), unbuilt.result(), own_cluster(project),
        )  # fmt: skip


def said(*command: str) -> tuple[int, str]:
    """Exit code and output of a command; -1 where it is not there or does not end."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return -1, ""
    except subprocess.TimeoutExpired:
        return -1, f"does not answer within {COMMAND_SECONDS} s"
    return done.returncode, (done.stdout + done.stderr).strip()


def outputs(command: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that is there."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer within {COMMAND_SECONDS} s"
    return done.returncode, done.stdout, done.stderr


def memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def cgroups() -> bool:
    """Whether cgroups can be made, as module_utils/node/host.py sees it."""
    root = Path("/sys/fs/cgroup")
    if not root.is_dir():
        return False
    hierarchies = (
        [root]
        if (root / "cgroup.controllers").exists()
        else [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
    )
    return bool(hierarchies) and all(os.access(one, os.W_OK) for one in hierarchies)


def go_version() -> tuple[int, ...] | None:
    found = re.search(r"go(\d+)\.(\d+)", said("go", "version")[1])
    return tuple(map(int, found.groups())) if found else None


def own_cluster(project: Path) -> str:
    """The kind of the cluster of its own that the checkout has, as the last `make up` wrote it down; empty without one."""
    folder = Path(os.environ.get("LOCALCLOUD_DIR") or project) / ".localcloud"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        kind = json.loads((folder / "cluster.json").read_text()).get("kind")
        if kind in ("embedded", "kind"):
            return str(kind)
    return ""


def engine_problem() -> tuple[str | None, str]:
    """Why Docker can't be used, or Podman in place of it; empty if it answers, None if neither is installed. Which of them it is."""
    from ansible_collections.localcloud.stack.plugins.module_utils.cluster import docker

    state = docker.find(shutil.which, outputs, os.environ)
    return (state.problem or "") if state.there else None, state.engine.title


def kubeconfig() -> tuple[list[str], str | None]:
    """Names of the kubeconfig's contexts, and the current one. Its YAML is that of kubectl, whose own reading goes first."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = Path(first) if first else Path.home() / ".kube/config"
    try:
        text = path.read_text()
    except OSError:
        return [], None
    current = re.search(r"^current-context: *[\"']?([^\"'\n]+?)[\"']?$", text, re.M)
    block = re.search(r"^contexts:\n((?:[- ].*\n?)*)", text, re.M)
    names = re.findall(r"^(?:- |  )name: *[\"']?([^\"'\n]+)", block[1] if block else "", re.M)
    return names, current[1] if current else None


def allowed_contexts(project: Path) -> list[str]:
    """What the settings allow, where they do it in one line."""
    with contextlib.suppress(OSError):
        text = (project / "inventories/local/group_vars/all.yml").read_text()
        if found := re.search(r"^cluster_allowed_contexts: *\[([^\]]*)\]", text, re.M):
            return [word.strip(" \"'") for word in found[1].split(",") if word.strip()]
    return []


def missing_packages(project: Path) -> list[str]:
    """The node's Debian packages whose commands are not there."""
    text = (project / "roles/cluster/vars/main.yml").read_text()
    block = re.search(r"^__cluster_packages:\n((?:  \S+: \S+\n)+)", text, re.M)
    wanted = re.findall(r"^  (\S+): (\S+)$", block[1] if block else "", re.M)
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name, command in wanted if not shutil.which(command, path=path) and not os.path.exists(command)]


def module_proxy() -> str:
    """The address that Go takes modules from, by its variable or its settings; empty where it is unknown."""
    code, text = said("go", "env", "GOPROXY")
    return re.split(r"[,|]", text if code == 0 else os.environ.get("GOPROXY", ""))[0]


def package_index() -> str:
    """The address that pip takes packages from, by its variable or its settings, which its help has as a default; empty where there is no pip."""
    given = os.environ.get("PIP_INDEX_URL", "")
    found = (
        None
        if given
        else re.search(
            r"--index-url <url>.*?\(default\s+(\S+?)\)", said(sys.executable, "-m", "pip", "install", "--help")[1], re.S
        )
    )
    return found[1] if found else given


def reachable(address: str, page: str = "") -> bool:
    """Whether a registry answers, with whatever it says. Of one without a known address that is not known."""
    if not address.startswith(("http://", "https://")):
        return True
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}{page}", timeout=ANSWER_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def bundles(project: Path) -> dict[str, Bundle]:
    """The bundles that lie in the checkout."""
    found = {}
    for path in sorted([*project.glob("localcloud-*.tar"), *project.glob(".localcloud/bundles/localcloud-*.tar")]):
        try:
            manifest = bundle_archive.open_archive(path).manifest
            problems = bundle_archive.problems(manifest, {"runtime": setup_environment.digest("runtime")})
            found[os.path.relpath(path)] = Bundle(manifest.settings.get("cluster_mode", "embedded"), " ".join(problems))
        except bundle_archive.BundleError as error:
            found[os.path.relpath(path)] = Bundle("embedded", str(error))
    return found


def parts_to_build(project: Path) -> int | None:
    """How many parts of the smallest node the cache lacks; None without a .venv, where that can't be read."""
    python = project / ".venv/bin/python"
    code, text = said(str(python), str(project / "scripts/doctor.py"), "--unbuilt") if python.exists() else (-1, "")
    return int(text) if code == 0 and text.isdigit() else None


def count_unbuilt(project: Path) -> int:
    """The same, by the toolchain's own modules."""
    from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
    from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

    text = (project / "roles/cluster/vars/main.yml").read_text()
    block = re.search(r"^__cluster_node_parts:\n((?:  - \S+\n)+)", text, re.M)
    names = re.findall(r"- (\S+)", block[1] if block else "")
    wanted = [*names, "crossplane", "crossplane-image", "provider-aws", "provider-aws-image", "provider-aws-package"]
    inventory = Inventory.read(project, kubernetes=os.environ.get("LOCALCLOUD_KUBERNETES", ""))
    return len(Builder(inventory, Cache(default_root()), print).missing(wanted))


@contextlib.contextmanager
def checkout_as_collection(project: Path) -> Iterator[None]:
    """Let the checkout's own modules be imported where no .venv is."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "ansible_collections/localcloud/stack"
        link.parent.mkdir(parents=True)
        link.symlink_to(project)
        sys.path.insert(0, folder)
        try:
            yield
        finally:
            sys.path.remove(folder)


def choose(machine: Machine, mode: str = "auto") -> tuple[str, str]:
    """The kind of cluster that make up takes and why, by its own rule; no kind where it refuses, and its message."""
    from ansible_collections.localcloud.stack.plugins.module_utils.cluster import choice, docker
    from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import key

    own = f"localcloud-{key(str(PROJECT))}"
    host = choice.Host(machine.system, machine.root, machine.cgroups)
    kubeconfig = choice.Kubeconfig(machine.contexts, machine.context)
    state = docker.DockerState(
        machine.docker is not None, None if machine.docker == "" else machine.docker or docker.INSTALL
    )
    try:
        kind, _context = choice.choose(mode, kubeconfig, machine.allowed, own, host, lambda: state, machine.last)
    except choice.ChoiceError as error:
        return "", str(error)
    if kind == "existing":
        return kind, f"the kubeconfig's context {machine.context} is allowed"
    if kind == machine.last:
        return kind, "this checkout has it already"
    return (
        kind,
        f"{machine.engine} answers"
        if kind == "kind"
        else "there is no Docker that answers, and no kubeconfig with another current context",
    )


def main(read_machine: Callable[[], Machine] = read, say: Callable[[str], Any] = print) -> int:
    with checkout_as_collection(PROJECT):
        machine = read_machine()
        kind, refused = choose(machine, "embedded")
        refused = "" if kind else refused
        ways = [yours(machine), in_docker(machine), embedded(machine, refused), from_bundle(machine, refused)]
        for line in report(machine, ways, choose(machine)):
            say(line)
    return 0 if any(not way.problems and "<" not in way.command for way in ways) else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--unbuilt"]:
        print(count_unbuilt(PROJECT))
        sys.exit(0)
    sys.exit(main())
