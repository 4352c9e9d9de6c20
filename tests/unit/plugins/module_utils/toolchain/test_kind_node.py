"""What goes into a node's image for kind, and how it is written."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.kind_node import (
    names_for,
    sandbox_image,
    write_archive,
)


def test_the_image_of_sandboxes() -> None:
    config = (
        'version = 2\n[plugins."cri"]\n  # use fixed sandbox image\n  sandbox_image = "registry.example/pause:3.10"\n'
    )
    assert sandbox_image(config) == "registry.example/pause:3.10"
    with pytest.raises(ValueError):
        sandbox_image("version = 2\n")


def test_a_part_stands_for_the_image_of_its_name(tmp_path: Path) -> None:
    for part in ("kube-apiserver", "coredns-image", "pause"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "image.tar").touch()
    # A program is no image.
    (tmp_path / "kubernetes").mkdir()
    needs = {path.name: path for path in tmp_path.iterdir()}
    wanted = [
        "r/kube-apiserver:v1",
        "r/kube-proxy:v1",
        "r/coredns/coredns:v1.12.1",
        "r:5000/pause:3.10",
        "r/kubernetes:1",
    ]
    assert names_for(wanted, needs) == {
        "r/kube-apiserver:v1": needs["kube-apiserver"],
        "r/coredns/coredns:v1.12.1": needs["coredns-image"],
        "r:5000/pause:3.10": needs["pause"],
    }


def test_an_archive_is_one_that_docker_loads(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    layer = tmp_path / "layer.tar"
    with tarfile.open(layer, "w") as out:
        out.add(tmp_path / "file", "etc/file")
    write_archive(layer, "localhost/node:1", tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        members = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    (manifest,) = json.loads(members["manifest.json"])
    assert manifest["RepoTags"] == ["localhost/node:1"]
    config = members[manifest["Config"]]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    (content,) = (members[name] for name in manifest["Layers"])
    assert content == layer.read_bytes()
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
