# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start, use and remove the embedded node of one checkout."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from ansible_collections.localcloud.stack.plugins.module_utils.common.processes import same_process
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError, wait_for

from ..toolchain import image_layers
from ..toolchain.cache import Cache, remove
from . import base, base_store, config, etcd, host
from .host import NodeError
from .identity import Identity, choose, key
from .images import Bases, PartPath

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil
    import yaml
    from supervisor.xmlrpc import SupervisorTransport

# kubeadm's phases before the kubelet runs, and those that need a running API server, for which we wait ourselves.
PREPARING_PHASES = ("certs", "kubeconfig", "etcd", "control-plane", "kubelet-start")
FINISHING_PHASES = ("upload-config", "mark-control-plane", "bootstrap-token", "kubelet-finalize", "addon/coredns")
SKIPPED_PHASES = ("preflight", "wait-control-plane", "upload-certs", "show-join-command", "addon/kube-proxy")
# Of an image that changes with every edit, those that were imported last stay in the node, and those that a container uses.
IMAGES_KEPT = 3
# What a control plane needs; the other images follow while it starts.
CONTROL_PLANE = ("pause", "etcd-image", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

OTHER_PARTS = (
    "The node is made of other versions of its parts than toolchain/parts.yml asks for now. Parts of a node are not exchanged: "
    "run `make down`, then `make up`."
)
# Parts that run as the node.
PROGRAMS = ("kubernetes", "kube-router", *CONTROL_PLANE, "coredns-image")


@dataclass
class Record:
    """What is remembered of a node between runs: `process` (pid, create time), `parts` (digest by part), whether kubeadm
    has finished (`initialized`), the host's rules about who reaches the node (`guard`), the references of images that were
    imported before those of `images`, oldest first (`earlier`), the digest of the base that it is to be kept as, if there
    was none for it (`unkept`), and the host's controllers of cgroup v2 that were handed down for it (`controllers`)."""

    identity: dict[str, str]
    process: tuple[int, float] | None = None
    initialized: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    guard: str = ""
    earlier: dict[str, list[str]] = field(default_factory=dict)
    unkept: str = ""
    controllers: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            return None  # half written when the machine went down: the node is made again
        return cls(**content)


@dataclass(frozen=True)
class BaseInputs:
    """What a node's base is made of besides Kubernetes: names of parts, and settings (JSON)."""

    parts: tuple[str, ...]
    settings: Any


class Node:
    """The embedded node whose state lies in `folder`, made for the checkout at `checkout`.

    `cache` has the images that earlier nodes imported. `notes` are sentences about what a user should know and nothing failed of.
    """

    def __init__(self, folder: Path, checkout: Path, cache: Cache, access: str = "user") -> None:
        self.folder = folder
        self.access = access
        self.checkout = str(checkout)
        self.cache = cache
        self.notes: list[str] = []
        self.record_path = folder / "node.json"
        self.record = Record.read(self.record_path)

    @property
    def known(self) -> Record:
        """The record of a node that was made. Raises NodeError if there is none."""
        if self.record is None:
            raise NodeError(f"There is no node in {self.folder}. Run `make up` to make one.")
        return self.record

    @property
    def identity(self) -> Identity:
        return Identity(**self.known.identity)

    @property
    def process(self) -> psutil.Process | None:
        """The node's first process on the host, if it is alive and really it."""
        if self.record is None or self.record.process is None:
            return None
        return same_process(*self.record.process)

    @property
    def started(self) -> datetime:
        """When the node's first process began; long ago where there is none."""
        return datetime.fromtimestamp(self.known.process[1] if self.known.process else 0, UTC)

    def up(self, parts: Mapping[str, PartPath], versions: Mapping[str, str], inputs: BaseInputs | None = None) -> bool:
        """Make the node run with these parts and their images imported; return whether anything had to be done.

        A new node begins with the base of these inputs, if it is kept.
        """
        changed = False
        programs = self._programs(parts)
        if self.record is None or not self.record.initialized:
            self.down()
            self._prepare(parts, versions, programs, inputs)
            changed = True
        if not self.is_guarded():
            self._guard()
            changed = True
        if self.process is None:
            host.remove_interface(self.identity)
            self._start()
            changed = True
        with ThreadPoolExecutor(1) as pool:
            importing = pool.submit(self._import_images, parts, CONTROL_PLANE)
            if not self.known.initialized:
                self._kubeadm(Path(parts["kubernetes"].path), FINISHING_PHASES)
            changed |= importing.result()
            importing = pool.submit(self._import_images, parts, tuple(parts))
            changed |= self._ensure_programs(
                config.FIRST_PROGRAMS + (config.CLUSTER_PROGRAMS if self.known.initialized else ("kubelet",))
            )
            self._wait_for_api()
            if not self.known.initialized:
                self._finish(Path(parts["kubernetes"].path))
            changed |= importing.result()
        return changed

    def is_up(self, parts: Mapping[str, PartPath]) -> bool:
        """Whether up() would find nothing to do. NodeError if it would refuse these parts."""
        self._programs(parts)
        return (
            self.process is not None
            and self.known.initialized
            and not self._missing_images(parts, tuple(parts))
            and self._supervisor_ready() is None
            and not self._stopped_programs(config.FIRST_PROGRAMS + config.CLUSTER_PROGRAMS)
            and self._api_problem() is None
        )

    def down(self) -> bool:
        """Remove the node and all that it has on the host; return whether there was anything."""
        if self.record is None:
            there = self.folder.exists()
        else:
            there = True
            if (process := self.process) is not None:
                host.kill_namespaces(process)
            host.remove_interface(self.identity)
            host.remove_guard(self.identity)
            host.remove_cgroups(self.identity)
            host.restore_controllers(self.record.controllers)
            host.remove_kinds(self.identity)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.record = None
        return there

    def kubeconfig(self) -> dict[str, Any]:
        """The administrator's kubeconfig; its context has the node's name."""
        document: dict[str, Any] = yaml.safe_load((self.folder / "state/etc-kubernetes/admin.conf").read_text())
        name = self.identity.name
        (context,) = document["contexts"]
        return {
            **document,
            "contexts": [{**context, "name": name}],
            "current-context": name,
        }

    def _programs(self, parts: Mapping[str, PartPath]) -> dict[str, str]:
        """The digests of the parts that run as the node. NodeError if it runs with others."""
        programs = {name: parts[name].digest for name in PROGRAMS if name in parts}
        if missing := [name for name in PROGRAMS if name not in parts]:
            raise NodeError(
                f"A node is not made without {', '.join(missing)}. Hand it all parts that toolchain has built."
            )
        if self.record is not None and self.record.initialized and self.record.parts != programs:
            raise NodeError(OTHER_PARTS)
        return programs

    def refuse_others(self, parts: Mapping[str, PartPath], unbuilt: Collection[str]) -> None:
        """NodeError if the node is made of other builds than these parts, and those that are still to be built."""
        if self.record is not None and self.record.initialized and not set(unbuilt).isdisjoint(PROGRAMS):
            raise NodeError(OTHER_PARTS)
        if parts:
            self._programs(parts)

    def _save(self) -> None:
        content = json.dumps(self.known.__dict__, indent=2)
        unfinished = self.record_path.with_suffix(".new")
        unfinished.write_text(content)
        unfinished.replace(self.record_path)

    def _prepare(
        self,
        parts: Mapping[str, PartPath],
        versions: Mapping[str, str],
        programs: dict[str, str],
        inputs: BaseInputs | None,
    ) -> None:
        try:
            identity = choose(self.checkout, host.taken_networks())
        except LookupError as error:
            raise NodeError(error.args[0]) from None
        if host.interface_exists(identity.interface):
            raise NodeError(
                f"There is an interface {identity.interface} that this checkout's state knows nothing of. If it is left "
                f"from a node whose folder was deleted, find its process with `pgrep -f {key(self.checkout)}` or remove "
                f"it with `ip link delete {identity.interface}`, then run again."
            )
        state = self.folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        folders = {name: part.path for name, part in parts.items()}
        supervisord = [sys.executable, "-m", "supervisor.supervisord"]
        for name, content in config.files(identity, folders, versions, supervisord).items():
            path = state / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for volume in config.VOLUMES:
            (state / volume).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(self._take_images, parts, state / "containerd")
            unkept = self._take_base(identity, parts, programs, inputs) if inputs else ""
            images = taking.result()
        self.record = Record(identity=identity.as_dict(), parts=programs, images=images, unkept=unkept)
        self._save()

    def _guard_rules(self) -> str:
        return host.guard_rules(self.identity, self.access, host.callers(os.environ, os.getuid()))

    def is_guarded(self) -> bool:
        """Whether the host's rules let those reach the node that may, and nobody else."""
        return self.known.guard == self._guard_rules() and host.is_guarded(self.identity)

    def _guard(self) -> None:
        """Let only those reach the node that may, before there is a cable to it."""
        self.known.guard = self._guard_rules()
        host.guard(self.known.guard, self.folder)
        self._save()

    def _take_images(self, parts: Mapping[str, PartPath], target: Path) -> dict[str, str]:
        """Take the images that are imported already; the digest by name. Without any, the node imports all by itself."""
        try:
            return Bases(self.cache, host.run("containerd", "--version").strip()).take(parts, target)
        except (NodeError, WaitError, OSError) as error:
            self.notes.append(
                f"The node imports its images by itself, as none could be kept for it in {self.cache.results}: {error} "
                "Free space there or run `make clean-cache`, and the next node is faster again."
            )
            return {}

    def _take_base(
        self, identity: Identity, parts: Mapping[str, PartPath], programs: Mapping[str, str], inputs: BaseInputs
    ) -> str:
        """Write the base of these inputs into the new node's etcd; the digest of a base that is still to be kept, if there is none."""
        digests = {**programs, **{name: parts[name].digest for name in ("etcd", *inputs.parts)}}
        digest = base.base_digest(digests, inputs.settings)
        objects = base_store.take(self.cache, digest)
        if objects is None:
            return digest
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        own = base.personal(objects, base.Identity(identity.name, identity.registry), now)
        pairs = ((one.key, json.dumps(one.value).encode()) for one in own)
        data = self.folder / "state/etcd"
        try:
            etcd.fill(Path(parts["etcd"].path) / "etcd", identity.name, identity.peer_url, data, pairs)
        except (NodeError, WaitError, OSError) as error:
            remove(data)
            self.notes.append(
                f"The node begins without the base {self.cache.path(base_store.PREFIX, digest)}: {error} The run goes on, and "
                "takes longer. If it happens again, run `make clean-cache`."
            )
        return ""

    def keep_base(self, get: Callable[[str], dict[str, Any]], namespace: str) -> bool:
        """Keep what this node has of Crossplane for the next ones, if there was none to begin with; return whether it was kept.

        `get` reads a path of its API, `namespace` is Crossplane's. Raises BaseError.
        """
        record = self.known
        if not record.unkept:
            return False
        kept = not self.cache.has(base_store.PREFIX, record.unkept) and base_store.keep(
            self.cache,
            record.unkept,
            base.read(get, namespace, base.Identity(self.identity.name, self.identity.registry)),
        )
        record.unkept = ""
        self._save()
        return kept

    def _start(self) -> None:
        # Noted before they are handed down, so that a run that is killed here leaves nothing either.
        self.known.controllers = sorted({*self.known.controllers, *host.missing_controllers()})
        self._save()
        host.make_cgroups(self.identity)
        process = host.start_namespaces(self.identity, self.folder / "state")
        self.known.process = (process.pid, process.create_time())
        self._save()
        self._wait("the node's supervisor", self._supervisor_ready, timeout=20)
        self._wait("containerd", self._containerd_ready, timeout=30)

    def _inside(self, path: str) -> Path:
        """A path inside the node as the host sees it."""
        process = self.process
        if process is None:
            raise NodeError(f"The node's processes have ended. {self._logs()} Run `make up` to start it again.")
        (first,) = process.children()
        return Path(f"/proc/{first.pid}/root{path}")

    def _exec(self, *command: str | Path) -> str:
        """Run a command within the node's namespaces."""
        process = self.process
        if process is None:
            raise NodeError(f"The node's processes have ended. {self._logs()}")
        (first,) = process.children()
        return host.run(
            "nsenter", "--target", str(first.pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--", *command
        )

    def _supervisor(self) -> Any:
        socket = f"unix://{self._inside(config.SUPERVISOR_SOCKET)}"
        return ServerProxy("http://localhost", transport=SupervisorTransport(None, None, socket)).supervisor

    def _supervisor_ready(self) -> str | None:
        try:
            self._supervisor().getState()
        except (OSError, ValueError) as error:
            return str(error)
        return None

    def _containerd_ready(self) -> str | None:
        try:
            self._ctr("version")
        except NodeError as error:
            return str(error).splitlines()[-1]
        return None

    def _ctr(self, *arguments: str | Path) -> str:
        socket = self._inside(config.CONTAINERD_SOCKET)
        return host.run("ctr", "--address", socket, "--namespace", "k8s.io", *arguments)

    def _missing_images(self, parts: Mapping[str, PartPath], names: tuple[str, ...]) -> list[str]:
        """Those of the images that the node doesn't have yet."""
        return [name for name in names if parts[name].image and self.known.images.get(name) != parts[name].digest]

    def _import_images(self, parts: Mapping[str, PartPath], names: tuple[str, ...]) -> bool:
        """Import those of the images that the node doesn't have yet, two at a time."""
        record = self.known
        missing = self._missing_images(parts, names)

        def load(name: str) -> None:
            archive = self.folder / f"{name}.tar"
            try:
                reduced = image_layers.write_missing(parts[name].archive, self._has_content, archive)
                self._ctr("images", "import", "--no-unpack", archive if reduced else parts[name].archive)
            finally:
                archive.unlink(missing_ok=True)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(load, missing))
        for name in missing:
            record.images[name] = parts[name].digest
            imported = record.earlier.setdefault(name, [])
            imported[:] = [*(one for one in imported if one != parts[name].image), str(parts[name].image)]
        if missing:
            self._remove_images({str(part.image) for part in parts.values()})
            self._save()
        return bool(missing)

    def _has_content(self, digest: str) -> bool:
        """Whether containerd has a blob, whole; what it is still writing lies elsewhere."""
        return (self.folder / "state/containerd/io.containerd.content.v1.content/blobs/sha256" / digest).exists()

    def _remove_images(self, wanted: set[str]) -> None:
        """Remove images that were followed by others of the same part; not those that are wanted or in use."""
        old = {name: images[:-IMAGES_KEPT] for name, images in self.known.earlier.items() if len(images) > IMAGES_KEPT}
        if not old:
            return
        used = self._ctr("containers", "list").split()
        for name, images in old.items():
            gone = [image for image in images if image not in wanted and image not in used]
            if gone:
                self._ctr("images", "rm", *gone)
            self.known.earlier[name] = [image for image in self.known.earlier[name] if image not in gone]

    def _kubeadm(self, kubernetes: Path, skipped: tuple[str, ...]) -> None:
        """Run `kubeadm init` without these phases, and without those that no node needs."""
        phases = ",".join((*SKIPPED_PHASES, *skipped))
        command = (kubernetes / "kubeadm", "init", "--config", f"{config.STATE}/config/kubeadm.yml")
        self._exec(*command, "--skip-phases", phases)

    def _finish(self, kubernetes: Path) -> None:
        """kubeadm's phases that need the API server, then the programs that need its cluster roles."""
        self._kubeadm(kubernetes, PREPARING_PHASES)
        self._start_programs(["kube-proxy", "kube-router"])
        self.known.initialized = True
        self._save()

    def _stopped_programs(self, names: tuple[str, ...]) -> list[str]:
        return [
            one["name"]
            for one in self._supervisor().getAllProcessInfo()
            if one["name"] in names and one["statename"] not in ("RUNNING", "STARTING", "BACKOFF")
        ]

    def _ensure_programs(self, names: tuple[str, ...]) -> bool:
        """Start those of the programs that do not run; return whether there were any."""
        stopped = self._stopped_programs(names)
        self._start_programs(stopped)
        return bool(stopped)

    def _start_programs(self, names: list[str]) -> None:
        supervisor = self._supervisor()
        for name in names:
            try:
                supervisor.startProcess(name)
            except Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    raise NodeError(f"'{name}' can't be started: {fault.faultString}. {self._logs()}") from None

    def _api_problem(self) -> str | None:
        """What is wrong with the API server, if it is not ready."""
        url = f"{self.identity.api_server}/readyz"
        context = ssl.create_default_context(cafile=str(self.folder / "state/etc-kubernetes/pki/ca.crt"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(url, timeout=5):
                return None
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code} {error.read(200).decode(errors='replace').strip()}"
        except OSError as error:
            return str(error)

    def _wait_for_api(self) -> None:
        def ready() -> str | None:
            if self.process is None:
                raise NodeError(f"The node's processes have ended. {self._logs()}")
            return self._api_problem()

        self._wait("the API server to be ready", ready, timeout=180)

    def _wait(self, what: str, look: Any, timeout: float) -> None:
        try:
            wait_for(what, look, timeout)
        except WaitError as error:
            raise NodeError(f"{error}. {self._logs()}") from None

    def _logs(self) -> str:
        return f"The logs are in {self.folder / 'state/log'}."
