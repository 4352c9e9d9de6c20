# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start, use and remove the embedded node of one checkout."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from ansible_collections.localcloud.stack.plugins.module_utils.common.files import write_whole
from ansible_collections.localcloud.stack.plugins.module_utils.common.processes import same_process
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError, wait_for

from ..toolchain import image_layers
from ..toolchain.cache import Cache, remove
from ..toolchain.containerd import IMPORT
from . import base, base_store, certificates, config, etcd, host, security, snapshot, upgrade
from .host import NodeError
from .identity import Identity, choose, is_free, key
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

# Programs of the static pods, which read certificates only when they start.
CONTROL_PLANE_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
# A program that works answers within milliseconds.
HANGING_SECONDS = 10

# What all of kubeadm's upgrade may take: four components, of which one may have to be put back, and etcd's data.
UPGRADE_SECONDS = 900
# Parts that run as the node.
PROGRAMS = (*config.PROGRAMS_OF, *CONTROL_PLANE, "coredns-image")


@dataclass
class Record:
    """What is remembered of a node between runs: `process` (pid, create time), `parts` (digest by part), whether kubeadm
    has finished (`initialized`), the host's rules about who reaches the node (`guard`), the references of images that were
    imported before those of `images`, oldest first (`earlier`), the digest of the base that it is to be kept as, if there
    was none for it (`unkept`), the host's controllers of cgroup v2 that were handed down for it (`controllers`), and of one that was
    restored the images that it had (digest by part), until they are imported again (`restored`)."""

    identity: dict[str, str]
    process: tuple[int, float] | None = None
    initialized: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    guard: str = ""
    earlier: dict[str, list[str]] = field(default_factory=dict)
    unkept: str = ""
    controllers: list[str] = field(default_factory=list)
    restored: dict[str, str] = field(default_factory=dict)

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


def _files(identity: Identity, parts: Mapping[str, PartPath], versions: Mapping[str, str], key: str) -> dict[str, str]:
    """The configuration files of a node of these parts."""
    supervisord = [sys.executable, "-m", "supervisor.supervisord"]
    return config.files(identity, {name: part.path for name, part in parts.items()}, versions, supervisord, key)


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

        A new node begins with the base of these inputs, if it is kept; one of other parts is upgraded.
        """
        changed = False
        programs = self._programs(parts)
        self.refuse_versions(versions)
        if self.record is None or not self.record.initialized:
            self.down()
            self._prepare(parts, versions, programs, inputs)
            changed = True
        if not self.is_guarded():
            self._guard()
            changed = True
        if self.process is None:
            host.remove_interface(self.identity)
            if self.known.restored and not (self.folder / "state/containerd").exists():
                self.known.images = self._take_images(parts, self.folder / "state/containerd")
            if self.known.restored or not all(
                self.cache.has(name, self.known.parts[name]) for name in config.PROGRAMS_OF
            ):
                # The cache was cleaned since, or is another one. Its control plane is in containerd.
                self._write(
                    {name: text for name, text in self._files(parts, versions).items() if name != config.KUBEADM}
                )
            self._start()
            self._import_restored(parts)
            changed = True
        changed |= self._resume("etcd")
        changed |= self._renew_certificates(Path(parts["kubernetes"].path))
        changed |= self._end_hung_programs()
        with ThreadPoolExecutor(1) as pool:
            importing = pool.submit(self._import_images, parts, CONTROL_PLANE)
            if not self.known.initialized:
                self._kubeadm(Path(parts["kubernetes"].path), FINISHING_PHASES)
            changed |= importing.result()
            importing = pool.submit(self._import_images, parts, tuple(parts))
            changed |= self._ensure_programs(
                config.FIRST_PROGRAMS + (config.CLUSTER_PROGRAMS if self.known.initialized else ("kubelet",))
            )
            changed |= self._wait_for_api()
            if not self.known.initialized:
                self._finish(Path(parts["kubernetes"].path))
            changed |= importing.result()
        if self.known.parts != programs:
            self._upgrade(parts, versions, programs)
            changed = True
        return changed

    def is_up(self, parts: Mapping[str, PartPath]) -> bool:
        """Whether up() would find nothing to do. NodeError if it would refuse these parts."""
        return (
            self._programs(parts) == self.known.parts
            and self.process is not None
            and self.known.initialized
            and not self._missing_images(parts, tuple(parts))
            and self._supervisor_ready() is None
            and not self._stopped_programs(config.FIRST_PROGRAMS + config.CLUSTER_PROGRAMS)
            and not self._hung_programs()
            and not self._due_certificates()
            and self._api_problem() is None
            and not self._is_full()
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

    def save(self, archive: snapshot.Archive, emulator: tuple[str, str] | None) -> None:
        """Write the node's state into a snapshot. Its pods go on; `emulator`, a container's namespace and name, writes its data and starts again.

        A run that is killed meanwhile leaves the kubelet stopped, which the next up() starts.
        """
        state = self.folder / "state"
        with self._kubelet_stopped():
            if emulator:
                self._end_container(*emulator)
            with self._frozen("etcd"):
                archive.add(f"{snapshot.NODE}/etcd", state / "etcd")
            for path in sorted(state.iterdir()):
                if path.name not in snapshot.MADE_AGAIN | {"etcd"}:
                    archive.add(f"{snapshot.NODE}/{path.name}", path)

    def snapshot_facts(self) -> dict[str, Any]:
        """What a snapshot's manifest says of this node. Raises NodeError if it does not run."""
        if self.record is None or not self.record.initialized or self.process is None:
            raise NodeError(f"No node runs in {self.folder}, so there is nothing to save. Run `make up` first.")
        return {
            "kubernetes": ".".join(self._running_versions()["kubernetes"].removeprefix("v").split(".")[:2]),
            "identity": self.record.identity,
            "parts": self.record.parts,
            "images": self.record.images,
        }

    def refuse_restoring(self, manifest: snapshot.Manifest) -> None:
        """NodeError if this machine can't have a saved node."""
        identity = Identity(**manifest.identity)
        own = self.identity if self.record else None
        if own == identity:
            return
        if host.interface_exists(identity.interface) or not is_free(identity, host.taken_networks(), own):
            raise NodeError(
                f"The saved node is {identity.name} at {identity.node_address}, and this machine uses that name or address otherwise: likely the "
                "checkout that it was saved in, or another one that it was restored in, runs it. Run `make down` there, then run again. Nothing was touched."
            )

    def restore(self, unpacked: Path, manifest: snapshot.Manifest) -> None:
        """Take a saved node's state, unpacked in this folder, in place of what is here; up() starts it."""
        self.down()
        self.folder.mkdir(mode=0o700)
        (unpacked / snapshot.NODE).rename(self.folder / "state")
        for volume in config.VOLUMES:
            (self.folder / "state" / volume).mkdir(parents=True, exist_ok=True)
        self.record = Record(
            identity=dict(manifest.identity),
            initialized=True,
            parts=dict(manifest.parts),
            restored=dict(manifest.images),
        )
        self._save()

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
        """The digests of the parts that run as the node. NodeError if one is missing."""
        programs = {name: parts[name].digest for name in PROGRAMS if name in parts}
        if missing := [name for name in PROGRAMS if name not in parts]:
            raise NodeError(
                f"A node is not made without {', '.join(missing)}. Hand it all parts that toolchain has built."
            )
        return programs

    def refuse_versions(self, versions: Mapping[str, str]) -> None:
        """NodeError if the node runs versions from which it can't be upgraded to these."""
        if self.record is None or not self.record.initialized:
            return
        problem = upgrade.parts_problem(self.record.parts) or upgrade.step_problem(self._running_versions(), versions)
        if problem:
            raise NodeError(problem)

    def _running_versions(self) -> dict[str, str]:
        """The versions of kubernetes and etcd that the node was made with, or upgraded to last."""
        return upgrade.running_versions((self.folder / "state" / config.KUBEADM).read_text())

    def _save(self) -> None:
        write_whole(self.record_path, json.dumps(self.known.__dict__, indent=2).encode())

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
        if old := host.old_cgroups():
            self.notes.append(old)
        state = self.folder / "state"
        state.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._write(_files(identity, parts, versions, base64.b64encode(secrets.token_bytes(32)).decode()))
        for volume in config.VOLUMES:
            (state / volume).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(self._take_images, parts, state / "containerd")
            unkept = self._take_base(identity, parts, programs, inputs) if inputs else ""
            images = taking.result()
        self.record = Record(identity=identity.as_dict(), parts=programs, images=images, unkept=unkept)
        self._save()

    def _files(self, parts: Mapping[str, PartPath], versions: Mapping[str, str]) -> dict[str, str]:
        """The configuration files of this node, of other parts."""
        encryption = self.folder / "state" / config.API_SERVER_SETTINGS / "encryption.yml"
        return _files(self.identity, parts, versions, upgrade.encryption_key(encryption.read_text()))

    def _write(self, files: Mapping[str, str]) -> None:
        """Write files of the node's state, by their path there."""
        for name, content in files.items():
            path = self.folder / "state" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600 if name.startswith(config.API_SERVER_SETTINGS) else 0o644)
            path.write_text(content)

    def _guard_rules(self) -> str:
        return host.guard_rules(self.identity, self.access, host.callers(os.environ, os.getuid()))

    def is_guarded(self) -> bool:
        """Whether the host's rules let only those reach the node that may."""
        return self.known.guard == self._guard_rules() and host.is_guarded(self.identity)

    def _guard(self) -> None:
        """Let only those reach the node that may, before there is a cable to it."""
        self.known.guard = self._guard_rules()
        host.guard(self.known.guard, self.folder)
        self._save()

    def _take_images(self, parts: Mapping[str, PartPath], target: Path) -> dict[str, str]:
        """Take the images that are imported already; the digest by name. Without any, the node imports all by itself."""
        try:
            return Bases(self.cache, parts["containerd"]).take(parts, target)
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
        now = datetime.now(UTC)
        own = base.personal(
            objects,
            base.Identity(identity.name, identity.registry),
            f"{now:%Y-%m-%dT%H:%M:%SZ}",
            partial(certificates.of_webhook, now=now),
        )
        pairs = ((one.key, base.encoded(one.value)) for one in own)
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
            base.read(get, self._stored, namespace, base.Identity(self.identity.name, self.identity.registry)),
        )
        record.unkept = ""
        self._save()
        return kept

    def _stored(self, key: str) -> dict[str, Any]:
        """An object as etcd has it, one that is stored as JSON. Raises BaseError."""
        try:
            found = etcd.value(self._etcd(), key)
        except (NodeError, OSError, http.client.HTTPException) as error:
            raise base.BaseError(f"{key} can't be read from etcd: {error}") from error
        return dict(json.loads(found))

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

    def _exec(self, *command: str | Path, timeout: float = 300) -> str:
        """Run a command within the node's namespaces."""
        process = self.process
        if process is None:
            raise NodeError(f"The node's processes have ended. {self._logs()}")
        (first,) = process.children()
        return host.run(
            "nsenter",
            "--target",
            str(first.pid),
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--ipc",
            "--",
            *command,
            timeout=timeout,
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
        return host.run(
            self._inside(f"{config.PARTS}/containerd/ctr"), "--address", socket, "--namespace", "k8s.io", *arguments
        )

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
                self._ctr(*IMPORT, "--no-unpack", archive if reduced else parts[name].archive)
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

    def _import_restored(self, parts: Mapping[str, PartPath]) -> None:
        """Import what a restored node's pods run, of which the images of the parts are others by now."""
        for name, digest in self.known.restored.items():
            if name not in parts or parts[name].digest != digest:
                self._ctr(*IMPORT, "--no-unpack", self.cache.path(name, digest) / "image.tar")
                self.known.images.setdefault(name, digest)
        if self.known.restored:
            self.known.restored = {}
            self._save()

    @contextlib.contextmanager
    def _kubelet_stopped(self) -> Iterator[None]:
        """Without the kubelet, which would start containers again; they go on."""
        with contextlib.suppress(Fault):  # it does not run
            self._supervisor().stopProcess("kubelet")
        try:
            yield
        finally:
            self._start_programs(["kubelet"])

    @contextlib.contextmanager
    def _frozen(self, program: str) -> Iterator[None]:
        """While a program of the node stands still, so that its data are as after a power cut, which it is made for."""
        try:
            for one in self._running({program}):
                one.suspend()
            yield
        finally:
            self._resume(program)

    def _resume(self, program: str) -> bool:
        """Let a program go on that stands still, as after a killed save(); return whether it did."""
        stopped = [one for one in self._running({program}) if one.status() == psutil.STATUS_STOPPED]
        for one in stopped:
            one.resume()
        return bool(stopped)

    def _running(self, programs: Collection[str]) -> list[psutil.Process]:
        """The node's processes of these names."""
        found = []
        for one in self.process.children(recursive=True) if self.process else []:
            with contextlib.suppress(psutil.Error):  # what ends meanwhile, as a probe's
                if one.name() in programs:
                    found.append(one)
        return found

    def _end_container(self, namespace: str, name: str) -> None:
        """End a container in order, so that it writes what it keeps. Raises NodeError if it does not end."""
        labels = {"io.kubernetes.container.name": name, "io.kubernetes.pod.namespace": namespace}
        filters = ",".join(f'labels."{label}"=={value}' for label, value in labels.items())
        containers = self._ctr("containers", "list", "--quiet", filters).split()

        def running() -> list[str]:
            tasks = [line.split() for line in self._ctr("tasks", "list").splitlines()[1:]]
            return [task[0] for task in tasks if task[0] in containers and task[-1] == "RUNNING"]

        for one in running():
            self._ctr("tasks", "kill", "--signal", "SIGTERM", one)
        self._wait(
            f"the container {name} of {namespace} to write its data and end",
            lambda: " ".join(running()) or None,
            timeout=60,
        )

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
        command = (kubernetes / "kubeadm", "init", "--config", f"{config.STATE}/{config.KUBEADM}")
        self._exec(*command, "--skip-phases", phases)

    def _finish(self, kubernetes: Path) -> None:
        """kubeadm's phases that need the API server, then the programs that need its cluster roles."""
        self._kubeadm(kubernetes, PREPARING_PHASES)
        self._make_users(kubernetes)
        # kubeadm makes it readable for every user.
        (self.folder / "state/kubelet/config.yaml").chmod(0o600)
        role = f"{config.STATE}/{config.KUBE_ROUTER_ROLE}"
        self._exec(kubernetes / "kubectl", "--kubeconfig", config.ADMIN_CONFIG, "apply", "--filename", role)
        self._start_programs(["kube-proxy", "kube-router"])
        self.known.initialized = True
        self._save()

    def _make_users(self, kubernetes: Path) -> None:
        """Certificates for the programs next to the kubelet, each with rights of its own, in kubeconfigs."""
        settings = ("--config", f"{config.STATE}/{config.KUBEADM}")
        for name, user in security.USERS.items():
            text = self._exec(kubernetes / "kubeadm", "kubeconfig", "user", "--client-name", user, *settings)
            path = self.folder / f"state/etc-kubernetes/{name}.conf"
            path.touch(0o600)
            path.write_text(text)

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

    def _hung_programs(self) -> list[str]:
        """Those that take a connection and answer nothing; one that starts takes none yet."""
        return [name for name, url in config.answering(self.identity).items() if host.hangs(url, HANGING_SECONDS)]

    def _end_hung_programs(self) -> bool:
        """Let the supervisor start hung programs again; return whether there were any."""
        hung = self._hung_programs() if self.known.initialized else []
        for name in hung:
            self._supervisor().signalProcess(name, "KILL")
        return bool(hung)

    def _upgrade(self, parts: Mapping[str, PartPath], versions: Mapping[str, str], programs: dict[str, str]) -> None:
        """Bring the running node to these parts: by kubeadm its control plane, each component put back that does not get ready, then what runs
        beside it. Pods and what is stored stay. A run that is killed meanwhile leaves it to the next one."""
        kubernetes = Path(parts["kubernetes"].path)
        files = self._files(parts, versions)
        running = self._running_versions()
        rebuilt = self._rebuilt(parts)
        self._upgrade_control_plane(kubernetes, files[config.KUBEADM], running["kubernetes"], versions["kubernetes"])
        self._write(files)
        self._end_control_plane(rebuilt)
        self._exchange_programs(parts)
        # A kubelet of another version takes static pods for others, and starts them once more.
        ready = partial(self._control_plane_problem, kubernetes)
        self._wait("the control plane's pods to be ready", ready, timeout=180)
        self._wait_for_api()
        if parts["coredns-image"].digest != self.known.parts["coredns-image"]:
            self._upgrade_dns(kubernetes, str(parts["coredns-image"].image))
        self.notes.append(
            f"The node was upgraded in place from Kubernetes {running['kubernetes']} to {versions['kubernetes']}."
        )
        self.known.parts = programs
        # What it has by now is no longer what a new node of these parts begins with.
        self.known.unkept = ""
        self._save()

    def _upgrade_control_plane(self, kubernetes: Path, kubeadm: str, running: str, version: str) -> None:
        """Let kubeadm upgrade etcd, API server, controllers and scheduler one after the other. NodeError."""
        folder = "config/upgrade"
        self._write(
            {f"{folder}/kubeadm.yml": kubeadm, f"{folder}/upgrade.yml": yaml.safe_dump(upgrade.configuration(version))}
        )
        configured = ("--config", f"{config.STATE}/{folder}/kubeadm.yml")
        apply = ("upgrade", "apply", "--config", f"{config.STATE}/{folder}/upgrade.yml")
        try:
            for command in (("init", "phase", "upload-config", "all", *configured), apply):
                self._exec(kubernetes / "kubeadm", *command, timeout=UPGRADE_SECONDS)
        except NodeError as error:
            raise NodeError(
                f"The node could not be upgraded from Kubernetes {running} to {version}. What did not get ready kubeadm has put back, and no data are lost. "
                f"{error}\n{self._logs()} Run `make up` again, which goes on from there, or go back to the pins before."
            ) from None
        finally:
            shutil.rmtree(self.folder / "state" / folder)
        # Manifests and data from before.
        shutil.rmtree(self.folder / "state/etc-kubernetes/tmp", ignore_errors=True)
        # kubeadm makes it readable for every user.
        (self.folder / "state/kubelet/config.yaml").chmod(0o600)

    def _exchange_programs(self, parts: Mapping[str, PartPath]) -> None:
        """Restart the programs next to the control plane from these parts. Containers run on without them."""
        for name in config.PROGRAMS_OF:
            self._exec("ln", "--symbolic", "--force", "--no-dereference", parts[name].path, f"{config.PARTS}/{name}")
        supervisor = self._supervisor()
        supervisor.reloadConfig()
        runtime = ("containerd",) if parts["containerd"].digest != self.known.parts["containerd"] else ()
        for name in (*runtime, *config.CLUSTER_PROGRAMS):
            with contextlib.suppress(Fault):  # it does not run
                supervisor.stopProcess(name)
            supervisor.removeProcessGroup(name)
            supervisor.addProcessGroup(name)
        if runtime:
            self._wait("containerd", self._containerd_ready, timeout=30)
        self._start_programs(list(config.CLUSTER_PROGRAMS))

    def _control_plane_problem(self, kubernetes: Path) -> str | None:
        """What the kubelet says against its static pods, if they are not all ready."""
        asked = ("get", "--raw", f"/api/v1/nodes/{self.identity.name}/proxy/pods")
        try:
            pods = self._exec(kubernetes / "kubectl", "--kubeconfig", config.ADMIN_CONFIG, *asked)
        except NodeError as error:
            return str(error).splitlines()[-1]
        return upgrade.static_pods_problem(json.loads(pods)["items"] or [], CONTROL_PLANE_PROGRAMS)

    def _upgrade_dns(self, kubernetes: Path, image: str) -> None:
        """Roll CoreDNS out with this image, which may be another build under the same tag."""
        kubectl = (kubernetes / "kubectl", "--kubeconfig", config.ADMIN_CONFIG, "--namespace", "kube-system")
        self._exec(*kubectl, "set", "image", "deployment/coredns", f"coredns={image}")
        self._exec(*kubectl, "rollout", "restart", "deployment/coredns")

    def _rebuilt(self, parts: Mapping[str, PartPath]) -> list[str]:
        """Programs of the control plane that were rebuilt under the same tag, in which kubeadm sees no change."""
        manifests = self.folder / "state/etc-kubernetes/manifests"
        running = "".join(path.read_text() for path in manifests.glob("*.yaml"))
        changed = [name for name in CONTROL_PLANE if parts[name].digest != self.known.parts[name]]
        return [name.removesuffix("-image") for name in changed if f"image: {parts[name].image}\n" in running]

    def _due_certificates(self) -> list[str]:
        state = self.folder / "state"
        return certificates.due(state / "etc-kubernetes", state / "kubelet", datetime.now(UTC))

    def _renew_certificates(self, kubernetes: Path) -> bool:
        """Renew certificates that have ended, or end soon, and end what has read them; return whether there were any."""
        due = self._due_certificates() if self.known.initialized else []
        if not due:
            return False
        self.notes.append(
            f"The node's certificates are renewed, of which some have ended or end soon: {', '.join(due)}."
        )
        settings = ("--config", f"{config.STATE}/{config.KUBEADM}")
        self._exec(kubernetes / "kubeadm", "certs", "renew", "all", *settings)
        # The kubelet's own is no matter of that command. What the kubelet has renewed by itself counts less than what it is given.
        state = self.folder / "state"
        (state / "etc-kubernetes/kubelet.conf").unlink(missing_ok=True)
        # Its serving certificate it makes itself, where there is none.
        for path in (state / "kubelet/pki").iterdir():
            path.unlink()
        self._exec(kubernetes / "kubeadm", "init", "phase", "kubeconfig", "kubelet", *settings)
        self._make_users(kubernetes)
        for name in config.CLUSTER_PROGRAMS:
            with contextlib.suppress(Fault):  # it does not run
                self._supervisor().signalProcess(name, "KILL")
        self._end_control_plane()
        return True

    def _end_control_plane(self, programs: Collection[str] = CONTROL_PLANE_PROGRAMS) -> None:
        """End programs of it; the kubelet starts them again."""
        for process in self._running(programs):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _is_full(self) -> bool:
        """Whether etcd refuses to write. The API server is ready all the same."""
        with contextlib.suppress(OSError, http.client.HTTPException):  # it does not answer
            return bool(etcd.full(self._etcd()))
        return False

    def _make_room(self) -> bool:
        """Make room in etcd where it has reached its quota; return whether it had."""
        with contextlib.suppress(OSError, http.client.HTTPException):  # it does not answer yet
            return etcd.make_room(self._etcd())
        return False

    def _etcd(self) -> http.client.HTTPSConnection:
        return etcd.connection(self.identity.node_address, self.folder / "state/etc-kubernetes/pki")

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

    def _wait_for_api(self) -> bool:
        """Wait until the API server is ready; return whether etcd had to be made to write again."""
        changed = False

        def ready() -> str | None:
            nonlocal changed
            if self.process is None:
                raise NodeError(f"The node's processes have ended. {self._logs()}")
            problem = self._api_problem()
            # It can be ready with an etcd that refuses to write, and without one it does not become so.
            changed |= self._make_room()
            return problem

        self._wait("the API server to be ready", ready, timeout=180)
        return changed

    def _wait(self, what: str, look: Any, timeout: float) -> None:
        try:
            wait_for(what, look, timeout)
        except WaitError as error:
            raise NodeError(f"{error}. {self._logs()}") from None

    def _logs(self) -> str:
        return f"The logs are in {self.folder / 'state/log'}."
