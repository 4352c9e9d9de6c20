# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils import probe_figures as figures
from ansible_collections.localcloud.stack.plugins.module_utils.probe_figures import Journey


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
