# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the last C(make up) spent its time, and which of it the next one would have to save. Pure.

A run does one task after the other, while resources and pods become ready side by side. The critical path is followed from the end: a task
that waited ended when the last resource or pod that it waited for was ready, and that one began with the task that made it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment

from .model import Bar, Timeline

Json = Mapping[str, Any]
# Modules that end when something is ready, with what that is.
WAITS = {"crossplane_wait": "resource", "crossplane_diff": "resource", "workload_wait": "pod", "argocd_wait": "pod"}
# Kubernetes' times are whole seconds.
RESOLUTION = 1.0
# So much later at most a task ends than what it waited for.
NOTICED = 3.0


class Stretch(NamedTuple):
    """A bar that may be critical. C(waits): of which kind the bars are with whose end it ends; empty for none."""

    drawn: Bar
    waits: str = ""

    @property
    def end(self) -> float:
        return self.drawn.begin + self.drawn.seconds


def timeline(timings: Json, resources: Sequence[Json], pods: Sequence[Json]) -> Timeline | None:
    """The last run; None where nothing was recorded of it.

    timings: as the callback C(timings) writes it. resources: rows of crossplane_wait. pods: rows of workload_wait. What was made before the run,
    or got ready after it, is left out.
    """
    started = moment(timings.get("started"))
    if started is None:
        return None
    whole = float(timings["seconds"])
    tasks = [
        Stretch(
            Bar(f"{one['phase']}: {title(one['task'])}", "task", float(one["begin"]), float(one["seconds"])),
            WAITS.get(str(one.get("action", "")).rpartition(".")[2], ""),
        )
        for one in timings.get("tasks") or []
    ]
    made = [*_made(resources, started, whole), *_made_pods(pods, started, whole)]
    critical = set(critical_path(tasks, made))
    bars = [one.drawn for one in (*tasks, *made)]
    marked = [one if one not in critical else Bar(one.name, one.kind, one.begin, one.seconds, True) for one in bars]
    return Timeline(
        started.strftime("%Y-%m-%dT%H:%M:%SZ"), whole, bool(timings.get("finished")),
        sorted(marked, key=lambda one: (one.begin, one.name)),
    )  # fmt: skip


def title(task: str) -> str:
    """A task's name; Ansible puts its own words before that of a check of arguments."""
    return re.sub(r"^Validating arguments against arg spec '.*?' - ", "arguments of ", task)


def critical_path(tasks: Sequence[Stretch], made: Sequence[Stretch]) -> Iterator[Bar]:
    """The bars that the run's length is made of, from the last to the first."""
    moment_now = max((one.end for one in tasks), default=0.0)
    while running := [one for one in tasks if one.drawn.begin < moment_now]:
        task = max(running, key=lambda one: one.drawn.begin)
        yield task.drawn
        moment_now = task.drawn.begin
        ended = [one for one in made if one.drawn.kind == task.waits and _awaited(one, task)]
        if ended:
            last = max(ended, key=lambda one: one.end)
            yield last.drawn
            moment_now = last.drawn.begin


def _awaited(one: Stretch, task: Stretch) -> bool:
    """Whether the task may have ended because this one did."""
    return one.drawn.begin < task.drawn.begin and -NOTICED <= one.end + RESOLUTION - task.end <= 2 * RESOLUTION


def _made(resources: Iterable[Json], started: datetime.datetime, whole: float) -> Iterator[Stretch]:
    for one in resources:
        created, took = moment(one.get("created_at")), one.get("created_to_ready_seconds")
        if created is not None and took is not None:
            begin = (created - started).total_seconds()
            yield from _within(f"{one['kind']} {one['name']}", "resource", begin, float(took), whole)


def _made_pods(pods: Iterable[Json], started: datetime.datetime, whole: float) -> Iterator[Stretch]:
    for one in pods:
        created, ready = moment(one.get("created_at")), moment(one.get("ready_at"))
        if created is not None and ready is not None:
            begin = (created - started).total_seconds()
            yield from _within(f"Pod {one['name']}", "pod", begin, (ready - created).total_seconds(), whole)


def _within(name: str, kind: Any, begin: float, seconds: float, whole: float) -> Iterator[Stretch]:
    """The bar, if it is one of this run: a pod that became ready once more later is not."""
    if begin >= -RESOLUTION and begin + seconds <= whole + RESOLUTION:
        yield Stretch(Bar(name, kind, round(max(0.0, begin), 1), round(max(0.0, seconds), 1)))
