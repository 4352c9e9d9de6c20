# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small views of what the toolchain built and what the machine has."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def registry_references(parts: Sequence[Mapping[str, Any]], registry: str) -> list[str]:
    """The references under which these parts' images are in a registry: its address, then their own last name."""
    return [f"{registry}/{part['image'].rsplit('/', 1)[-1]}" for part in parts if part["image"]]


def part_images(parts: Mapping[str, Mapping[str, Any]], registry: str = "") -> dict[str, str]:
    """Image reference of each part that is an image, by the part's name; in `registry` if one is given."""
    images = {name: part for name, part in parts.items() if part["image"]}
    if not registry:
        return {name: part["image"] for name, part in images.items()}
    return dict(zip(images, registry_references(list(images.values()), registry), strict=True))


def command_paths(names: Sequence[str]) -> dict[str, str]:
    """Where these commands are on the controller; an empty string for one that is not there."""
    return {name: shutil.which(name) or "" for name in names}


def folder_digest(folder: str) -> str:
    """Digest of all files below a folder, symbolic links followed."""
    digest = hashlib.sha256()
    pending = [Path(folder)]
    while pending:
        path = pending.pop()
        if path.is_dir():
            pending.extend(sorted(path.iterdir(), reverse=True))
        else:
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {
            "registry_references": registry_references,
            "part_images": part_images,
            "command_paths": command_paths,
            "folder_digest": folder_digest,
        }
