# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as data. Pure.

Its JSON schema, docs/report.schema.json, is generated from these classes; their docstrings and comments are for developers.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

# ok: as declared and ready; attention: the user has to look; unknown: it could not be read.
State = Literal["ok", "attention", "unknown"]
NodeKind = Literal["service", "topic", "queue", "dead_letter_queue", "table", "bucket"]
SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Node:
    """A station of the topology. C(counts) are by what is counted, such as C(waiting); a count that is not known is left out."""

    id: str
    kind: NodeKind
    name: str
    state: State
    counts: dict[str, int]
    # Why it is not ok, else empty.
    reason: str = ""
    # A second, by what is counted, such as C(published); empty where no Prometheus tells.
    rates: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Edge:
    """What goes from one station to another, by their ids. C(label): a filter, or how often a message is received at most."""

    source: str
    target: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is not as declared, or not ready. C(field), C(declared) and C(found) are empty where no field differs."""

    blueprint: str
    kind: str
    name: str
    reason: str
    field: str = ""
    declared: str = ""
    found: str = ""
    next_step: str = ""

    @property
    def sentence(self) -> str:
        """The field, where it is one, and the reason."""
        return ": ".join(part for part in (self.field, self.reason) if part)


@dataclasses.dataclass(frozen=True)
class Unread:
    """What could not be read, so that the report does not show it. C(blueprint) is empty where it is about all."""

    what: str
    reason: str
    blueprint: str = ""


@dataclasses.dataclass(frozen=True)
class Resource:
    """A declared resource of Crossplane."""

    kind: str
    name: str
    state: State


@dataclasses.dataclass(frozen=True)
class Pod:
    """A pod of one of the blueprint's services."""

    name: str
    state: State
    phase: str
    restarts: int
    images: list[str]


@dataclasses.dataclass(frozen=True)
class Hop:
    """A part of the way of the proof's event, or a request, in milliseconds."""

    name: str
    ms: float


@dataclasses.dataclass(frozen=True)
class Proof:
    """A proof that succeeded, at C(at) (UTC). C(sentence) says what was proved; C(total_ms) is null where it was not measured."""

    name: str
    at: str
    sentence: str
    hops: list[Hop]
    total_ms: float | None = None


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """A blueprint that was brought up. C(links): addresses by title."""

    name: str
    description: str
    namespace: str
    region: str
    state: State
    nodes: list[Node]
    edges: list[Edge]
    resources: list[Resource]
    pods: list[Pod]
    proofs: list[Proof]
    links: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Bar:
    """A stretch of the last C(make up): seconds from its start. C(critical): the run would have been shorter without it."""

    name: str
    kind: Literal["phase", "task", "resource", "pod"]
    begin: float
    seconds: float
    critical: bool = False


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The last C(make up). C(finished): whether it came to its end."""

    started: str
    seconds: float
    finished: bool
    bars: list[Bar]


@dataclasses.dataclass(frozen=True)
class Alert:
    """An alert that fires. C(since): UTC. C(runbook): where it says what to do."""

    name: str
    severity: str
    since: str
    summary: str
    description: str
    runbook: str


@dataclasses.dataclass(frozen=True)
class Series:
    """A line of a chart: a value for each point, null where there is none."""

    name: str
    values: list[float | None]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A panel of a dashboard. C(start): its first point, in seconds since 1970 (UTC); C(step): seconds between two. C(more): series left out."""

    dashboard: str
    row: str
    title: str
    answers: str
    # As Grafana names it: short, cps, reqps, s, percentunit, bytes.
    unit: str
    # Whether the last value alone is of interest.
    single: bool
    start: float
    step: int
    series: list[Series]
    more: int = 0


@dataclasses.dataclass(frozen=True)
class Metrics:
    """What a Prometheus has measured. C(clock_seconds_ahead): of its clock, before this machine's. C(down): targets, with the reason.

    C(page): where its dashboards are; empty where it has none.
    """

    url: str
    version: str
    clock_seconds_ahead: float
    targets: int
    targets_up: int
    down: list[str]
    charts: list[Chart]
    page: str = ""


@dataclasses.dataclass(frozen=True)
class Version:
    """A version of something that runs, or made what runs."""

    name: str
    version: str


@dataclasses.dataclass(frozen=True)
class Report:
    """All of it. C(generated_at) is UTC."""

    schema_version: int
    generated_at: str
    state: State
    summary: str
    cluster: str
    engine: str
    endpoint: str
    blueprints: list[Blueprint]
    findings: list[Finding]
    unread: list[Unread]
    versions: list[Version]
    timeline: Timeline | None = None
    alerts: list[Alert] = dataclasses.field(default_factory=list)
    metrics: Metrics | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return dataclasses.asdict(self)
