# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as a page: one HTML file that makes no request to anywhere, made by a template that escapes all that comes from data."""

from __future__ import annotations

import datetime
import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jinja2
from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.report.layout import Layout, Place, layout
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import (
    Bar,
    Blueprint,
    Chart,
    Edge,
    Node,
    Report,
    Series,
    Timeline,
)
from markupsafe import Markup

from .charts import Drawn, drawn

TEMPLATES = Path(__file__).resolve().parents[2] / "playbooks/templates"
TITLES = {
    "service": "Service",
    "topic": "SNS topic",
    "queue": "SQS queue",
    "dead_letter_queue": "Dead-letter queue",
    "table": "DynamoDB table",
    "bucket": "S3 bucket",
}
STATES = {"ok": "ok", "attention": "look at it", "unknown": "not known"}
# Of the drawing, in pixels.
WIDTH, HEIGHT, GAP, LINE, MARGIN = 176, 88, 76, 20, 6
# Characters of a name on a line of its card, and of a label between two cards.
NAME_LENGTH, SAID_LENGTH, LABEL_LENGTH = 22, 26, 13

SHOWN_BARS = 20
BINARY = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


class Card(NamedTuple):
    """A station of the drawing. C(lines): its name, wrapped. C(said): its counts or, without any, why it is not ok, wrapped."""

    node: Node
    x: int
    y: int
    lines: list[str]
    said: list[str]


class Line(NamedTuple):
    """A way of the drawing. C(label): in short; C(title): whole."""

    path: str
    label: str
    title: str
    x: int
    y: int


class Drawing(NamedTuple):
    width: int
    height: int
    cards: list[Card]
    lines: list[Line]


class Shown(NamedTuple):
    """A chart on the page. C(picture): as SVG; empty where the rows beneath it are all there is."""

    chart: Chart
    picture: Markup
    rows: list[Row]


class Row(NamedTuple):
    """A series in words: its last value, and its largest one."""

    name: str
    now: str
    most: str


def page(report: Report, live: bool = False, chart_command: Sequence[str] = ()) -> str:
    """The whole page. C(live): with the script that asks the server of C(make report WATCH=1) for newer facts. C(chart_command) draws charts."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Also what would reorder a line or act on a terminal is shown as its escape.
        finalize=lambda value: printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters |= {
        "counts": counts,
        "one_of": one_of,
        "moment": utc,
        "seconds": seconds,
        "significant": significant,
    }
    environment.tests["web_address"] = is_web_address
    charts = report.metrics.charts if report.metrics else []
    pictures = drawn(charts, chart_command)
    return environment.get_template("report.html.j2").render(
        report=report,
        live=live,
        titles=TITLES,
        states=STATES,
        drawings={one.name: drawing(one) for one in report.blueprints},
        ticks=ticks(report.timeline),
        bars=longest(report.timeline),
        sums=sums(report),
        dashboards=by_dashboard(charts, pictures),
        undrawn=pictures.problem,
        card={"width": WIDTH, "height": HEIGHT},
    )


def drawing(blueprint: Blueprint) -> Drawing:
    """Where the stations and ways of a blueprint are drawn."""
    found = layout([one.id for one in blueprint.nodes], [(one.source, one.target) for one in blueprint.edges])
    cards = [
        Card(
            node,
            _x(found.places[node.id]),
            _y(found.places[node.id]),
            wrapped(node.name),
            wrapped(" · ".join(filter(None, (counts(node.counts), rates(node.rates)))) or node.reason, SAID_LENGTH),
        )
        for node in blueprint.nodes
    ]
    lines = [line(edge, found) for edge in blueprint.edges]
    return Drawing(
        2 * MARGIN + found.columns * WIDTH + max(0, found.columns - 1) * GAP,
        2 * MARGIN + found.rows * HEIGHT + max(0, found.rows - 1) * LINE,
        cards,
        lines,
    )


def line(edge: Edge, found: Layout) -> Line:
    """A way from the right side of a card to the left side of another, through the places between."""
    source, target = found.places[edge.source], found.places[edge.target]
    points = [(_x(source) + WIDTH, _middle(source))]
    for place in found.ways[edge.source, edge.target]:
        points += [(_x(place), _middle(place)), (_x(place) + WIDTH, _middle(place))]
    points.append((_x(target), _middle(target)))
    path = f"M{points[0][0]},{points[0][1]}"
    for (from_x, from_y), (to_x, to_y) in itertools.pairwise(points):
        half = max(GAP // 2, abs(to_x - from_x) // 2)
        path += f" C{from_x + half},{from_y} {to_x - half},{to_y} {to_x},{to_y}"
    (from_x, from_y), (to_x, to_y) = points[-2], points[-1]
    short = edge.label if len(edge.label) <= LABEL_LENGTH else edge.label.split(" ")[0]
    return Line(path, short, edge.label, (from_x + to_x) // 2, (from_y + to_y) // 2 - 6)


def _x(place: Place) -> int:
    return MARGIN + place.column * (WIDTH + GAP)


def _y(place: Place) -> int:
    return MARGIN + place.row * (HEIGHT + LINE)


def _middle(place: Place) -> int:
    return _y(place) + HEIGHT // 2


def wrapped(text: str, length: int = NAME_LENGTH) -> list[str]:
    """A text on at most two lines, broken at hyphens where it can be."""
    lines = textwrap.wrap(printable(text), length, break_on_hyphens=True)
    return lines if len(lines) <= 2 else [lines[0], f"{lines[1][: length - 1]}…"]


def counts(values: Mapping[str, int]) -> str:
    """Counts in a line. Of what waits, what is zero is left out but for the first."""
    shown = [(name, number) for index, (name, number) in enumerate(values.items()) if number or not index]
    return " · ".join(f"{number:,} {one_of(name, number)}" for name, number in shown)


def rates(values: Mapping[str, float]) -> str:
    """What goes through a second, in a line."""
    return " · ".join(f"{significant(value)} {name}/s" for name, value in values.items())


def significant(value: float) -> str:
    """A number with three digits that count, without an exponent; none that is too small to matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")


def measured(value: float, unit: str) -> str:
    """A value of a chart with its unit, as the drawing's axis has it."""
    if unit == "s" and 0 < abs(value) < 1:
        return f"{significant(value * 1000)} ms"
    if unit == "bytes":
        size, name = next((one for one in BINARY if abs(value) >= one[0]), (1, "B"))
        return f"{significant(value / size)} {name}"
    return {"s": "{} s", "percentunit": "{} %", "cps": "{}/s", "reqps": "{}/s"}.get(unit, "{}").format(
        significant(value * 100 if unit == "percentunit" else value)
    )


def by_dashboard(charts: Iterable[Chart], pictures: Drawn) -> dict[str, list[Shown]]:
    """What is shown of each dashboard, by its title."""
    found: dict[str, list[Shown]] = {}
    for chart, picture in zip(charts, pictures.pictures, strict=True):
        found.setdefault(chart.dashboard, []).append(
            Shown(chart, picture, [row(one, chart.unit) for one in chart.series])
        )
    return found


def row(series: Series, unit: str) -> Row:
    known = [value for value in series.values if value is not None]
    now = series.values[-1] if series.values else None
    return Row(
        series.name,
        "no value now" if now is None else measured(now, unit),
        measured(max(known), unit) if known else "",
    )


def one_of(name: str, number: int) -> str:
    """What is counted, in the singular for one."""
    return name.removesuffix("s") if number == 1 else name


def utc(text: str) -> str:
    """A time to the second; what is none as it is."""
    found = moment(text)
    return text if found is None else found.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def longest(timeline: Timeline | None) -> list[Bar]:
    """The longest bars in their order; of a slow machine's run all would be a page."""
    shown = sorted(timeline.bars if timeline else [], key=lambda one: -one.seconds)[:SHOWN_BARS]
    return sorted(shown, key=lambda one: one.begin)


def ticks(timeline: Timeline | None) -> list[int]:
    """Seconds that the time axis names: about six, of a round distance."""
    if timeline is None or timeline.seconds <= 0:
        return []
    step = next((one for one in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if timeline.seconds / one <= 7), 1800)
    return list(range(0, int(timeline.seconds) + 1, step))


def sums(report: Report) -> list[dict[str, Any]]:
    """What the head of the page says in large figures: C(name), C(value) and C(state)."""
    nodes = [node for one in report.blueprints for node in one.nodes]
    services = [one for one in nodes if one.kind == "service"]
    declared = [resource for one in report.blueprints for resource in one.resources]
    totals = [
        (one.at, one.total_ms)
        for blueprint in report.blueprints
        for one in blueprint.proofs
        if one.total_ms is not None
    ]

    def share(ones: list[Any]) -> tuple[str, str]:
        good = sum(one.state == "ok" for one in ones)
        return f"{good}/{len(ones)}", "ok" if good == len(ones) else "attention"

    def total(kinds: set[str], name: str) -> int | None:
        known = [one.counts[name] for one in nodes if one.kind in kinds and name in one.counts]
        return sum(known) if known else None

    found = [("services ready", *share(services)), ("resources as declared", *share(declared))]
    for title, kinds, name in (
        ("messages waiting", {"queue"}, "waiting"),
        ("dead letters", {"dead_letter_queue"}, "waiting"),
        ("items in tables", {"table"}, "items"),
    ):
        number = total(kinds, name)
        if number is not None:
            found.append((title, f"{number:,}", "attention" if number and title == "dead letters" else "ok"))
    if report.metrics:
        found.append(("alerts", str(len(report.alerts)), "attention" if report.alerts else "ok"))
    if totals:
        found.append(("last proof took", f"{max(totals)[1]:,.0f} ms", "ok"))
    return [{"name": name, "value": value, "state": state} for name, value, state in found]


def is_web_address(value: str) -> bool:
    """Whether a link may lead there."""
    try:
        return urlsplit(value).scheme in ("http", "https")
    except ValueError:
        return False
