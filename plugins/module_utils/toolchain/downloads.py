# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What building leaves next to its results: downloads and the compilers' own caches, several times as large. All can be had again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from .cache import Cache, remove

# Of the folders in the cache: those of builds, and fetched bundles and wheels. A set-up that runs may be using uv's.
OF_BUILDS = ("go", "maven")
ALL = (*OF_BUILDS, "downloads", "pip")
# Texts of the licences of what is linked into programs; who passes these on passes on the texts, too.
LICENCES = "licences"
LICENCE_FILE = re.compile(r"^(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT|UNLICENSE)", re.I)


def give_up(cache: Cache, folders: Collection[str] = OF_BUILDS) -> int | None:
    """Delete these folders but for the licences in them; return how many bytes that were, None if a process builds just now."""

    def delete() -> int:
        if "go" in folders:
            keep_licences(cache.root)
        there = [cache.root / name for name in folders if (cache.root / name).is_dir()]
        size = sum(map(size_of, there))
        for folder in there:
            # It is none from this moment on, also if this is killed.
            leaving = folder.with_name(f".{folder.name}")
            remove(leaving)
            folder.rename(leaving)
            remove(leaving)
        return size

    return cache.alone(delete)


def size_of(folder: Path) -> int:
    """The bytes of a folder's files."""
    return sum(
        os.lstat(os.path.join(root, name)).st_size for root, _folders, files in os.walk(folder) for name in files
    )


def keep_licences(root: Path) -> None:
    """Copy the licences of downloaded Go modules to where they stay, by the modules' paths in Go's module cache."""
    modules = root / "go/mod"
    for module in module_folders(modules):
        for name in os.listdir(module):
            path = os.path.join(module, name)
            if LICENCE_FILE.match(name) and os.path.isfile(path):
                target = root / LICENCES / os.path.relpath(module, modules)
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / name)


def module_folders(modules: Path) -> Iterator[str]:
    """The folders of a module cache that are a module's, path@version."""
    for folder, names, _files in os.walk(modules):
        if folder == str(modules) and "cache" in names:
            names.remove("cache")
        found = [name for name in names if "@v" in name]
        yield from (os.path.join(folder, name) for name in found)
        names[:] = [name for name in names if name not in found]
