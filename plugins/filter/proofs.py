# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what was proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.probe.sentences import sentences
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def proof_sentences(proofs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each proof's result, with the proof's name in front where there are several."""
    return sentences([(one.get("name", ""), one["result"]) for one in plain(proofs)])


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters({"proof_sentences": proof_sentences})
