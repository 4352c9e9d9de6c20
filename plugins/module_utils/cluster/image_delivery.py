# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How our applications' images get into a cluster that we did not make. Pure: the rule and its messages."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

from .engine import ENGINES

# Contexts of clusters that run in Docker's own engine and see its images.
DOCKER_CONTEXTS = frozenset({"docker-desktop", "docker-for-desktop", "orbstack"})
KIND_PREFIX = "kind-"
# parts: as kind, but built without Docker and without container registries, as for the embedded node.
WAYS = ("registry", "kind", "parts", "docker", "public")
BY_KIND = ("kind", "parts")


class DeliveryError(ModuleError):
    """The wanted way can't be taken; the message says why and what to do."""


class Delivery(t.NamedTuple):
    """C(way): one of WAYS. C(kind_cluster): name of the kind cluster to load images into, if any."""

    way: str
    kind_cluster: str = ""


def choose_delivery(wanted: str, context: str, registry: str, commands: t.Collection[str]) -> Delivery:
    """The way of the images. Raises DeliveryError.

    C(wanted): auto or one of WAYS. C(registry): one that the cluster pulls from, or nothing. C(commands): which of
    docker, podman and kind this machine has. By itself a registry comes first, then what fits the context's name
    (kind names it kind-<cluster>), else the seed's public images.
    """
    way = _by_itself(context, registry, commands) if wanted == "auto" else wanted
    if way == "registry" and not registry:
        raise DeliveryError("Images are to come from a registry, but none is named. Set apps_image_registry.")
    engine = next((name for name in ENGINES if name in commands), "docker")
    needed = {**dict.fromkeys(BY_KIND, ("kind", engine)), "docker": ("docker",)}.get(way, ())
    missing = [name for name in needed if name not in commands]
    if missing:
        raise DeliveryError(
            f"Images are to be delivered by '{way}', but {' and '.join(missing)} is not on this machine. Install it, or "
            "set apps_image_registry, or take the seed's public images with apps_image_delivery=public."
        )
    if way in BY_KIND and not context.startswith(KIND_PREFIX):
        raise DeliveryError(
            f"Images are to be loaded by kind, but the context '{context}' is not a kind cluster's (kind-<name>). Set "
            "apps_image_registry, or take the seed's public images with apps_image_delivery=public."
        )
    return Delivery(way, context.removeprefix(KIND_PREFIX) if way in BY_KIND else "")


def _by_itself(context: str, registry: str, commands: t.Collection[str]) -> str:
    if registry:
        return "registry"
    if context.startswith(KIND_PREFIX) and "kind" in commands and not set(ENGINES).isdisjoint(commands):
        return "kind"
    if context in DOCKER_CONTEXTS and "docker" in commands:
        return "docker"
    return "public"
