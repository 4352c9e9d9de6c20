# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about who owns what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common import ownership
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def foreign_problems(rows: Sequence[Mapping[str, Any]], ways_on: str) -> list[str]:
    """A sentence about all objects that others own, each once, with what the user can do; nothing where there is none."""
    once = {ownership.label(one): one for one in plain(rows)}
    return ownership.foreign_problems(once.values(), ways_on)


def kept_objects(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each object that a removal leaves where it is, with the reason."""
    return [f"{ownership.label(one)} stays: {one['reason']}" for one in plain(rows)]


def object_labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Kind, name and namespace of each object, as messages have them."""
    return [ownership.label(one) for one in plain(rows)]


def derived_owner(folder: str, stack: str = "") -> str:
    """The default owner: of this checkout's stack, else of a playbook's folder."""
    return ownership.derived_owner(str(folder), str(stack))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "derived_owner": derived_owner,
                "foreign_problems": foreign_problems,
                "kept_objects": kept_objects,
                "object_labels": object_labels,
            }
        )
