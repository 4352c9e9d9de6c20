# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small views of what the toolchain built and what the machine has."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def part_images(parts: Mapping[str, Mapping[str, Any]], registry: str = "") -> dict[str, str]:
    """Image reference of each part that is an image, by the part's name; in `registry` under its own last name."""
    images = {name: str(part["image"]) for name, part in parts.items() if part["image"]}
    if registry:
        return {name: f"{registry}/{image.rsplit('/', 1)[-1]}" for name, image in images.items()}
    return images


def command_paths(names: Sequence[str]) -> dict[str, str]:
    """Where these commands are on the controller; an empty string for one that is not there."""
    return {name: shutil.which(name) or "" for name in names}


def folder_digest(folder: str) -> str:
    """Digest of all files below a folder, symbolic links followed."""
    return digest_of([Path(folder)])


def digest_of(paths: Sequence[Path]) -> str:
    """Digest of files and of all files below folders, symbolic links followed, in this order."""
    digest = hashlib.sha256()
    pending = list(reversed(paths))
    while pending:
        path = pending.pop()
        if path.is_dir():
            # What tools keep for themselves (.coverage, .hypothesis) says nothing of what is built.
            kept = (one for one in path.iterdir() if one.name != "__pycache__" and not one.name.startswith("."))
            pending.extend(sorted(kept, reverse=True))
        else:
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {
            "part_images": part_images,
            "command_paths": command_paths,
            "folder_digest": folder_digest,
        }
