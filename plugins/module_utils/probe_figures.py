# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of the probe's events: how long they took, how many are lost or came twice. Pure: no boto3, no Ansible."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.probe_event import HOPS, latencies

Json = dict[str, t.Any]


class Journey(t.NamedTuple):
    """One event's way. Seconds are our own clock's, but for C(sent_at), which is in ms since the epoch."""

    publish: float | None = None  # seconds that publishing took
    sent_at: float | None = None
    total: float | None = None  # seconds from before publishing to seeing it arrived; None if it did not
    trace: Json | None = None


def percentile(sorted_values: t.Sequence[int], share: float) -> int | None:
    """The smallest value that at least this share of all is not above (nearest rank); None without values."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)] if sorted_values else None


def hops(journeys: t.Iterable[Journey]) -> dict[str, int | None]:
    """Milliseconds of each hop; of many events the medians of those that are known."""
    each = [latencies(one.trace, one.publish, one.total, one.sent_at) for one in journeys]
    return {
        name: percentile(sorted(value for one in each if (value := one[name]) is not None), 0.5)
        for name in ("publish", *HOPS, "total")
    }


def statistics(journeys: t.Collection[Journey], duplicated: int | None, out_of_order: int | None) -> Json:
    """How many events there were, what became of them, and the milliseconds of their whole way."""
    totals = sorted(round(one.total * 1000) for one in journeys if one.total is not None)
    sent = sum(one.publish is not None for one in journeys)
    return {
        "sent": sent,
        "arrived": len(totals),
        "lost": sent - len(totals),
        "duplicated": duplicated,
        "out_of_order": out_of_order,
        "total_ms": {"p50": percentile(totals, 0.5), "p95": percentile(totals, 0.95), "max": percentile(totals, 1)},
    }


def late_ones(numbers: t.Iterable[int]) -> int:
    """How many came after one that was sent later."""
    highest, late = -1, 0
    for number in numbers:
        late += number < highest
        highest = max(highest, number)
    return late
