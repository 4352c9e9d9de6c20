# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker and Podman, as far as kind and images differ between them. Pure: the one place that says how."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

# By it kind is told, which else takes what it finds first.
KIND_VARIABLE = "KIND_EXPERIMENTAL_PROVIDER"


@dataclass(frozen=True)
class Engine:
    """A command that runs containers. C(name): the command, and kind's name of it. C(title): as messages call it."""

    name: str
    title: str
    # What `info` is asked for, and whether its answer says that the machine has cgroup v1.
    info_format: str
    # Words by which one archive gets several images.
    several_images: tuple[str, ...] = ()
    # Words by which a container is removed without 10 s for its own end.
    at_once: tuple[str, ...] = ()
    # Whether volumes that kind makes for nodes stay when these are removed.
    keeps_volumes: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """The environment that kind needs, to use this one and no other."""
        return {KIND_VARIABLE: self.name}

    def has_old_cgroups(self, said: str) -> bool:
        """Whether the machine of the containers has cgroup v1, by what C(info) says (JSON)."""
        try:
            info = json.loads(said.strip() if self is PODMAN else said.strip().splitlines()[-1])
            found = info["host"]["cgroupVersion"] if self is PODMAN else info["CgroupVersion"]
        except (ValueError, LookupError, TypeError):
            return False
        return str(found).removeprefix("v") == "1"


DOCKER = Engine("docker", "Docker", "{{json .}}")
PODMAN = Engine(
    "podman", "Podman", "json", several_images=("--multi-image-archive",), at_once=("--time", "0"), keeps_volumes=True
)
ENGINES: t.Mapping[str, Engine] = {one.name: one for one in (DOCKER, PODMAN)}
