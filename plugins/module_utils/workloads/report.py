# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workload_wait says when it fails. Pure: from data to text."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import rollout as rules
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.problems import (
    Problem,
    newest_event,
    problems_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import Json, Snapshot

SHOWN_PROBLEMS = 5
SHOWN_PODS = 20
LINE_LENGTH = 300


def log_lines(text: str, count: int = 10) -> list[str]:
    return [masked(line)[:LINE_LENGTH] for line in text.rstrip().splitlines()[-count:]]


def problem_row(problem: Problem, workload: Json, log: t.Sequence[str] = ()) -> Json:
    """A problem as the module returns it."""
    return {
        "workload": workload["metadata"]["name"],
        "pod": problem.pod,
        "container": problem.container,
        "image": problem.image,
        "reason": problem.reason,
        "message": printable(problem.message),
        "next_step": problem.next_step,
        "log": list(log),
    }


def hopeless(rows: t.Sequence[Json], kind: str, namespace: str) -> str:
    """Why waiting is no use: one paragraph per problem."""
    shown = [_paragraph(row, kind, namespace) for row in rows[:SHOWN_PROBLEMS]]
    if len(rows) > SHOWN_PROBLEMS:
        shown.append(f"And {len(rows) - SHOWN_PROBLEMS} more problems.")
    return "\n".join(shown)


def _paragraph(row: Json, kind: str, namespace: str) -> str:
    where = [f"{kind} {namespace}/{row['workload']} can't roll out"]
    where += [f"{name} {row[name]}" for name in ("pod", "container", "image") if row[name]]
    what = f"{row['reason']}: {row['message'].rstrip('. ')}"
    lines = [f"{', '.join(where)}: {what}. Next step: {row['next_step'].rstrip('.')}."]
    if row["log"]:
        lines += ["Last lines of its log:", *(f"  | {line}" for line in row["log"])]
    return "\n".join(lines)


def none_matched(kind: str, namespace: str, wanted: str, there: t.Sequence[str] | None, seconds: float) -> str:
    """That nothing fits. C(there): names of what there is of this kind, None if the namespace does not exist."""
    start = f"Waited {seconds:.0f} s, but no {kind} in namespace {namespace} matched {wanted}"
    if there is None:
        return f"{start}: the namespace does not exist. Create it, or correct namespace."
    listed = ", ".join(sorted(there)[:10]) or "none"
    return f"{start}; there are: {listed}. Deploy it, or correct names, label_selector, kind or namespace."


def timed_out(
    workloads: t.Sequence[Json], missing: t.Sequence[str], kind: str, snapshot: Snapshot, seconds: float
) -> str:
    """What was still in the way when the time was up: workloads, their pods, and the likely causes."""
    undone = [one for one in workloads if not rules.rolled_out(one, snapshot).done]
    total = len(workloads) + len(missing)
    lines = [f"Waited {seconds:.0f} s, but {len(undone) + len(missing)} of {total} {kind}s did not roll out."]
    lines += [f"{rules.title(one)}: {rules.rolled_out(one, snapshot).state}" for one in undone]
    lines += [f"{kind} {name}: it does not exist" for name in missing]
    pods = [pod for one in undone for pod in _listed(one, snapshot)]
    if pods:
        lines += table(
            [
                ("POD", "PHASE", "READY", "RESTARTS", "CONTAINERS", "LAST WARNING"),
                *(_row(pod, snapshot) for pod in pods[:SHOWN_PODS]),
            ]
        )
    if len(pods) > SHOWN_PODS:
        lines.append(f"And {len(pods) - SHOWN_PODS} more pods.")
    causes = [cause for one in undone for cause in likely_causes(one, snapshot)]
    return "\n".join([*lines, *(f"Likely cause: {one}" for one in dict.fromkeys(causes))])


def _listed(workload: Json, snapshot: Snapshot) -> list[Json]:
    """The pods for the table, unready ones first."""
    pods = rules.pods_of(workload, snapshot)
    return sorted([*pods.new, *pods.old], key=lambda pod: (rules.is_ready(pod), pod["metadata"]["name"]))


def _row(pod: Json, snapshot: Snapshot) -> tuple[str, ...]:
    event = None if rules.is_ready(pod) else newest_event(snapshot.events, pod)
    warning = f"{event.get('reason')}: {' '.join(str(event.get('message')).split())}" if event else "-"
    return (
        pod["metadata"]["name"],
        str(pod["status"].get("phase", "Pending")),
        "yes" if rules.is_ready(pod) else "no",
        str(rules.restarts(pod)),
        "; ".join(container_state(one) for one in rules.container_statuses(pod)) or "-",
        masked(warning)[:LINE_LENGTH],
    )


def container_state(status: Json) -> str:
    """For example `app running, not ready` or `app waiting (ImagePullBackOff)`."""
    name, state = status.get("name"), status.get("state") or {}
    if "running" in state:
        return f"{name} running" + ("" if status.get("ready") else ", not ready")
    if "terminated" in state:
        ended = state["terminated"]
        return f"{name} ended (exit code {ended.get('exitCode')}, {ended.get('reason')})"
    return f"{name} waiting ({(state.get('waiting') or {}).get('reason') or 'unknown'})"


def table(rows: t.Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of equal width."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def likely_causes(workload: Json, snapshot: Snapshot) -> list[str]:
    """What probably kept a workload from rolling out, the surest first."""
    name = rules.title(workload)
    known = [
        f"{one.reason}: {one.message.rstrip('. ')}. {one.next_step[0].upper()}{one.next_step[1:].rstrip('.')}."
        for one in problems_of(workload, snapshot)
    ]
    if known:
        return [masked(one) for one in known]
    if not rules.observed(workload):
        return [f"{name}: its controller does not run or lags behind; look at kube-controller-manager."]
    pods = rules.pods_of(workload, snapshot)
    causes = [
        cause
        for pod in [*pods.new, *pods.old]
        if not rules.is_ready(pod)
        for cause in [_pod_cause(pod, snapshot)]
        if cause
    ]
    if not causes and rules.condition(workload, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        causes = [f"{name}: {rules.condition(workload, 'Progressing').get('message')}"]
    return [masked(one) for one in dict.fromkeys(causes)]


def _pod_cause(pod: Json, snapshot: Snapshot) -> str | None:
    event = newest_event(snapshot.events, pod)
    message = " ".join(str(event.get("message")).split()) if event else ""
    for status in rules.container_statuses(pod):
        if "running" not in (status.get("state") or {}) or status.get("ready"):
            continue
        probe = newest_event(snapshot.events, pod, "Unhealthy")
        if probe:
            said = " ".join(str(probe.get("message")).split())
            return (
                f"container {status.get('name')} runs but its probe fails: {said}. Read its log, or correct the probe."
            )
        return f"container {status.get('name')} runs but is not ready yet. Read its log, or raise timeout."
    if rules.condition(pod, "PodScheduled").get("reason") == "SchedulingGated":
        return "a scheduling gate holds the pod back. Look who has to remove it."
    gates = [str(one.get("conditionType")) for one in pod["spec"].get("readinessGates") or []]
    closed = [gate for gate in gates if rules.condition(pod, gate).get("status") != "True"]
    if closed and rules.condition(pod, "ContainersReady").get("status") == "True":
        return f"the pod's readiness gates are not open: {', '.join(closed)}."
    return f"{event.get('reason')}: {message}" if event else None
