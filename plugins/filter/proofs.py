# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what was proved."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.probe.sentences import sentence, sentences
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def proof_sentences(proofs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each proof's result, with the proof's name in front where there are several."""
    return sentences([(one.get("name", ""), one["result"]) for one in plain(proofs)])


def with_proofs(
    known: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]], blueprint: str, cluster: str
) -> dict[str, Any]:
    """What the stack's state keeps of proofs, by blueprint, with those of this blueprint. Those of another cluster are left out."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = plain(known)["proofs"] if known.get("cluster") == cluster else {}
    done = [
        {
            "name": one.get("name", ""),
            "at": now,
            "sentence": sentence(one["result"]),
            "latency_ms": one["result"].get("latency_ms") or {},
        }
        for one in plain(proofs)
        if one.get("blueprint") == blueprint
    ]
    return {"cluster": cluster, "proofs": {**kept, blueprint: done}}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters({"proof_sentences": proof_sentences, "with_proofs": with_proofs})
