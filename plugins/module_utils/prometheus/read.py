# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a Prometheus: alerts, targets, values of now, and what dashboards show of the last hour. It only reads."""

from __future__ import annotations

import http.client
import json
import math
import os
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import own_networks, proxy_for
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

from .dashboards import Panel, named, panels

Json = t.Mapping[str, t.Any]
TIMEOUT = 10
AT_ONCE = 8
# Larger answers are none of a dashboard's.
LARGEST_BYTES = 20_000_000


class PrometheusError(ModuleError):
    """It does not answer, or not as a Prometheus does; the message names address, cause and next step."""


class Options(t.NamedTuple):
    """What is asked. C(dashboards): Grafana's JSON. C(queries): expressions by name. C(range) in seconds, of C(points) points."""

    url: str
    dashboards: list[dict[str, t.Any]]
    variables: dict[str, str]
    queries: dict[str, str]
    range: int
    points: int
    series: int


Fetch = t.Callable[[str], t.Any]


def read(options: Options, fetch: Fetch | None = None, clock: t.Callable[[], float] = time.time) -> dict[str, t.Any]:
    """All that the options ask for, as the module returns it. Raises PrometheusError if it can't be asked at all.

    Times are those of Prometheus' own clock, so that another clock of this machine moves nothing.
    """
    get = fetch or http_fetch(options.url)
    before = clock()
    now = float(get("query?query=time()")["result"][0])
    ahead = now - (before + clock()) / 2
    step = max(1, options.range // options.points)
    # Whole steps, so that a repeated look sees the same points.
    end = now - now % step
    errors: list[dict[str, str]] = []

    def asked(what: str, path: str) -> t.Any:
        try:
            return get(path)
        except PrometheusError as error:
            errors.append({"query": what, "message": str(error)})
            return None

    def ranged(query: str) -> t.Any:
        start = end - step * options.points
        return asked(
            query, f"query_range?{urllib.parse.urlencode({'query': query, 'start': start, 'end': end, 'step': step})}"
        )

    shown = [panel for one in options.dashboards for panel in panels(one, options.variables)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        build = pool.submit(asked, "version", "status/buildinfo")
        alerts = pool.submit(asked, "alerts", "alerts")
        targets = pool.submit(asked, "targets", "targets?state=active")
        answers = {query: pool.submit(ranged, query) for panel in shown for query, _legend in panel.queries}
        values = {
            name: pool.submit(asked, name, f"query?{urllib.parse.urlencode({'query': query})}")
            for name, query in options.queries.items()
        }
    found = {query: one.result() for query, one in answers.items()}
    return {
        "version": str((build.result() or {}).get("version") or ""),
        "time": now,
        "clock_seconds_ahead": round(ahead, 1),
        "alerts": firing(alerts.result() or {}),
        "targets": targets_of(targets.result() or {}),
        "answers": {name: _values(one.result() or {}) for name, one in values.items()},
        "charts": [chart(panel, found, end - step * options.points, step, options) for panel in shown],
        "errors": errors,
    }


def chart(panel: Panel, found: t.Mapping[str, t.Any], start: float, step: int, options: Options) -> dict[str, t.Any]:
    """What a panel shows: its largest series, each a value or null for each point from C(start), C(step) seconds apart."""
    series: list[tuple[str, list[float | None]]] = [
        (named(legend, one["metric"]), at_points(one["values"], start, step, options.points + 1))
        for query, legend in panel.queries
        for one in (found[query] or {}).get("result") or []
    ]
    largest = sorted(
        range(len(series)), key=lambda place: -max((one for one in series[place][1] if one is not None), default=0.0)
    )
    kept = sorted(largest[: options.series])
    return {
        **{name: getattr(panel, name) for name in ("dashboard", "row", "title", "answers", "unit", "single")},
        "start": start,
        "step": step,
        "series": [{"name": series[place][0], "values": series[place][1]} for place in kept],
        "more": len(series) - len(kept),
    }


def at_points(values: t.Iterable[t.Sequence[t.Any]], start: float, step: int, points: int) -> list[float | None]:
    """Pairs of time and text as a value for each point; null where there is none, or none that is a number."""
    found: list[float | None] = [None] * points
    for moment, text in values:
        place, value = round((float(moment) - start) / step), float(text)
        if 0 <= place < points and math.isfinite(value):
            # Seven digits are more than a drawing shows.
            found[place] = float(f"{value:.7g}")
    return found


def firing(answer: Json) -> list[dict[str, t.Any]]:
    """Alerts that fire; those of the severity C(none) are there to show that alerts work."""
    found = []
    for one in answer.get("alerts") or []:
        labels, notes = one.get("labels") or {}, one.get("annotations") or {}
        if one.get("state") == "firing" and labels.get("severity") != "none":
            row = {
                "name": str(labels.get("alertname") or ""), "severity": str(labels.get("severity") or ""),
                "since": str(one.get("activeAt") or ""), "summary": str(notes.get("summary") or ""),
                "description": str(notes.get("description") or ""), "runbook": str(notes.get("runbook_url") or ""),
            }  # fmt: skip
            found.append(row)
    return sorted(found, key=lambda one: (one["since"], one["name"], one["summary"]))


def targets_of(answer: Json) -> dict[str, t.Any]:
    """How many are scraped, and which of them do not answer."""
    active = answer.get("activeTargets") or []
    down = [
        {
            "job": str((one.get("labels") or {}).get("job") or one.get("scrapePool") or ""),
            "instance": str((one.get("labels") or {}).get("instance") or ""),
            "error": str(one.get("lastError") or ""),
        }
        for one in active
        if one.get("health") == "down"
    ]
    return {"all": len(active), "up": sum(one.get("health") == "up" for one in active), "down": down}


def _values(answer: Json) -> list[dict[str, t.Any]]:
    rows = [(one.get("metric") or {}, float(one["value"][1])) for one in answer.get("result") or []]
    return [{"labels": dict(labels), "value": value} for labels, value in rows if math.isfinite(value)]


def http_fetch(url: str) -> Fetch:
    """What asks the API there for a path and returns its data. Raises PrometheusError."""
    base = url.rstrip("/")
    proxy = proxy_for(base, os.environ, own_networks())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}))

    def get(path: str) -> t.Any:
        try:
            with opener.open(f"{base}/api/v1/{path}", timeout=TIMEOUT) as answer:
                text = answer.read(LARGEST_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(LARGEST_BYTES)
            if error.code not in (400, 422, 503):
                raise PrometheusError(
                    f"{base} answers with HTTP status {error.code}; likely something else listens there. "
                    "Correct stack_prometheus_url, or look at the pod of Prometheus."
                ) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            said = (
                f"no answer within {TIMEOUT} s"
                if isinstance(reason, TimeoutError)
                else str(getattr(reason, "strerror", None) or reason)
            )
            raise PrometheusError(
                f"Prometheus at {base} does not answer: {said}. "
                "Likely its pod is not running: `kubectl -n monitoring get pods` says why."
            ) from error
        return _data(base, text)

    return get


def _data(base: str, text: bytes) -> t.Any:
    try:
        answer = json.loads(text)
        ended, data = answer["status"] == "success", answer.get("data")
    except (ValueError, TypeError, KeyError) as error:
        raise PrometheusError(
            f"What answers at {base} is not a Prometheus; likely something else listens there. Correct stack_prometheus_url."
        ) from error
    if not ended:
        raise PrometheusError(f"Prometheus at {base} refuses the query: {answer.get('error')}")
    return data
