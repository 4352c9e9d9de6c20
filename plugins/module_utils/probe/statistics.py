# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of the probe's events: how long they took, how many are lost or came twice. Pure: no boto3, no Ansible."""

from __future__ import annotations

import math
import typing as t

Json = dict[str, t.Any]
HOPS = {
    "topic_to_queue": ("PublishedAt", "QueuedAt"),
    "queue_to_consumer": ("QueuedAt", "ReceivedAt"),
    "consumer_to_table": ("ReceivedAt", "StoredAt"),
}
LAST_HOP = "consumer_to_table"


class Journey(t.NamedTuple):
    """One event's way. Seconds are our own clock's, but for C(sent_at), which is in ms since the epoch."""

    publish: float | None = None  # seconds that publishing took
    sent_at: float | None = None
    total: float | None = None  # seconds from before publishing to seeing it arrived; None if it did not
    trace: Json | None = None


def percentile(sorted_values: t.Sequence[int], share: float) -> int | None:
    """The smallest value that at least this share of all is not above (nearest rank); None without values."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)] if sorted_values else None


def latencies(
    trace: t.Any, publish: float | None, total: float | None, published_at: float | None = None
) -> dict[str, int | None]:
    """Milliseconds per hop. Hops come from the item's trace; a consumer that writes none leaves them empty.

    C(published_at) is when publishing began by our own clock, in ms. It stands in where the topic stamps whole seconds
    only (MiniStack does) and both clocks agree on the second.
    """
    stamps = dict(trace) if isinstance(trace, dict) else {}
    stamps["PublishedAt"] = _precise(stamps.get("PublishedAt"), published_at)
    whole = _ms(total)
    figures: dict[str, int | None] = {"publish": _ms(publish)}
    for hop, (start, end) in HOPS.items():
        figures[hop] = _between(stamps.get(start), stamps.get(end), whole)
    figures["total"] = whole
    return figures


def _precise(stamp: t.Any, ours: float | None) -> float | None:
    if not isinstance(stamp, (int, float)):
        return None
    if stamp % 1000:
        return stamp
    return ours if ours is not None and 0 <= ours - stamp < 1000 else None


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _between(start: t.Any, end: t.Any, whole: int | None) -> int | None:
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return None
    # Clocks of different machines may differ by a little: less than nothing is nothing, more than the whole is no
    # figure.
    hop = max(0, round(end - start))
    return None if whole is not None and hop > whole else hop


def hops(journeys: t.Iterable[Journey], last: str = LAST_HOP) -> dict[str, int | None]:
    """Milliseconds of each hop, the last of them by this name; of many events the medians of those that are known."""
    each = [latencies(one.trace, one.publish, one.total, one.sent_at) for one in journeys]
    return {
        last if name == LAST_HOP else name: percentile(
            sorted(value for one in each if (value := one[name]) is not None), 0.5
        )
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
