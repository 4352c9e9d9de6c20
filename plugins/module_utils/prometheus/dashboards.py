# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Grafana's dashboards as queries. Pure: from a dashboard's JSON to panels, and from a series' labels to its name."""

from __future__ import annotations

import re
import typing as t

Json = t.Mapping[str, t.Any]
# At least four times the interval at which targets are scraped, as Grafana would have it.
RATE_INTERVAL = "2m"


class Panel(t.NamedTuple):
    """A panel. C(queries): expressions, each with the format of its series' names. C(single): its last value alone is of interest."""

    dashboard: str
    row: str
    title: str
    answers: str
    unit: str
    single: bool
    queries: list[tuple[str, str]]


def panels(dashboard: Json, variables: t.Mapping[str, str]) -> t.Iterator[Panel]:
    """The dashboard's panels in their order, with these values for its variables."""
    row = ""
    for one in dashboard.get("panels") or []:
        if one.get("type") == "row":
            row = str(one.get("title") or "")
            continue
        queries = [
            (filled(str(target["expr"]), variables), str(target.get("legendFormat") or ""))
            for target in one.get("targets") or []
            if target.get("expr")
        ]
        unit = ((one.get("fieldConfig") or {}).get("defaults") or {}).get("unit") or "short"
        yield Panel(
            str(dashboard.get("title") or ""), row, str(one.get("title") or ""), str(one.get("description") or ""), str(unit),
            one.get("type") == "stat", queries,
        )  # fmt: skip


def filled(expression: str, variables: t.Mapping[str, str]) -> str:
    """The expression with values for its variables; of one that is not known all values are taken."""
    known = {"__rate_interval": RATE_INTERVAL, **variables}
    return re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], ".*"), expression)


def any_of(names: t.Iterable[str]) -> str:
    """A regular expression of PromQL, within quotes, for exactly these names."""
    return "|".join(re.escape(one).replace("\\", "\\\\") for one in sorted(set(names))) or ".*"


def named(legend: str, labels: t.Mapping[str, str]) -> str:
    """A series' name: its legend with the labels' values, or its labels."""
    if legend:
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend).strip()
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
