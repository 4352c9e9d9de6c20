# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an Application is as its repository says, and why not. Pure.

The fields are those of Argo CD's C(status): C(sync), C(health), C(operationState), C(conditions) and C(resources).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Json = dict[str, t.Any]

REFRESH = "argocd.argoproj.io/refresh"
# Longest text of a message, in characters.
SHOWN = 600
FINISHED = frozenset({"Succeeded", "Failed", "Error"})
# What a message means, in order of precedence: likely cause, what to do, and whether waiting does not cure it.
CAUSES: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"dial tcp|connection refused|no such host|i/o timeout|deadline exceeded|unable to access",
        "the Git server does not answer; what runs goes on running",
        "See that it runs and that Argo CD reaches it",
        False,
    ),
    (
        r"authentication required|authorization failed|repository not found",
        "Argo CD has no valid credentials for the repository, or there is none at this URL",
        "Correct the repository's URL, or Argo CD's Secret with its credentials",
        True,
    ),
    (
        r"unable to resolve '|couldn't find remote ref|unknown revision",
        "the repository has no such branch",
        "Push it, or name another one",
        True,
    ),
    (
        r"app path does not exist",
        "the repository has no chart at this path",
        "Push it there",
        True,
    ),
    (
        r"don't meet the specifications of the schema|schema",
        "a values file breaks the chart's schema",
        "Correct the values, or go back by git revert, and push",
        True,
    ),
    (
        r"failed to generate manifest|error converting yaml|helm template|parse error|execution error|unable to parse",
        "the chart or its values can't be rendered",
        "Correct them, or go back by git revert, and push",
        True,
    ),
    (
        r"not permitted in project",
        "the chart makes something that the environment's project does not allow",
        "Take it out of the chart, or into another project",
        True,
    ),
    (
        r"forbidden: violates podsecurity|admission webhook|is invalid|field is immutable|unknown field",
        "the API server refuses an object of the chart",
        "Correct the object, or go back by git revert, and push",
        True,
    ),
    (
        r"exceeded its progress deadline|back-?off|imagepull|errimage",
        "the new pods do not get ready; the old ones go on serving",
        "See the pods' events and logs. Correct the chart or its values, or go back by git revert, and push",
        True,
    ),
)


class Verdict(t.NamedTuple):
    """done: whether it is as wanted. state: in a few words. messages: what Argo CD says of it. hopeless: waiting does not cure it."""

    done: bool
    state: str
    messages: list[str]
    cause: str = ""
    next_step: str = ""
    hopeless: bool = False


def evaluate(application: Json | None, revision: str = "", healthy: bool = True) -> Verdict:
    """Compare an Application with what is wanted: Synced to a revision (empty: whichever it found last), and Healthy if that is asked."""
    if application is None:
        return Verdict(False, "not there yet; its ApplicationSet makes it", [])
    status = application.get("status") or {}
    sync = status.get("sync") or {}
    health = (status.get("health") or {}).get("status") or "Unknown"
    at = str(sync.get("revision") or "")
    operation = status.get("operationState") or {}
    waits = [
        *(["being deleted"] if application["metadata"].get("deletionTimestamp") else []),
        *(["being compared"] if REFRESH in (application["metadata"].get("annotations") or {}) else []),
        *([f"sync {sync.get('status') or 'Unknown'}"] if sync.get("status") != "Synced" else []),
        *([f"at {at[:10] or 'no revision'}, not {revision[:10]}"] if revision and at != revision else []),
        *([f"operation {operation['phase']}"] if _operation_waits(operation, sync) else []),
        *([f"health {health}"] if healthy and health != "Healthy" else []),
    ]
    if not waits:
        return Verdict(True, f"Synced at {at[:10]}, {health}", [])
    said = [masked(one)[:SHOWN] for one in _messages(status)]
    cause, next_step, hopeless = _cause(" ".join(said))
    return Verdict(False, ", ".join(waits), said, cause, next_step, hopeless)


def _operation_waits(operation: Json, sync: Json) -> bool:
    """Whether an operation runs, or has failed to bring in what is wanted now. One that failed before a way back stays in the status."""
    if operation.get("phase") in (None, "Succeeded"):
        return False
    if operation["phase"] not in FINISHED:
        return True
    tried = (operation.get("syncResult") or {}).get("revision")
    return sync.get("status") != "Synced" and tried in (None, sync.get("revision"))


def _messages(status: Json) -> t.Iterator[str]:
    """What Argo CD says: errors, the operation's message, what it could not apply, what is not healthy. Each once."""
    found: dict[str, None] = {}
    for one in status.get("conditions") or []:
        if str(one.get("type", "")).endswith(("Error", "Warning")):
            found[f"{one['type']}: {one.get('message', '')}"] = None
    operation = status.get("operationState") or {}
    waits = _operation_waits(operation, status.get("sync") or {})
    if waits and operation.get("message"):
        found[f"operation {operation.get('phase')}: {operation['message']}"] = None
    for one in ((operation.get("syncResult") or {}).get("resources") or []) if waits else []:
        if one.get("status") == "SyncFailed" or one.get("hookPhase") in ("Failed", "Error"):
            found[f"{one.get('kind')} {one.get('name')}: {one.get('message', '')}"] = None
    for one in status.get("resources") or []:
        health = one.get("health") or {}
        if health.get("status") not in (None, "", "Healthy"):
            found[f"{one.get('kind')} {one.get('name')} is {health['status']}: {health.get('message', '')}"] = None
        elif one.get("status") == "OutOfSync":
            found[f"{one.get('kind')} {one.get('name')} is OutOfSync"] = None
    yield from found


def _cause(said: str) -> tuple[str, str, bool]:
    return next(
        (
            (cause, step, hopeless)
            for pattern, cause, step, hopeless in CAUSES
            if re.search(pattern, said, re.IGNORECASE)
        ),
        ("", "", False),
    )


def row(name: str, application: Json | None, verdict: Verdict) -> Json:
    """What the module returns of an Application."""
    status = (application or {}).get("status") or {}
    return {
        "name": name,
        "done": verdict.done,
        "state": verdict.state,
        "sync": str((status.get("sync") or {}).get("status") or ""),
        "health": str((status.get("health") or {}).get("status") or ""),
        "revision": str((status.get("sync") or {}).get("revision") or ""),
        "messages": [printable(one) for one in verdict.messages],
        "cause": verdict.cause,
        "next_step": verdict.next_step,
    }


def report(rows: t.Sequence[Json], namespace: str, seconds: float) -> str:
    """The message about those that are not as wanted: a line for each, what Argo CD says, likely cause and what to do."""
    waiting = [one for one in rows if not one["done"]]
    lines = [
        f"After {seconds:.0f} s {len(waiting)} of {len(rows)} Applications in namespace {namespace} are not as their repository says:"
    ]
    for one in waiting:
        lines.append(f"- {one['name']}: {one['state']}")
        lines += [f"  {text}" for text in one["messages"]]
        if one["cause"]:
            lines.append(f"  Likely {one['cause']}. {one['next_step']}.")
    lines.append(f"Look: kubectl -n {namespace} describe application {waiting[0]['name']}" if waiting else "")
    return "\n".join(filter(None, lines))
