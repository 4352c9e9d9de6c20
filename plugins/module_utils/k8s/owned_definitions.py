# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates CustomResourceDefinitions from files, with the owner's label. Those that exist stay as they are."""

from __future__ import annotations

import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import PARALLEL, ApiError, CreatingApi, existing

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KIND = "CustomResourceDefinition"
# The head of a file as controller-gen writes it; the rest is a schema of up to a megabyte, which is not parsed here.
HEAD = re.compile(rf"\A(?:---\n)?apiVersion: apiextensions\.k8s\.io/v1\nkind: {KIND}\nmetadata:\n((?:  .*\n)*)")
NAME = re.compile(r"^  name: ([a-z0-9.-]+)$", re.M)


class Definition(t.NamedTuple):
    """A definition's name (plural and group) and its YAML."""

    name: str
    text: str


def read(folders: t.Iterable[str], owner: str) -> list[Definition]:
    """The definitions of these folders, each with the owner's label. Raises OSError, and ValueError for another file."""
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.yaml"))
    return [labelled(path.read_text(), owner, str(path)) for path in files]


def labelled(text: str, owner: str, where: str) -> Definition:
    """A definition from its file's text, with the owner's label. Raises ValueError."""
    head = HEAD.match(text)
    name = NAME.search(head[1]) if head else None
    if head is None or name is None or "  labels:\n" in head[1] or "\n---" in text[head.end() :]:
        raise ValueError(f"{where} is not one {KIND} without labels, as controller-gen writes it")
    label = f"  labels:\n    {OWNER}: {owner!r}\n"
    return Definition(name[1], f"{text[: head.start(1)]}{label}{text[head.start(1) :]}")


def create(api: CreatingApi, definitions: t.Sequence[Definition], check_mode: bool = False) -> list[str]:
    """Create those definitions that are not there; names of these. Raises ApiError."""

    def is_new(one: Definition) -> bool:
        if check_mode:
            return existing(api, f"{PATH}/{one.name}") is None
        try:
            api.create(PATH, one.text)
        except ApiError as error:
            if error.status == 409:  # another owner's, or ours of an earlier run
                return False
            raise
        return True

    with ThreadPoolExecutor(PARALLEL) as pool:
        return [one.name for one, new in zip(definitions, pool.map(is_new, definitions), strict=True) if new]
