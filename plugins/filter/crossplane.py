# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about a Crossplane that several use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import installation as crossplane_presence
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def shared_providers(
    declared: Sequence[Mapping[str, Any]], kinds: Sequence[str], others: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Which of the declared providers are installed (own), which Providers of others are used, and what speaks against it."""
    return crossplane_presence.share(plain(declared), plain(kinds), plain(others))._asdict()


def existing_config_problems(difference: Mapping[str, Any], endpoint: str, kinds: Sequence[str]) -> list[str]:
    """Why the configurations that crossplane_diff compared can't be used as they are, a sentence each."""
    return crossplane_presence.existing_config_problems(plain(difference), endpoint, plain(kinds))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {"shared_providers": shared_providers, "existing_config_problems": existing_config_problems}
        )
