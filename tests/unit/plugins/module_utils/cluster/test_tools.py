"""kind, kubectl and Helm: which are taken, and how others are fetched."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.tools import (
    TOOLS,
    ToolError,
    fetch,
    is_new_enough,
    release,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_parts

PROJECT = Path(__file__).resolve().parents[5]
SCRIPT = b"#!/bin/sh\necho fetched\n"


@pytest.mark.parametrize(
    ("name", "said", "enough"),
    [
        ("kind", "kind v0.33.0 go1.26.0 linux/amd64", True),
        ("kind", "kind v0.31.0 go1.25.0 linux/amd64", False),
        ("kind", "kind v1.0.0", True),
        ("kubectl", "Client Version: v1.34.2\nKustomize Version: v5.7.1", True),
        ("kubectl", "Client Version: v1.20.2", False),
        ("helm", "v4.3.2+gabc", True),
        ("helm", "v3.12.9+gabc", False),
        ("helm", "", False),
    ],
)
def test_what_is_new_enough(name: str, said: str, enough: bool) -> None:
    assert is_new_enough(TOOLS[name], said) is enough


def test_each_is_pinned_by_a_part() -> None:
    parts = project_parts(PROJECT)
    for name, tool in TOOLS.items():
        assert is_new_enough(tool, str(parts[tool.part].spec["version"])), name


@pytest.mark.parametrize(
    ("name", "system", "machine", "url", "sums"),
    [
        (
            "kind",
            "Linux",
            "x86_64",
            "https://kind.sigs.k8s.io/dl/v1.2.3/kind-linux-amd64",
            "https://kind.sigs.k8s.io/dl/v1.2.3/kind-linux-amd64.sha256sum",
        ),
        (
            "kubectl",
            "Darwin",
            "arm64",
            "https://dl.k8s.io/release/v1.2.3/bin/darwin/arm64/kubectl",
            "https://dl.k8s.io/release/v1.2.3/bin/darwin/arm64/kubectl.sha256",
        ),
        (
            "helm",
            "Linux",
            "aarch64",
            "https://get.helm.sh/helm-v1.2.3-linux-arm64.tar.gz",
            "https://get.helm.sh/helm-v1.2.3-linux-arm64.tar.gz.sha256sum",
        ),
    ],
)
def test_where_a_release_is(name: str, system: str, machine: str, url: str, sums: str) -> None:
    found = release(TOOLS[name], "v1.2.3", system, machine)
    assert (found.url, found.sums) == (url, sums)


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("FreeBSD", "amd64")])
def test_a_machine_that_has_no_release(system: str, machine: str) -> None:
    with pytest.raises(ToolError, match=f"no release for {system} on {machine}"):
        release(TOOLS["kind"], "v1.2.3", system, machine)


def archived(name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(SCRIPT)
        archive.addfile(member, io.BytesIO(SCRIPT))
    return content.getvalue()


def fetched(name: str, content: bytes, target: Path, sums: str | None = None) -> None:
    place = release(TOOLS[name], "v1.2.3", "Linux", "x86_64")
    said = sums if sums is not None else f"{hashlib.sha256(content).hexdigest()}  {name}\n"

    def read(url: str) -> bytes:
        return said.encode() if url == place.sums else content

    fetch(place, target, read)


@pytest.mark.parametrize(("name", "content"), [("kind", SCRIPT), ("helm", archived("linux-amd64/helm"))])
def test_a_release_is_a_command(tmp_path: Path, name: str, content: bytes) -> None:
    target = tmp_path / "tools" / name
    fetched(name, content, target)
    assert subprocess.run([target], capture_output=True, text=True, check=True).stdout == "fetched\n"
    assert os.listdir(target.parent) == [name]


@pytest.mark.parametrize(
    ("name", "content", "sums", "says"),
    [
        ("kind", SCRIPT, "0" * 64, "is not what its checksum"),
        ("kind", SCRIPT, "<html>", "has no checksum"),
        ("kind", SCRIPT, "", "has no checksum"),
        ("helm", archived("linux-amd64/tiller"), None, "no linux-amd64/helm"),
        ("helm", b"no archive", None, "no linux-amd64/helm"),
    ],
)
def test_what_is_not_a_release_is_not_kept(
    tmp_path: Path, name: str, content: bytes, sums: str | None, says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        fetched(name, content, tmp_path / "tools" / name, sums)
    assert not list(tmp_path.rglob(name))


def test_a_release_out_of_reach(tmp_path: Path) -> None:
    def read(url: str) -> bytes:
        raise OSError("Name or service not known")

    with pytest.raises(ToolError, match="can't be had: Name or service not known"):
        fetch(release(TOOLS["kind"], "v1.2.3", "Linux", "x86_64"), tmp_path / "kind", read)
