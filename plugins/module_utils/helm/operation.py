# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs, upgrades and removes a Helm release that is ours; first it ends an operation that was killed."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import described, foreign_problems
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import Chart, Helm, is_alive
from ansible_collections.localcloud.stack.plugins.module_utils.helm.recovery import RECOVERY, RUN, Guard
from ansible_collections.localcloud.stack.plugins.module_utils.helm.release import (
    Release,
    apply_method,
    as_row,
    chart_labels,
    chart_of,
    differences,
    foreign,
    is_owned_by,
    read_release,
    running,
    scaled,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, ChangingApi, KubernetesError

Json = dict[str, t.Any]


class Wanted(t.NamedTuple):
    """A release as it is to be; for its removal chart, values and C(create_namespace) say nothing."""

    namespace: str
    name: str
    owner: str
    chart: Chart
    values: Json
    create_namespace: bool
    timeout: int
    witness: str = ""


class Outcome(t.NamedTuple):
    """What was done (in check mode: would be), what differed before, what stays although it was to go, and warnings.

    C(scaled): workloads that keep the number of replicas that others have set.
    """

    actions: list[str]
    differences: list[str]
    kept: t.Sequence[Json] = ()
    warnings: t.Sequence[str] = ()
    scaled: t.Sequence[str] = ()


def guard_of(timeout: float) -> Guard:
    """What tells an operation that was killed from one that runs, as of now."""
    return Guard(dt.datetime.now(dt.UTC), timeout, is_alive)


def install(api: ChangingApi, helm: Helm, wanted: Wanted, check_mode: bool) -> Outcome:
    """Install or upgrade the release where something differs. Raises KubernetesError and ApiError."""
    chart, chart_marks = _chart(wanted)
    # As Helm has them, which knows no other values than JSON's.
    values = json.loads(json.dumps(wanted.values))
    release = _allowed(api, wanted)
    found = differences(release, chart, values, wanted.owner, chart_marks)
    actions: list[str] = []
    warnings: list[str] = []
    if release.recovery:
        actions.append(str(release.recovery))
        if not check_mode:
            warnings = _recover(api, helm, release)
            release = _read(api, wanted)
    kept = scaled(release)
    if _still(release, differences(release, chart, values, wanted.owner, chart_marks)):
        actions.append("upgrade" if release.base else "install")
        if not check_mode:
            labels = {OWNER: wanted.owner, RUN: helm.run, **chart_marks}
            helm.upgrade(wanted.chart, wanted.values, labels, wanted.create_namespace, release.method, kept)
    return Outcome(actions, found, warnings=warnings, scaled=[str(one) for one in kept])


def remove(api: ChangingApi, helm: Helm, wanted: Wanted, check_mode: bool) -> Outcome:
    """Uninstall the release if it is ours; else it stays. Raises KubernetesError and ApiError."""
    release = _read(api, wanted)
    if not release.revisions:
        return Outcome([], [])
    if not is_owned_by(release, wanted.owner):
        return Outcome([], [], kept=[{**as_row(release), "reason": described(release.owner)}])
    # A removal may be completed by two, so it need not be known whether the one that began it still runs.
    _allow(release, wanted, though_running=release.revisions[-1].status == "uninstalling")
    if not check_mode:
        _uninstall(api, helm, release)
    return Outcome(["uninstall"], [f"it is {release.revisions[-1].status}"])


def _still(release: Release, found: list[str]) -> list[str]:
    """What is left to be done by an upgrade once the unfinished operation is ended."""
    return found[1:] if release.recovery and release.base else found


def _chart(wanted: Wanted) -> tuple[Json, dict[str, str]]:
    """What is known of the chart, and what Helm's record says of its files."""
    try:
        return chart_of(wanted.chart.reference, wanted.chart.version), chart_labels(wanted.chart.reference)
    except (OSError, ValueError) as error:
        raise KubernetesError(
            f"The chart {wanted.chart.reference} can't be read: {error}. Correct its path."
        ) from error


def _read(api: Api, wanted: Wanted) -> Release:
    try:
        return read_release(api, wanted.namespace, wanted.name, wanted.witness)
    except ValueError as error:
        raise KubernetesError(unreadable(wanted.name, wanted.namespace, error)) from error


def unreadable(name: str, namespace: str, error: ValueError) -> str:
    """The message about a record that Helm can't have written."""
    return (
        f"The release {name} of {namespace} can't be read: {error}. Likely something else than Helm wrote it. Look at helm history, "
        "delete that Secret if Helm can't read it either, then run again."
    )


def _allowed(api: Api, wanted: Wanted) -> Release:
    release = _read(api, wanted)
    _allow(release, wanted)
    return release


def _allow(release: Release, wanted: Wanted, though_running: bool = False) -> None:
    ways_on = (
        f"Choose another name of the release or another namespace, or hand these over by the label {OWNER}={wanted.owner} (for a release on "
        "the newest of its Secrets), then run again."
    )
    problems = [
        *foreign_problems(foreign(release, wanted.owner), ways_on),
        *([] if though_running else running(release, guard_of(wanted.timeout))),
    ]
    if problems:
        raise KubernetesError(" ".join(problems))


def _recover(api: ChangingApi, helm: Helm, release: Release) -> list[str]:
    """End the unfinished operation; what went wrong with it without being in the way of an upgrade."""
    recovery = release.recovery
    if recovery is None or recovery.revision is None:
        _uninstall(api, helm, release)
        return []
    _mark(api, helm, release)
    try:
        helm.rollback(recovery.revision.number, apply_method(release.base))
    except KubernetesError as error:
        # A revision that failed may fail again. Helm's record then says so, and the upgrade that follows is allowed.
        if recovery.revision.status != "failed":
            raise
        return [error.message]
    return []


def _uninstall(api: ChangingApi, helm: Helm, release: Release) -> None:
    _mark(api, helm, release)
    helm.uninstall()


def _mark(api: ChangingApi, helm: Helm, release: Release) -> None:
    """Write into the newest record which run ends its operation."""
    record = release.records[-1]["metadata"]["name"]
    path = f"/api/v1/namespaces/{release.namespace}/secrets/{record}"
    api.merge(path, {"metadata": {"labels": {RECOVERY: helm.run}}})
