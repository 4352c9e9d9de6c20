# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small views of what the toolchain built and what the machine has."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.cluster import docker_network
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def part_images(parts: Mapping[str, Mapping[str, Any]], registry: str = "") -> dict[str, str]:
    """Image reference of each part that is an image, by the part's name; in `registry` under its own last name."""
    images = {name: str(part["image"]) for name, part in parts.items() if part["image"]}
    if registry:
        return {name: f"{registry}/{image.rsplit('/', 1)[-1]}" for name, image in images.items()}
    return images


def images_by_digest(images: Mapping[str, str], pushed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The references in `images`, of those that a loop over image_push (`pushed`, its results) has a digest of by that digest."""
    digests = {one["item"]: one["manifest_digest"] for one in pushed if one.get("manifest_digest")}
    return {
        name: f"{image.rpartition(':')[0]}@{digests[name]}" if name in digests else image
        for name, image in images.items()
    }


def command_paths(names: Sequence[str]) -> dict[str, str]:
    """Where these commands are on the controller; an empty string for one that is not there."""
    return {name: shutil.which(name) or "" for name in names}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "part_images": part_images,
                "images_by_digest": images_by_digest,
                "command_paths": command_paths,
                "ipv4_gateway": docker_network.ipv4_gateway,
            }
        )
