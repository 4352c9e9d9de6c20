# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.drift.settle import (
    ASK_AFTER,
    OPEN,
    PERMANENT_AFTER,
    STILL_AFTER,
    explain,
    settle,
)

QUEUE = {"api_version": "sqs.aws.upbound.io/v1beta1", "kind": "Queue", "name": "orders"}
FIELD = {"path": "delaySeconds", "where": "aws", "before": 7, "after": 0, "immutable": False}
STRAYED = {**QUEUE, "fields": [FIELD]}


def found(**lists):
    return {**{name: [] for name in OPEN}, "under_way": [], **lists}


def unready(**row):
    return {
        **QUEUE,
        "condition": "Synced=False",
        "reason": "ReconcileError",
        "message": "no",
        "cause": None,
        "next_step": None,
        "permanent": False,
        "under_way": False,
        **row,
    }


class Clock:
    """Time that goes on while somebody pauses, and by what a look takes."""

    def __init__(self, look=0.0):
        self.now, self.look, self.looks = 0.0, look, 0

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds

    def run(self, states, limit=180, asked=None):
        rest = iter(states)

        def look():
            self.now += self.look
            self.looks += 1
            return next(rest)

        def ask(_found, due):
            if asked is not None:
                asked.extend((self.now, one["name"]) for one in due)

        return settle(look, limit, self, self.pause, ask=ask)


def test_it_ends_as_soon_as_nothing_differs():
    clock = Clock()
    outcome = clock.run([found(drifted=[STRAYED]), found(), found()])
    assert (outcome.settled, clock.looks) == (True, 2)


def test_an_error_that_waiting_does_not_cure_ends_it_once_it_has_stayed():
    refused = found(
        unready=[unready(permanent=True, message="AccessDenied, RequestID: 7d3c5f3e-1111-2222-3333-444455556666")]
    )
    again = found(
        unready=[unready(permanent=True, message="AccessDenied, RequestID: 00000000-1111-2222-3333-444455556666")]
    )
    outcome = Clock().run(itertools.cycle([refused, again]))
    assert (outcome.settled, outcome.why) == (False, "an error stays that waiting does not cure")
    assert PERMANENT_AFTER <= outcome.seconds <= PERMANENT_AFTER + 2


def test_an_error_of_the_old_fields_does_not_end_it():
    refused = found(unready=[unready(permanent=True)])
    assert Clock().run([*[refused] * 3, *[found(under_way=[QUEUE])] * 2]).settled


def test_where_nothing_changes_and_nothing_is_under_way_it_ends():
    outcome = Clock().run(itertools.repeat(found(drifted=[STRAYED])))
    assert not outcome.settled
    assert STILL_AFTER <= outcome.seconds <= STILL_AFTER + 2


@pytest.mark.parametrize("state", [found(drifted=[STRAYED], under_way=[QUEUE]), found(terminating=[QUEUE])])
def test_what_is_under_way_may_take_until_the_limit_and_no_longer(state):
    outcome = Clock().run(itertools.repeat(state), limit=100)
    assert not outcome.settled
    assert 100 <= outcome.seconds <= 102


def test_the_limit_is_one_of_time_and_not_of_looks():
    clock = Clock(look=20)
    outcome = clock.run(itertools.repeat(found(drifted=[STRAYED], under_way=[QUEUE])), limit=100)
    assert clock.looks <= 3
    assert outcome.seconds <= 100 + 20


def test_the_pause_after_a_long_look_ends_with_the_limit():
    clock = Clock(look=40)
    assert clock.run(itertools.repeat(found(drifted=[STRAYED], under_way=[QUEUE])), limit=100).seconds <= 100 + 40

    def away():
        clock.now += 40
        raise ValueError("away")

    began = clock.now
    with pytest.raises(ValueError, match="away"):
        settle(away, 100, clock, clock.pause, (ValueError,))
    assert clock.now - began <= 100 + 40


def test_what_changes_goes_on():
    states = ({**STRAYED, "fields": [{**FIELD, "before": number}]} for number in itertools.count())
    assert Clock().run((found(drifted=[one]) for one in states), limit=90).seconds >= 90


def test_the_message_names_field_and_both_values_cause_and_next_step():
    state = found(
        drifted=[STRAYED], unready=[unready(cause="a field was changed", next_step="set it back", permanent=True)]
    )
    said = explain(Clock().run(itertools.repeat(state)))
    assert "Queue/orders: delaySeconds is 7 in AWS, declared is 0" in said
    assert "Queue/orders: Synced=False: ReconcileError: no (likely: a field was changed)" in said
    assert "What to do: set it back; then run again." in said


def test_an_endpoint_that_is_away_for_a_while_is_waited_for_and_no_longer_than_the_limit():
    clock = Clock()
    states = iter([ValueError("away"), found()])

    def look():
        state = next(states)
        if isinstance(state, Exception):
            raise state
        return state

    assert settle(look, 100, clock, clock.pause, (ValueError,)).settled
    states = itertools.repeat(ValueError("away"))
    with pytest.raises(ValueError, match="away"):
        settle(look, 100, clock, clock.pause, (ValueError,))


def test_what_stays_the_same_is_to_be_looked_at_again_later_and_later():
    asked = []
    assert not Clock().run(itertools.repeat(found(drifted=[STRAYED])), asked=asked).settled
    times = [moment for moment, _name in asked]
    assert [later - earlier for earlier, later in itertools.pairwise([0, *times])] == [
        pytest.approx(ASK_AFTER * factor, abs=1) for factor in (1, 2, 4)
    ]


def test_what_changes_or_leaves_is_not_to_be_looked_at_again():
    states = (
        found(
            drifted=[{**STRAYED, "name": "moving", "fields": [{**FIELD, "before": number}]}],
            unready=[unready(), unready(name="creating", under_way=True), unready(name="terminating")],
            terminating=[{**QUEUE, "name": "terminating"}],
        )
        for number in itertools.count()
    )
    asked = []
    Clock().run(states, limit=10, asked=asked)
    assert [name for _moment, name in asked] == ["orders", "creating"]


def test_what_the_provider_looks_for_longer_is_asked_for_later():
    clock, asked = Clock(), []
    outcome = settle(
        lambda: found(drifted=[STRAYED]),
        200,
        clock,
        clock.pause,
        ask=lambda _found, _due: asked.append(clock.now),
        takes=lambda one: 20 if one["kind"] == "Queue" else 0,
    )
    assert asked == [pytest.approx(moment, abs=2) for moment in (ASK_AFTER + 20, 3 * (ASK_AFTER + 20))]
    assert STILL_AFTER + 40 <= outcome.seconds <= STILL_AFTER + 42


def test_what_aws_has_lost_is_asked_for_after_a_second_lookup():
    clock, asked = Clock(), []
    settle(
        lambda: found(gone=[QUEUE]), 200, clock, clock.pause,
        ask=lambda _found, _due: asked.append(clock.now), takes=lambda _one: 20,
    )  # fmt: skip
    assert asked[0] == pytest.approx(ASK_AFTER + 40, abs=2)


@pytest.mark.parametrize(
    ("state", "moment"),
    [
        (found(create_incomplete=[QUEUE], unready=[unready(permanent=True)]), 1),
        (found(unready=[unready(permanent=True)]), ASK_AFTER),
    ],
    ids=["a creation of unknown end", "an error"],
)
def test_what_the_provider_does_not_look_for_is_asked_for_before_its_error_counts(state, moment):
    clock, asked = Clock(), []
    outcome = settle(
        lambda: state, 200, clock, clock.pause, ask=lambda _found, _due: asked.append(clock.now), takes=lambda _one: 20
    )
    assert asked[0] == pytest.approx(moment, abs=1)
    assert outcome.seconds >= asked[0] + 3


def test_the_provider_gets_time_to_reconcile_before_an_error_counts():
    assert PERMANENT_AFTER > ASK_AFTER + 2
