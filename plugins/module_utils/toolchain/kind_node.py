# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node's image for kind, as `kind build node-image` makes one, of Debian, kind's own files and our parts: no container registry is needed.

The control plane's images are in its containerd already, under the names that kubeadm asks for.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

from .cache import remove
from .containerd import IMPORT, images_config

if t.TYPE_CHECKING:
    from .recipes import Workshop

# What a node runs, by the part it is of.
PROGRAMS = {
    "kubernetes": ("kubeadm", "kubelet", "kubectl", "kube-proxy"),
    "kube-router": ("kube-router",),
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "runc": ("runc",),
}
CONTAINERD_SECONDS = 30


def build_kind_node(shop: Workshop, out: Path) -> None:
    """The image, `out/image.tar`, as `docker save` writes it."""
    root = out / ".root"
    shop.debian(root)
    module = shop.module_source(f"{shop.part.spec['module']}@{shop.part.spec['version']}")
    for files in (module / shop.part.spec["source"], shop.folder / "files"):
        shutil.copytree(files, root, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for part, names in PROGRAMS.items():
        for name in names:
            shutil.copy(shop.needs[part] / name, root / "usr/bin")
    (root / "kind/version").write_text(shop.part.spec["kubernetes"])
    shutil.copyfile(shop.folder / "setup.sh", root / "setup.sh")
    shop.run("chroot", root, "sh", "-eu", "/setup.sh")
    (root / "setup.sh").unlink()
    wanted = subprocess.run(  # pylint: disable=ansible-bad-function
        [shop.needs["kubernetes"] / "kubeadm", "config", "images", "list", f"--kubernetes-version={shop.part.spec['kubernetes']}"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    sandbox = sandbox_image((root / "etc/containerd/config.toml").read_text())
    import_images(shop, root, names_for([*wanted, sandbox], shop.needs))
    layer = out / ".layer.tar"
    shop.run("tar", "--create", "--numeric-owner", "--exclude=./dev/*", f"--file={layer}", f"--directory={root}", ".")
    remove(root)
    name = shop.image or ""
    write_archive(layer, name, out / "image.tar")
    (out / "image").write_text(name)
    layer.unlink()


def sandbox_image(config: str) -> str:
    """Which image a containerd's configuration (TOML) names for sandboxes."""
    (found,) = re.findall(r'^\s*sandbox_image = "([^"]+)"$', config, re.M)
    return str(found)


def names_for(wanted: Iterable[str], needs: Mapping[str, Path]) -> dict[str, Path]:
    """Archive of each image that is wanted and that a part is: `coredns` is the image of the part coredns-image."""
    found = {}
    for name in wanted:
        short = name.rpartition(":")[0].rpartition("/")[2]
        part = next(
            (one for one in (short, f"{short}-image") if (needs.get(one, Path()) / "image.tar").is_file()), None
        )
        if part:
            found[name] = needs[part]
    return found


def import_images(shop: Workshop, root: Path, parts: Mapping[str, Path]) -> None:
    """Put these parts' images into a root folder's containerd, each under this name."""
    with containerd(shop, root / "var/lib/containerd") as socket:
        ctr = (shop.needs["containerd"] / "ctr", "--address", socket, "--namespace", "k8s.io")
        for name, part in parts.items():
            # A container's start unpacks what it needs.
            shop.run(*ctr, *IMPORT, "--no-unpack", part / "image.tar")
            shop.run(*ctr, "images", "tag", "--force", (part / "image").read_text(), name)


@contextmanager
def containerd(shop: Workshop, root: Path) -> Iterator[str]:
    """A containerd without Kubernetes for this root folder, while it is used; its socket."""
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as state:
        socket = f"{state}/socket"
        (Path(state) / "config.toml").write_text(images_config(str(root), f"{state}/run", socket))
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["setpriv", "--pdeathsig", "TERM", shop.needs["containerd"] / "containerd", "--config", f"{state}/config.toml"],
            stdin=subprocess.DEVNULL, stdout=shop.log, stderr=shop.log, env=dict(os.environ),
        )  # fmt: skip

        def there() -> str | None:
            if process.poll() is not None:
                raise subprocess.CalledProcessError(process.returncode, process.args)
            return None if Path(socket).exists() else "no socket yet"

        try:
            wait_for("containerd to listen", there, timeout=CONTAINERD_SECONDS)
            yield socket
        finally:
            process.terminate()
            process.wait(CONTAINERD_SECONDS)


# kind gives the container its command.
CONFIG: t.Any = {
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"],
        # On cgroup v1 systemd keeps to it: the unified hierarchy beside it is the machine's.
        "Entrypoint": [
            "/usr/local/bin/entrypoint",
            "/sbin/init",
            "systemd.unified_cgroup_hierarchy=0",
            "systemd.legacy_systemd_cgroup_controller=1",
        ],
        "StopSignal": "SIGRTMIN+3",
    },
}


def write_archive(layer: Path, name: str, target: Path) -> None:
    """Write an image of one layer under this name, as `docker save` wrote it before version 25."""
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    config = json.dumps({**CONFIG, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(target, "w") as out:
        for path, text in ((config_name, config), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text), 0o644
            out.addfile(member, io.BytesIO(text))
        out.add(layer, f"{digest}/layer.tar")
