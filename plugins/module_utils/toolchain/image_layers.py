# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One more layer for the image in an archive, written as container tools would, without running one.

What is written is what `docker save` writes since version 25: an OCI layout with a manifest.json. Blobs are named by their digests, so that
those which a node has can be left out.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import digest_of

from .dockerfile import Copy, is_within

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EPOCH = "1970-01-01T00:00:00Z"


def folders(archive: Path) -> list[str]:
    """The folders of a docker-archive's image, and links, which may lead to one; paths without the slash in front."""
    found: set[str] = set()
    with tarfile.open(archive) as image:
        for name in _manifest(image)["Layers"]:
            with tarfile.open(fileobj=_member(image, name)) as layer:
                for member in layer:
                    path = PurePosixPath(member.name.removeprefix("./"))
                    removed = path.name.removeprefix(".wh.")
                    if removed != path.name:
                        found.discard(str(path.with_name(removed)))
                    elif member.isdir() or member.issym():
                        found.add(str(path))
    return sorted(found)


def add_layer(
    base: Path, known: Sequence[str], copies: Sequence[Copy], files: Mapping[str, Path], name: str, target: Path
) -> None:
    """Write the image of a docker-archive with one more layer, under a name, to another archive.

    C(known): folders() of the image. C(files): the context's files, by their paths in it.
    """
    with tarfile.open(base) as image, tarfile.open(target, "w") as out:
        manifest = _manifest(image)
        config = json.load(_member(image, manifest["Config"]))
        folder = config["config"].get("WorkingDir") or "/"
        layer = layer_of(placed(copies, files, folder, known), known)
        blobs = [
            _blob(digest, _size(image, path))
            for digest, path in zip(config["rootfs"]["diff_ids"], manifest["Layers"], strict=True)
        ]
        for blob, path in zip(blobs, manifest["Layers"], strict=True):
            _add(out, _path(blob), _member(image, path), blob["size"])
        blobs.append(_write(out, layer))
        config["rootfs"]["diff_ids"].append(blobs[-1]["digest"])
        for copy in copies:
            said = f"COPY {' '.join(one or '.' for one in copy.sources)} {copy.destination}"
            config.setdefault("history", []).append(
                {"created": EPOCH, "created_by": said, "empty_layer": copy is not copies[-1]}
            )
        written = {**_write(out, _json(config)), "mediaType": CONFIG}
        layers = [{**blob, "mediaType": LAYER} for blob in blobs]
        top = _write(out, _json({"schemaVersion": 2, "mediaType": MANIFEST, "config": written, "layers": layers}))
        annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        index = {"schemaVersion": 2, "manifests": [{**top, "mediaType": MANIFEST, "annotations": annotations}]}
        for path, content in (
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
            ("index.json", index),
            (
                "manifest.json",
                [{"Config": _path(written), "RepoTags": [name], "Layers": [_path(blob) for blob in blobs]}],
            ),
        ):
            _add(out, path, io.BytesIO(_json(content)), len(_json(content)))


def write_missing(archive: Path, has: Callable[[str], bool], target: Path) -> bool:
    """Write an archive of add_layer() without those blobs (hexadecimal digests) that its reader has; False if it is another archive.

    containerd takes one that lacks what it has, but reads and digests all that is in it.
    """
    with tarfile.open(archive) as image:
        members = image.getmembers()
        if "oci-layout" not in (member.name for member in members):
            return False
        with tarfile.open(target, "w") as out:
            for member in members:
                # The other list of layers is for tools that don't read OCI layouts.
                if member.name != "manifest.json" and not (
                    member.name.startswith("blobs/") and has(member.name.rpartition("/")[2])
                ):
                    out.addfile(member, image.extractfile(member))
    return True


def placed(copies: Sequence[Copy], files: Mapping[str, Path], folder: str, known: Sequence[str]) -> dict[str, Path]:
    """Where COPY puts the context's files, by their paths in the image; relative destinations are in C(folder)."""
    found = {}
    for copy in copies:
        destination = PurePosixPath(folder, copy.destination)
        into = copy.destination.endswith(("/", ".")) or len(copy.sources) > 1 or str(destination)[1:] in known
        for source in copy.sources:
            for name, path in files.items():
                if name == source:
                    to = destination / PurePosixPath(name).name if into else destination
                elif is_within(name, source):
                    to = destination / name.removeprefix(f"{source}/" if source else "")
                else:
                    continue
                found[str(to)[1:]] = path
    return found


def layer_of(files: Mapping[str, Path], known: Sequence[str]) -> bytes:
    """A layer with these files, owned by root and readable by all, and with those folders that are not known."""
    there = set(known)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        for name, path in sorted(files.items()):
            for parent in reversed(PurePosixPath(name).parents[:-1]):
                if str(parent) not in there:
                    there.add(str(parent))
                    made = tarfile.TarInfo(str(parent))
                    made.type, made.mode = tarfile.DIRTYPE, 0o755
                    layer.addfile(made)
            member = tarfile.TarInfo(name)
            if path.is_symlink():
                member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
                layer.addfile(member)
                continue
            text = path.read_bytes()
            member.size, member.mode = len(text), 0o755 if path.stat().st_mode & 0o100 else 0o644
            layer.addfile(member, io.BytesIO(text))
    return content.getvalue()


def _manifest(image: tarfile.TarFile) -> dict[str, Any]:
    (manifest,) = json.load(_member(image, "manifest.json"))
    return dict(manifest)


def _member(image: tarfile.TarFile, name: str) -> Any:
    member = image.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is not a file")
    return member


def _size(image: tarfile.TarFile, name: str) -> int:
    return _member(image, name).seek(0, io.SEEK_END)  # type: ignore[no-any-return]


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _blob(digest: str, size: int) -> dict[str, Any]:
    return {"digest": digest, "size": size}


def _path(blob: Mapping[str, Any]) -> str:
    return f"blobs/sha256/{blob['digest'].partition(':')[2]}"


def _write(out: tarfile.TarFile, content: bytes) -> dict[str, Any]:
    blob = _blob(digest_of(content), len(content))
    _add(out, _path(blob), io.BytesIO(content), blob["size"])
    return blob


def _add(out: tarfile.TarFile, path: str, content: BinaryIO | Any, size: int) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o644
    out.addfile(member, content)
