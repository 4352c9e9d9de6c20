# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what a user has set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.extra_vars import text_problem
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def text_problems(settings: Mapping[str, Any], wanted: str = "list") -> list[str]:
    """A sentence for each of these settings, by name, that is text where a list (or a map) is wanted."""
    found = [text_problem(name, value, wanted) for name, value in settings.items()]
    return [one for one in found if one]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters({"text_problems": text_problems})
