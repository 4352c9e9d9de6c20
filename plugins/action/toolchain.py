# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, so that long builds can say how far they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import (
    declared_images,
    image_problems,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import ImageError
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import downloads
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import (
    Builder,
    BuildError,
    Inventory,
    Result,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.declared import (
    Wanted,
    build_problems,
    pulled_references,
    wanted,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import (
    PartsError,
    application_images,
    project_parts,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import COMPILING
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.registries import References, look
from ansible_collections.localcloud.stack.plugins.plugin_utils import told

display = Display()


class ActionModule(told.Action):
    """Make sure that parts of the embedded node are built. See the module's documentation."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if problem := missing_packages("filelock", "yaml"):
            raise AnsibleActionFail(problem)
        arguments = self.validate_argument_spec(
            argument_spec={
                "project": {"type": "path", "required": True},
                "parts": {"type": "list", "elements": "str", "required": True},
                "images": {"type": "dict", "default": {}},
                "refresh": {"type": "bool", "default": False},
                "build": {"type": "bool", "default": True},
                "keep_downloads": {"type": "bool", "default": True},
                "kubernetes": {"type": "str", "default": ""},
                "cache": {"type": "path"},
            }
        )[1]
        cache = Cache(Path(arguments["cache"]) if arguments["cache"] else default_root())
        try:
            project = Path(arguments["project"])
            parts_of_images = application_images(project_parts(project))
            references = References(cache, arguments["refresh"])
            declared = declare(arguments["images"], parts_of_images, references, not self._task.check_mode)
            inventory = Inventory.read(project, declared, arguments["kubernetes"])
            parts = list(dict.fromkeys([*arguments["parts"], *declared.images.values()]))
            images = {
                name: inventory.parts[part].image(inventory.digests[part]) for name, part in declared.images.items()
            }
            builder = Builder(inventory, cache, say)
            missing = builder.missing(parts)
            if self._task.check_mode and missing:
                # What is only imported or pushed can be reported before it is there.
                known = all(inventory.parts[name].image("") for name in missing)
                return result(True, missing, builder.known(parts) if known else {}, images, declared, inventory)
            if missing and not arguments["build"]:
                raise BuildError(not_built(missing, inventory))
            # What is built here is read in images by other users; the process is this task's own.
            os.umask(0o022)
            results = builder.require(parts)
            if not arguments["keep_downloads"] and any(inventory.parts[name].recipe in COMPILING for name in missing):
                give_up_downloads(cache)
        except (BuildError, ImageError, PartsError, OSError) as error:
            raise AnsibleActionFail(str(error)) from error
        return result(bool(missing), missing, results, images, declared, inventory)


def result(
    changed: bool,
    missing: list[str],
    results: Mapping[str, Result],
    images: Mapping[str, str | None],
    declared: Wanted,
    inventory: Inventory,
) -> dict[str, Any]:
    """What the module returns."""
    return {
        "changed": changed,
        "missing": missing,
        "parts": {
            one.name: {"path": str(one.path), "digest": one.digest, "image": one.image} for one in results.values()
        },
        "images": images,
        "image_parts": declared.images,
        "versions": versions(inventory),
    }


def declare(
    images: Mapping[str, Any], application_parts: Collection[str], references: References, keep: bool
) -> Wanted:
    """The parts of declared images. Raises ImageError with all that is wrong with them or can't be had."""
    if problems := image_problems(images, "images", application_parts):
        raise ImageError("\n".join(problems))
    declared = declared_images(images)
    problems = build_problems(declared)
    readable = [image for image in declared if not image.build or not build_problems([image])]
    pulled = pulled_references(readable)
    digests, archives, unavailable = look(declared, pulled, references, keep)
    if problems or unavailable:
        raise ImageError("\n".join([*problems, *unavailable]))
    return wanted(declared, digests, archives)


def say(line: str) -> None:
    """Print a line of progress."""
    display.display(f"  toolchain: {printable(line)}")


def give_up_downloads(cache: Cache) -> None:
    """Free what building has left next to its results, unless another process builds."""
    if freed := downloads.give_up(cache):
        say(
            f"{freed / 1024**3:.1f} GiB of module downloads and compilers' caches are given up, as all is built. Who changes parts "
            "keeps them by cluster_keep_downloads=true."
        )


def not_built(missing: Collection[str], inventory: Inventory) -> str:
    """What is missing where nothing is to be built, as a bundle was to bring all."""
    wanted = [name for name in missing if inventory.parts[name].image("")] or missing
    return (
        f"{', '.join(wanted)} is not in the cache, and nothing is to be built (cluster_build_parts=false), as the bundle was to bring all. Take a bundle "
        "with this blueprint and engine (`make bundle` on a machine that builds), or run `make up` without BUNDLE where Go and registries are in reach."
    )


def versions(inventory: Inventory) -> dict[str, str]:
    """The pinned version of each part that has one."""
    return {name: part.spec["version"] for name, part in inventory.parts.items() if "version" in part.spec}
