# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe import statistics as figures
from ansible_collections.localcloud.stack.plugins.module_utils.probe.statistics import Journey


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.5, 7),
        ([7], 0.95, 7),
        ([1, 2, 3, 4], 0.5, 2),
        (list(range(1, 101)), 0.95, 95),
        ([1, 2], 1, 2),
    ],
)
def test_percentiles_are_values_that_were_measured(values, share, expected):
    assert figures.percentile(values, share) == expected


def test_what_became_of_the_events():
    journeys = [Journey(0.001, 0, total) for total in (0.2, 0.1, None)] + [Journey()]
    assert figures.statistics(journeys, 1, None) == {
        "sent": 3,
        "arrived": 2,
        "lost": 1,
        "duplicated": 1,
        "out_of_order": None,
        "total_ms": {"p50": 100, "p95": 200, "max": 200},
    }


def test_hops_of_many_events_are_the_medians_of_what_is_known():
    stored = [{"ReceivedAt": 100, "StoredAt": 100 + took} for took in (3, 9, 5)]
    journeys = [Journey(0.002, 0, 0.1, trace) for trace in stored] + [Journey(0.002, 0, None)]
    assert figures.hops(journeys) == {
        "publish": 2,
        "topic_to_queue": None,
        "queue_to_consumer": None,
        "consumer_to_table": 5,
        "total": 100,
    }


@pytest.mark.parametrize(("numbers", "late"), [([], 0), ([0, 1, 2], 0), ([1, 0, 2], 1), ([2, 0, 1, 3], 2)])
def test_what_comes_after_a_later_one_is_late(numbers, late):
    assert figures.late_ones(numbers) == late


def test_hops_come_from_the_trace():
    trace = {"PublishedAt": 100_001, "QueuedAt": 100_011, "ReceivedAt": 100_031, "StoredAt": 100_034}
    assert figures.latencies(trace, 0.0061, 0.0504) == {
        "publish": 6,
        "topic_to_queue": 10,
        "queue_to_consumer": 20,
        "consumer_to_table": 3,
        "total": 50,
    }


@pytest.mark.parametrize("trace", [None, {}, "x", {"QueuedAt": "then"}])
def test_without_a_trace_hops_are_empty(trace):
    found = figures.latencies(trace, 0.001, 0.1)
    assert [found[hop] for hop in figures.HOPS] == [None, None, None]
    assert found["total"] == 100


def test_whole_seconds_are_replaced_by_our_own_clock_if_it_agrees():
    trace = {"PublishedAt": 100_000, "QueuedAt": 100_905}
    assert figures.latencies(trace, 0.01, 0.1, published_at=100_899.6)["topic_to_queue"] == 5
    assert figures.latencies(trace, 0.01, 2.0, published_at=107_000)["topic_to_queue"] is None
    assert figures.latencies(trace, 0.01, 2.0)["topic_to_queue"] is None


def test_clocks_that_differ_give_no_nonsense():
    trace = {"PublishedAt": 100_001, "QueuedAt": 99_990, "ReceivedAt": 109_990}
    found = figures.latencies(trace, 0.01, 0.1)
    assert found["topic_to_queue"] == 0
    assert found["queue_to_consumer"] is None  # longer than the whole way


def test_the_last_hop_may_have_another_name():
    assert list(figures.hops([Journey()], "consumer_to_bucket")) == [
        "publish",
        "topic_to_queue",
        "queue_to_consumer",
        "consumer_to_bucket",
        "total",
    ]
