# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not as declared, or not ready, with field and reason. Pure: from results of crossplane_diff and workload_wait to findings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .model import Finding, Resource, State

Json = Mapping[str, Any]
# Longer values are cut: a policy may have thousands of characters.
LONGEST = 300
REPAIR = "make up repairs it"
# What the lists of crossplane_diff mean that name no fields.
MEANINGS = {
    "missing": ("declared, but not in the cluster", REPAIR),
    "gone": ("AWS does not have it any more", REPAIR),
    "create_incomplete": ("its creation did not end", REPAIR),
    "terminating": ("it is being deleted", ""),
    "orphaned": ("no longer declared, but still there", "make up removes it, unless it is protected"),
}
WHERE = {"spec": "in the cluster", "aws": "in AWS", "provider": "in AWS, as Crossplane saw it last"}


def resource_findings(blueprint: str, difference: Json) -> list[Finding]:
    """A finding for each field that differs, and for each resource that is away or unready."""
    return list(_resource_findings(blueprint, difference))


def _resource_findings(blueprint: str, difference: Json) -> Iterator[Finding]:
    for name in ("modified", "drifted"):
        for one in difference.get(name) or []:
            for field in one.get("fields") or []:
                where = WHERE.get(field.get("where"), "in the cluster")
                reason = f"another value {where}"
                if field.get("immutable"):
                    reason += ", which AWS can't change"
                yield Finding(
                    blueprint, one["kind"], one["name"], reason, field["path"], text(field.get("after")),
                    text(field.get("before")), REPAIR,
                )  # fmt: skip
    for name, (reason, next_step) in MEANINGS.items():
        for one in difference.get(name) or []:
            yield Finding(blueprint, one["kind"], one["name"], reason, next_step=next_step)
    for one in difference.get("deleted") or []:
        yield Finding(blueprint, one["kind"], one["name"], f"AWS keeps it as deleted until {one.get('date')}")
    for one in difference.get("existing") or []:
        yield Finding(blueprint, one["kind"], one["name"], f"AWS has one of others: {one.get('held_by')}")
    for one in difference.get("foreign") or []:
        yield Finding(
            blueprint,
            one["kind"],
            one["name"],
            f"the cluster's one is owned by {one.get('owner') or 'an unknown owner'}",
        )
    for kind in difference.get("not_served") or []:
        yield Finding(blueprint, str(kind), "", "the cluster does not serve this kind", next_step=REPAIR)
    for one in difference.get("unready") or []:
        yield unready(blueprint, one)


def unready(blueprint: str, one: Json) -> Finding:
    """A resource that is not Synced and Ready: the condition is the field."""
    condition, _equals, found = str(one.get("condition") or "Ready").partition("=")
    said = [one.get("reason"), one.get("cause"), one.get("message")]
    reason = ": ".join(dict.fromkeys(str(part) for part in said if part)) or "not ready"
    return Finding(
        blueprint, one["kind"], one["name"], cut(reason), f"status.conditions.{condition}", "True", found,
        str(one.get("next_step") or ""),
    )  # fmt: skip


def workload_findings(blueprint: str, results: Sequence[Json]) -> list[Finding]:
    """A finding for each workload that is not rolled out, with what no waiting heals where that is known."""
    found = []
    for result in results:
        problems = {one["workload"]: one for one in result.get("problems") or []}
        for one in result.get("workloads") or []:
            idle = one.get("replicas") == 0
            if one.get("rolled_out") and not idle:
                continue
            problem = problems.get(one["name"], {})
            said = [
                "scaled to no pod at all" if idle else one.get("state"),
                problem.get("reason"),
                problem.get("message"),
            ]
            reason = ": ".join(str(part) for part in said if part) or "not rolled out"
            found.append(
                Finding(
                    blueprint,
                    one.get("kind") or "Deployment",
                    one["name"],
                    cut(reason),
                    next_step=problem.get("next_step") or "",
                )
            )
    return found


def resources(difference: Json, findings: Sequence[Finding]) -> list[Resource]:
    """All that is declared, by kind and name."""
    wrong = {(one.kind, one.name) for one in findings}

    def state(one: Json) -> State:
        return "attention" if (one["kind"], one["name"]) in wrong else "ok"

    declared = [Resource(one["kind"], one["name"], state(one)) for one in difference.get("references") or []]
    return sorted(declared, key=lambda one: (one.kind, one.name))


def text(value: Any) -> str:
    """A value as people read it; nothing for none."""
    if value is None:
        return "nothing"
    return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
