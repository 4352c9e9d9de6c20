# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images that are declared: what is wrong with them, and how each gets into a cluster that is not ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker_images import docker_parts
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import (
    declared_images,
    delivered,
    delivery_problems,
    image_problems,
    reference_elsewhere,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import application_images, project_parts
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def problems(images: Any, project: str, where: str = "images") -> list[str]:
    """A sentence for everything that is wrong with declared images."""
    return image_problems(images, where, application_images(project_parts(Path(project))))


def image_plan(images: Mapping[str, Any], way: str, project: str) -> dict[str, Any]:
    """Of declared images: those that are C(delivered) in this way, references of the C(published) others, and C(problems)."""
    built = docker_parts(Path(project))
    declared = declared_images(images)
    return {
        "delivered": {one.name: images[one.name] for one in declared if delivered(one, way, built)},
        "published": {one.name: found for one in declared if (found := reference_elsewhere(one, way, built))},
        "problems": delivery_problems(images, way, built),
    }


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters({"image_problems": problems, "image_plan": image_plan})
