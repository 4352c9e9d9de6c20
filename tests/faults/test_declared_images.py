"""Images from a real registry, from archives and Dockerfiles, by real tools: what can't be had, credentials, an edit, a killed build."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.action.toolchain import declare
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import ImageError, digest_of
from ansible_collections.localcloud.stack.plugins.module_utils.node.images import PartPath, running_containerd
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import image_layers
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory, Result
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.registries import (
    ANSWER_SECONDS,
    References,
    architecture,
)

PROJECT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "me", "of-the-test"
# The password's bcrypt hash, which is all that the registry takes.
HTPASSWD = f"{USER}:$2b$04$.H/8vI8TSEzRhZVIMEF2W.klh/Ss50pOsZ4sEj4FKfQKscoEH1wAC\n"
BUILD = """
import sys
from pathlib import Path
from ansible_collections.localcloud.stack.plugins.action.toolchain import declare
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.registries import References
project, cache, context = sys.argv[1:]
cache = Cache(Path(cache))
declared = declare({"web": {"build": {"context": context}}}, [], References(cache), True)
Builder(Inventory.read(Path(project), declared), cache, print).require(declared.images.values())
"""


def archive_of(path: Path, machine: str, **files: str) -> Path:
    """A docker-archive of one layer with these files."""

    def tar(members: dict[str, bytes]) -> bytes:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for name, text in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
        return content.getvalue()

    layer = tar({name: text.encode() for name, text in files.items()})
    config = {
        "architecture": machine,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["localhost/test:1"], "Layers": ["layer.tar"]}]
    path.write_bytes(
        tar(
            {
                "manifest.json": json.dumps(manifest).encode(),
                "config.json": json.dumps(config).encode(),
                "layer.tar": layer,
            }
        )
    )
    return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Registry:
    """A registry on this machine, with a password if there is one."""

    def __init__(self, folder: Path, protected: bool) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        folder.mkdir()
        (folder / "htpasswd").write_text(HTPASSWD)
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.host},
        }
        if protected:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
        (folder / "config.yml").write_text(json.dumps(config))
        command = ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", str(folder / "config.yml")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        name, port = self.host.split(":")
        while socket.socket().connect_ex((name, int(port))):
            assert self.process.poll() is None, "the registry ended"
            assert time.monotonic() < deadline, "the registry does not answer after 30 s"
            time.sleep(0.05)

    def push(self, archive: Path, name: str, *options: str) -> str:
        reference = f"{self.host}/{name}"
        subprocess.run(
            [
                "skopeo",
                "copy",
                "--quiet",
                "--dest-tls-verify=false",
                *options,
                f"docker-archive:{archive}",
                f"docker://{reference}",
            ],
            check=True,
        )
        return reference

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "registry", protected=False)
    yield made
    made.stop()


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "protected", protected=True)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without anybody's credentials."""
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., dict[str, Result]]:
    """Bring declared images into a cache of the test; the result of each part that is one, by the image's name."""

    def run(images: dict[str, Any], refresh: bool = False) -> dict[str, Result]:
        cache = Cache(tmp_path / "cache")
        declared = declare(images, [], References(cache, refresh), True)
        results = Builder(Inventory.read(PROJECT, declared), cache, print).require(declared.images.values())
        return {name: results[part] for name, part in declared.images.items()}

    return run


Build = Callable[..., dict[str, Result]]


def files_of(result: Result) -> dict[str, str]:
    """The files of an image's layers, the later ones above the earlier ones."""
    found = {}
    with tarfile.open(result.path / "image.tar") as image:
        for name in json.load(image.extractfile("manifest.json"))[0]["Layers"]:  # type: ignore[arg-type]
            with tarfile.open(fileobj=image.extractfile(name)) as layer:
                found |= {one.name: layer.extractfile(one).read().decode() for one in layer if one.isfile()}  # type: ignore[union-attr]
    return found


def test_an_image_is_pulled_once(tmp_path: Path, registry: Registry, build: Build) -> None:
    first = registry.push(archive_of(tmp_path / "a.tar", architecture(), a="one"), "web:1")
    images = {"web": {"pull": first}}
    made = build(images)["web"]
    assert made.built
    assert files_of(made) == {"a": "one"}
    assert (made.path / "image").read_text() == made.image == f"localhost/localcloud/web:{made.digest}"
    registry.push(archive_of(tmp_path / "b.tar", architecture(), a="two"), "web:1")
    assert build(images)["web"].digest == made.digest
    assert not build(images)["web"].built
    assert files_of(build(images, refresh=True)["web"]) == {"a": "two"}
    registry.stop()
    assert not build(images)["web"].built


def test_all_that_can_not_be_had_is_named_in_seconds(tmp_path: Path, registry: Registry, build: Build) -> None:
    good = registry.push(archive_of(tmp_path / "a.tar", architecture(), a="one"), "web:1")
    other = registry.push(archive_of(tmp_path / "b.tar", "riscv64", a="one"), "other:1")
    (tmp_path / "text.tar").write_text("no archive")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/Dockerfile").write_text(f"FROM {registry.host}/none:1\nCOPY . /web/\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        images = {
            "good": {"pull": good},
            "tag": {"pull": f"{registry.host}/web:2"},
            "name": {"pull": f"{registry.host}/nothing:1"},
            "other": {"pull": other},
            "dead": {"pull": f"127.0.0.1:{free_port()}/web:1"},
            "silent": {"pull": f"127.0.0.1:{silent.getsockname()[1]}/web:1"},
            "archive": {"archive": str(tmp_path / "text.tar")},
            "foreign": {"archive": str(archive_of(tmp_path / "c.tar", "riscv64", a="one"))},
            "base": {"build": {"context": str(tmp_path / "web")}},
        }
        begin = time.monotonic()
        with pytest.raises(ImageError) as caught:
            build(images)
    assert time.monotonic() - begin < ANSWER_SECONDS + 10
    said = dict(line.split(": ", 1) for line in str(caught.value).splitlines())
    assert {path.split(".")[1] for path in said} == images.keys() - {"good"}
    for path, words in {
        "images.tag.pull": "the registry does not have it",
        "images.name.pull": "the registry does not have it",
        "images.other.pull": f"is an image for riscv64, but this machine is {architecture()}",
        "images.dead.pull": "can't be reached",
        "images.silent.pull": "does not answer in time",
        "images.archive.archive": "is not a complete OCI or docker archive",
        "images.foreign.archive": "is an image for riscv64",
        "images.base.build.dockerfile": "the registry does not have it",
    }.items():
        assert words in said[path]
    assert not list((tmp_path / "cache").glob("parts/*")), "something was built"


@pytest.mark.parametrize("way", ["auth.json", "helper"])
def test_credentials_of_the_user_are_used(
    tmp_path: Path, protected: Registry, build: Build, home: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    archive = archive_of(tmp_path / "a.tar", architecture(), a="one")
    images = {"web": {"pull": protected.push(archive, "web:1", f"--dest-creds={USER}:{PASSWORD}")}}
    with pytest.raises(ImageError, match=f"log in with `skopeo login {protected.host}`"):
        build(images)
    if way == "auth.json":
        (tmp_path / "run/containers").mkdir(parents=True)
        known = {"auths": {protected.host: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
        (tmp_path / "run/containers/auth.json").write_text(json.dumps(known))
    else:
        (home / ".docker").mkdir(parents=True)
        (home / ".docker/config.json").write_text(json.dumps({"credHelpers": {protected.host: "test"}}))
        helper = home / "docker-credential-test"
        helper.write_text(f'#!/bin/sh\necho \'{{"Username": "{USER}", "Secret": "{PASSWORD}"}}\'\n')
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    assert files_of(build(images)["web"]) == {"a": "one"}
    for path in (tmp_path / "cache/logs").iterdir():
        assert PASSWORD not in path.read_text()


def test_archives_of_both_forms(tmp_path: Path, build: Build) -> None:
    docker = archive_of(tmp_path / "docker.tar", architecture(), a="one")
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"docker-archive:{docker}", f"oci-archive:{tmp_path / 'oci.tar'}:1"], check=True
    )
    images = {name: {"archive": str(tmp_path / f"{name}.tar")} for name in ("docker", "oci")}
    assert [files_of(one) for one in build(images).values()] == [{"a": "one"}] * 2
    assert not any(one.built for one in build(images).values())


def test_an_edit_is_one_layer_that_containerd_takes(
    tmp_path: Path, registry: Registry, build: Build, parts: dict[str, PartPath]
) -> None:
    base = registry.push(archive_of(tmp_path / "a.tar", architecture(), old="x" * 1_000_000), "base:1")
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "Dockerfile").write_text(f"FROM {base}\nWORKDIR /srv\nENV A=b\nCOPY src ./\n")
    (web / "src/app").write_text("one")
    images = {"web": {"build": {"context": str(web)}}}
    first = build(images)["web"]
    registry.stop()
    (web / "src/app").write_text("two")
    begin = time.monotonic()
    second = build(images)["web"]
    assert time.monotonic() - begin < 10
    assert files_of(second)["srv/app"] == "two"
    with running_containerd(tmp_path / "containerd", Path(parts["containerd"].path)) as ctr:
        ctr("images", "import", first.path / "image.tar")
        blobs = tmp_path / "containerd/io.containerd.content.v1.content/blobs/sha256"
        assert image_layers.write_missing(
            second.path / "image.tar", lambda digest: (blobs / digest).exists(), tmp_path / "missing.tar"
        )
        assert (tmp_path / "missing.tar").stat().st_size < 100_000
        ctr("images", "import", tmp_path / "missing.tar")
        lines = {line.split()[0]: line for line in ctr("images", "check").splitlines()[1:]}
        assert all("complete (4/4)" in lines[str(one.image)] for one in (first, second)), lines
    assert not build(images)["web"].built


def test_a_build_that_is_killed_leaves_nothing(tmp_path: Path, registry: Registry, build: Build) -> None:
    base = registry.push(archive_of(tmp_path / "a.tar", architecture(), a="one"), "base:1")
    web = tmp_path / "web"
    web.mkdir()
    # An edit of this one is a build.
    (web / "Dockerfile").write_text(f"FROM {base}\nCOPY . /web/\nENV A=b\n")
    command = [sys.executable, "-c", BUILD, str(PROJECT), str(tmp_path / "cache"), str(web)]
    killed = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not (begun := list((tmp_path / "cache/parts").glob(".image-web-*/.storage"))):
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no build after 60 s"
    working = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    psutil.wait_procs(working, timeout=30)
    assert begun
    assert not list((tmp_path / "cache/parts").glob("image-web-*"))
    assert files_of(build({"web": {"build": {"context": str(web)}}})["web"])["a"] == "one"
    assert not list((tmp_path / "cache/parts").glob(".image-web-*"))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
