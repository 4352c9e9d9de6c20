# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Helm release whose last operation did not end is brought back to a state from which it can be changed. Pure.

Helm keeps a record of each revision. An operation that is killed leaves the newest one pending or uninstalling, and Helm refuses
every further upgrade (pkg/action/upgrade.go, errPending). C(helm rollback) and C(helm uninstall) work on such a release; a
rollback patches what differs only, so that what serves goes on serving.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

# Label of the record that one of our upgrades writes: the run that it belongs to. Helm hands labels down to the next revision.
RUN = "localcloud.dev/run"
# Label that a run sets on the newest record before it rolls back or uninstalls, as Helm takes no labels for these. Not handed down.
RECOVERY = "localcloud.dev/recovery"
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
UNFINISHED = (*PENDING, "uninstalling")


class Revision(t.NamedTuple):
    """A record of Helm's. C(since) is when its operation began and C(description) Helm's own; both of the newest record only."""

    number: int
    status: str
    labels: t.Mapping[str, str] = {}
    since: dt.datetime | None = None
    description: str = ""

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def owner(self) -> str | None:
        return self.labels.get(OWNER)


class Recovery(t.NamedTuple):
    """What ends an unfinished operation: a rollback to a revision, or without one the removal of what an installation made."""

    revision: Revision | None

    def __str__(self) -> str:
        return f"roll back to revision {self.revision.number}" if self.revision else "remove what it had installed"


def recovery_of(revisions: t.Sequence[Revision]) -> Recovery | None:
    """How to end the operation that the newest revision stands for; None where it has ended. C(revisions): oldest first.

    The way back leads to the revision that is deployed, else to the newest that was: Helm marks that one superseded just before it
    marks the new one deployed. Without either, to the newest that failed: its objects may serve. A removal is finished. An
    installation is removed, unless an older revision is deployed.
    """
    if not revisions or not revisions[-1].unfinished:
        return None
    *older, newest = revisions
    if newest.status == "uninstalling":
        return Recovery(None)
    removed = max((number for number, one in enumerate(older) if one.status == "uninstalled"), default=-1)
    wanted = ("deployed",) if newest.status == "pending-install" else ("deployed", "superseded", "failed")
    for status in wanted:
        found = [one for one in older[removed + 1 :] if one.status == status]
        if found:
            return Recovery(found[-1])
    return Recovery(None)


def run_of(revisions: t.Sequence[Revision]) -> str | None:
    """The run of ours that the newest revision's operation belongs to; None where it is not known to be one of ours."""
    *older, newest = revisions
    if newest.status == "uninstalling":
        return newest.labels.get(RECOVERY)
    if newest.status == "pending-rollback":
        return older[-1].labels.get(RECOVERY) if older else None
    run = newest.labels.get(RUN)
    return None if run in {one.labels.get(RUN) for one in older} else run


class Guard(t.NamedTuple):
    """What tells an operation that was killed from one that runs: the time, Helm's time-out, and which runs of ours are alive.

    C(is_alive) says of a run whether its Helm is running; None where that is not known, as on another machine.
    """

    now: dt.datetime
    timeout: float
    is_alive: t.Callable[[str], bool | None]


def running_problem(release: str, revisions: t.Sequence[Revision], guard: Guard) -> str | None:
    """Why the newest revision's operation must be left alone, as it may be running, and what to do; None where it has ended.

    C(release): its name and namespace, for the message.
    """
    newest = revisions[-1] if revisions else None
    if newest is None or not newest.unfinished:
        return None
    run = run_of(revisions)
    alive = guard.is_alive(run) if run else None
    age = (guard.now - newest.since).total_seconds() if newest.since else guard.timeout
    if alive is False or (alive is None and age >= guard.timeout):
        return None
    began = f"{newest.since:%Y-%m-%d %H:%M:%S} UTC" if newest.since else "an unknown time"
    said = f", '{printable(newest.description)}'" if newest.description else ""
    holder = "another run of this stack" if run else "a Helm outside this stack"
    left = max(1, round(guard.timeout - age))
    return (
        f"The release {release} is being changed, likely by {holder}: revision {newest.number} is {newest.status} since {began} "
        f"({max(0, round(age))} s){said}. It is left as it is. Wait until that operation has ended (helm history shows it), then run "
        f"again. If that Helm was killed, run again in {left} s, or at once with a Helm time-out that is shorter than its age."
    )
