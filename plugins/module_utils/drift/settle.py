# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare until AWS has what is declared, or until it is known that it will not: by wall time, with the reason.

The outcome is known as soon as nothing differs, as soon as an error that waiting does not cure has stayed for a while, and as
soon as nothing has changed for a longer while with nothing under way.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import shown

Json = dict[str, t.Any]
Clock = t.Callable[[], float]
Takes = t.Callable[[Json], float]

# Lists of what crossplane_diff finds that are to become empty.
OPEN = (
    "missing",
    "modified",
    "drifted",
    "gone",
    "create_incomplete",
    "terminating",
    "existing",
    "foreign",
    "deleted",
    "unready",
)
# Seconds that an error must stay which is not cured by waiting: until then it may be that of the old fields.
PERMANENT_AFTER = 10
# Seconds without any change after which nothing is to be expected. The provider repeats what failed later and later, up to a minute
# apart, so an annotation makes it reconcile before: after so many seconds, and after twice and four times as many. During a reconcile
# the annotation makes it fail by a conflict and begin again, so a resource that it looks up for longer is annotated later, and has time
# for two lookups.
STILL_AFTER = 50
ASK_AFTER = 6
# Seconds between two looks: at least, and in proportion to what a look takes.
INTERVAL, PROPORTION = 1.0, 3.0
# What differs from one repetition of an error to the next: request ids, times, attempts.
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9A-F]{16,}\b|\d{4}-\d\d-\d\dT[\d:.]+Z?|exceeded maximum number of attempts, \d+"
)


class Outcome(t.NamedTuple):
    """How it ended: C(settled), or why it will not settle. C(found) is the last comparison."""

    settled: bool
    found: Json
    seconds: float
    why: str = ""


class Watch:
    """What was seen of the comparisons so far. C(takes) is Reminder's."""

    def __init__(self, limit: float, start: float, takes: Takes = lambda _one: 0) -> None:
        self.limit = limit
        self._takes = takes
        self.start = self.changed = self.failing = start
        self._seen: t.Hashable = None
        self._errors: t.Hashable = None

    def verdict(self, found: Json, now: float) -> Outcome | None:
        """The outcome, or None while it is open."""
        seconds = now - self.start
        if not any(found[name] for name in OPEN):
            return Outcome(True, found, seconds)
        seen, errors = signature(found), permanent(found)
        if seen != self._seen:
            self._seen, self.changed = seen, now
        if errors != self._errors:
            self._errors, self.failing = errors, now
        if errors and now - self.failing >= PERMANENT_AFTER:
            return Outcome(False, found, seconds, "an error stays that waiting does not cure")
        still = STILL_AFTER + 2 * max(self._takes(one) for name in OPEN for one in found[name])
        if now - self.changed >= still and not under_way(found):
            return Outcome(False, found, seconds, f"nothing has changed for {still:.0f} s, and nothing is under way")
        if seconds >= self.limit:
            return Outcome(False, found, seconds, f"the limit of {self.limit:.0f} s is reached")
        return None


class Reminder:
    """What the provider is to look at again, as it has stayed the same for a while.

    C(takes) says for how many seconds the provider looks for one that may not be there.
    """

    def __init__(self, takes: Takes) -> None:
        self._takes = takes
        self._since: dict[t.Hashable, tuple[t.Hashable, float, float]] = {}

    def due(self, found: Json, now: float) -> list[Json]:
        """The references of those whose time has come; each is due again after twice the time."""
        rows: dict[t.Hashable, list[Json]] = {}
        for name in OPEN:
            for one in found[name]:
                rows.setdefault(_identity(one), []).append(one)
        terminating = {_identity(one) for one in found["terminating"]}
        due: list[Json] = []
        since: dict[t.Hashable, tuple[t.Hashable, float, float]] = {}
        for identity, same in rows.items():
            state = tuple(map(_state, same))
            before = self._since.get(identity)
            if identity in terminating:
                continue
            if before is None or before[0] != state:
                since[identity] = (state, now, self._patience(found, same))
            elif now - before[1] >= before[2]:
                since[identity] = (state, now, max(ASK_AFTER, before[2] * 2))
                due.append(same[0])
            else:
                since[identity] = before
        self._since = since
        return due

    def _patience(self, found: Json, same: t.Sequence[Json]) -> float:
        """Seconds until it is due for the first time. A creation of unknown end is not looked at before its end is recorded.

        One that AWS has lost may be looked for already when it is seen first: that lookup may fail by a conflict, and a second one follows.
        """

        def is_among(name: str) -> bool:
            return any(_identity(one) == _identity(same[0]) for one in found[name])

        if is_among("create_incomplete"):
            return 0
        if any(one.get("permanent") for one in same):
            return ASK_AFTER
        return ASK_AFTER + self._takes(same[0]) * (2 if is_among("gone") else 1)


def signature(found: Json) -> t.Hashable:
    """What must stay the same for a state to count as the same."""
    return tuple((name, *_identity(one), *_state(one)) for name in OPEN for one in found[name])


def _identity(one: Json) -> tuple[str | None, ...]:
    return (one.get("api_version"), one["kind"], one.get("namespace"), one["name"])


def _state(one: Json) -> tuple[t.Hashable, ...]:
    fields = tuple((field["path"], str(field["before"])) for field in one.get("fields", []))
    return (one.get("condition"), one.get("reason"), VARYING.sub("", str(one.get("message") or "")), fields)


def permanent(found: Json) -> t.Hashable:
    """Objects with an error that waiting does not cure."""
    return frozenset(
        (one["kind"], one.get("namespace"), one["name"], one.get("cause"))
        for one in found["unready"]
        if one.get("permanent") and not one.get("under_way")
    )


def under_way(found: Json) -> bool:
    """Whether the provider is at work on something."""
    return any(one.get("under_way") for one in found["unready"]) or bool(found["under_way"] or found["terminating"])


def settle(
    look: t.Callable[[], Json],
    limit: float,
    clock: Clock,
    pause: t.Callable[[float], object],
    transient: tuple[type[Exception], ...] = (),
    ask: t.Callable[[Json, list[Json]], object] = lambda _found, _due: None,
    takes: Takes = lambda _one: 0,
) -> Outcome:
    """Look until the outcome is known. What is C(transient) is raised only if it lasts until the limit.

    C(ask) gets what was found, and what of it the provider is to look at again; C(takes) is Reminder's.
    """
    watch, reminder = Watch(limit, clock(), takes), Reminder(takes)
    while True:
        began = clock()
        try:
            found = look()
            if outcome := watch.verdict(found, clock()):
                return outcome
            if due := reminder.due(found, clock()):
                ask(found, due)
        except transient:
            if clock() - watch.start >= limit:
                raise
        # A look at what does not answer takes long; the limit is looked at again when it is over, not after a long pause.
        left = watch.start + limit - clock()
        pause(max(INTERVAL, min(PROPORTION * (clock() - began), left)))


def explain(outcome: Outcome) -> str:
    """What differs after all: which field of which resource, both values, the cause, and what to do."""
    found = outcome.found
    lines = [
        _difference(one, field) for name in ("modified", "drifted") for one in found[name] for field in one["fields"]
    ]
    lines += [f"{label(one)} is not there" for one in (*found["missing"], *found["gone"])]
    lines += [f"{label(one)} is still being deleted" for one in found["terminating"]]
    lines += [f"{label(one)}: the provider does not know how its creation ended" for one in found["create_incomplete"]]
    lines += [f"{label(one)}: AWS has {one['external_name']}, and {one['held_by']}" for one in found["existing"]]
    lines += [_unready(one) for one in found["unready"]]
    known = list(dict.fromkeys(one["next_step"] for one in found["unready"] if one.get("next_step")))
    advice = known or ["look at the resource's conditions and events (kubectl describe) and at the provider's log"]
    return (
        f"After {outcome.seconds:.0f} s AWS does not have what is declared, and {outcome.why}: {'; '.join(lines)}. "
        f"What to do: {'; '.join(advice)}; then run again."
    )


def _difference(one: Json, field: Json) -> str:
    where = {"spec": "in the cluster", "aws": "in AWS", "provider": "as Crossplane last saw it"}[field["where"]]
    return f"{label(one)}: {field['path']} is {shown(field['before'])} {where}, declared is {shown(field['after'])}"


def _unready(one: Json) -> str:
    said = ": ".join(" ".join(str(text).split()) for text in (one.get("reason"), one.get("message")) if text)
    cause = f" (likely: {one['cause']})" if one.get("cause") else ""
    return f"{label(one)}: {one['condition']}{': ' + said if said else ''}{cause}"
