# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Prometheus adds to the report: alerts, charts, and how much goes through each station. Pure: from a result of prometheus_info."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .model import Alert, Chart, Finding, Metrics, Node, Series, Unread

Json = Mapping[str, Any]
WHAT = "Prometheus"
# So far clocks may be apart; an answer may take some of it.
CLOCKS_APART = 5.0


def metrics_of(result: Json, url: str, page: str = "") -> Metrics | None:
    """What was measured; None where it was not asked for, or not answered."""
    if "time" not in result:
        return None
    targets = result["targets"]
    return Metrics(
        url,
        result["version"],
        result["clock_seconds_ahead"],
        targets["all"],
        targets["up"],
        [f"{one['job']} at {one['instance']}: {one['error']}" for one in targets["down"]],
        [Chart(**{**one, "series": [Series(**series) for series in one["series"]]}) for one in result["charts"]],
        page,
    )


def alerts_of(result: Json) -> list[Alert]:
    return [Alert(**one) for one in result.get("alerts") or []]


def clock_finding(metrics: Metrics | None) -> list[Finding]:
    """A finding where its clock is not that of this machine: rates and ages would be those of another time."""
    if metrics is None or abs(metrics.clock_seconds_ahead) <= CLOCKS_APART:
        return []
    apart = f"{abs(metrics.clock_seconds_ahead):,.0f} s {'ahead of' if metrics.clock_seconds_ahead > 0 else 'behind'} this machine's"
    return [
        Finding(
            "", WHAT, metrics.url, f"its clock is {apart}; times under Metrics are Prometheus' own",
            next_step="set both clocks, for example by chrony",
        )
    ]  # fmt: skip


def unread_of(result: Json) -> Iterator[Unread]:
    """Why nothing was measured, or which queries were not answered. Where it was not asked for, nothing is missing."""
    if result and "time" not in result and not result.get("skipped"):
        yield Unread(WHAT, str(result.get("msg") or "no reason was given"))
    for one in result.get("errors") or []:
        yield Unread(f"{WHAT}: {one['query']}", str(one["message"]))


def with_rates(nodes: Sequence[Node], namespace: str, values: Json) -> list[Node]:
    """The stations, with what goes through them a second.

    values: for each that is counted its series. One with the label C(queue) is of that queue, every other one of the service that is its C(job).
    """
    rates: dict[tuple[str, str], dict[str, float]] = {}
    for counted, series in values.items():
        for labels, value in ((one["labels"], one["value"]) for one in series):
            if labels.get("namespace") in (None, namespace):
                label, kind = ("queue", "queue") if "queue" in labels else ("job", "service")
                # A PodMonitor's job has the namespace before its name.
                name = str(labels.get(label) or "").rpartition("/")[2]
                rates.setdefault((kind, name), {})[counted] = round(value, 3)
    return [dataclasses.replace(one, rates=rates.get((one.kind, one.name), {})) for one in nodes]
