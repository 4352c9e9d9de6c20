# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the stations of a topology are drawn: in columns, in the direction of the events. Pure: from ids to columns and rows.

The layered drawing of Sugiyama, Tagawa and Toda (1981): each station is in a column after those that it gets something from, ways over several
columns have a place in each of them, and rows are ordered by the mean of their neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Sweeps over the columns; small graphs settle after two.
SWEEPS = 4


class Place(NamedTuple):
    column: int
    row: int


class Layout(NamedTuple):
    """C(places) of stations by id. C(ways): the places that each edge passes between its ends, by source and target."""

    places: dict[str, Place]
    ways: dict[tuple[str, str], list[Place]]

    @property
    def columns(self) -> int:
        return 1 + max((one.column for one in self._all()), default=-1)

    @property
    def rows(self) -> int:
        return 1 + max((one.row for one in self._all()), default=-1)

    def _all(self) -> list[Place]:
        return [*self.places.values(), *(one for way in self.ways.values() for one in way)]


def layout(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layout:
    """Columns and rows for these stations and the ways between them. An edge that closes a circle is drawn, but moves nothing."""
    forward = without_circles(nodes, edges)
    columns = columns_of(nodes, forward)
    order: list[list[object]] = [[] for _column in range(1 + max(columns.values(), default=-1))]
    linked = {end for edge in forward for end in edge}
    # What has nothing to do with the others comes below them.
    for node in sorted(nodes, key=lambda one: one not in linked):
        order[columns[node]].append(node)
    links: list[tuple[object, object]] = []
    passed: dict[tuple[str, str], list[object]] = {}
    for edge in forward:
        # A place of its own in each column between.
        between: list[object] = [(edge, column) for column in range(columns[edge[0]] + 1, columns[edge[1]])]
        for place in between:
            order[place[1]].append(place)  # type: ignore[index]
        passed[edge] = between
        chain = [edge[0], *between, edge[1]]
        links += list(itertools.pairwise(chain))
    ordered = untangled(order, links)
    places = {one: Place(column, row) for column, ones in enumerate(ordered) for row, one in enumerate(ones)}
    return Layout(
        {node: places[node] for node in nodes},
        {edge: [places[one] for one in passed.get(edge, [])] for edge in edges},
    )


def without_circles(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges, each once, but for those that lead back to a station on the way to them."""
    targets: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in dict.fromkeys(edges):
        targets[source].append(target)
    kept: list[tuple[str, str]] = []
    done: set[str] = set()
    for root in nodes:
        # Stations on the way to the last one, each with the targets that are still to be looked at.
        way: list[tuple[str, list[str]]] = [] if root in done else [(root, list(targets[root]))]
        while way:
            node, left = way[-1]
            if not left:
                done.add(node)
                way.pop()
                continue
            target = left.pop(0)
            if target in (one for one, _left in way):
                continue
            kept.append((node, target))
            if target not in done:
                way.append((target, list(targets[target])))
    return kept


def columns_of(nodes: Sequence[str], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each station; one that nothing leads to is next to what it leads to."""
    columns = dict.fromkeys(nodes, 0)
    for _node in nodes:
        for source, target in forward:
            columns[target] = max(columns[target], columns[source] + 1)
    led_to = {target for _source, target in forward}
    for node in nodes:
        ahead = [columns[target] for source, target in forward if source == node]
        if node not in led_to and ahead:
            columns[node] = min(ahead) - 1
    return columns


def untangled(order: list[list[object]], links: Sequence[tuple[object, object]]) -> list[list[object]]:
    """The columns with their rows in an order in which fewer ways cross."""
    before: dict[object, list[object]] = {}
    after: dict[object, list[object]] = {}
    for source, target in links:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    for sweep in range(SWEEPS):
        neighbours = after if sweep % 2 else before
        for column in range(len(order))[:: -1 if sweep % 2 else 1]:
            rows = {one: row for ones in order for row, one in enumerate(ones)}
            order[column] = _by_mean(order[column], neighbours, rows)
    return order


def _by_mean(ones: list[object], neighbours: Mapping[object, list[object]], rows: Mapping[object, int]) -> list[object]:
    def mean(one: object) -> float:
        near = [rows[other] for other in neighbours.get(one, [])]
        return sum(near) / len(near) if near else float(rows[one])

    return sorted(ones, key=mean)
