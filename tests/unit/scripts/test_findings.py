"""Which findings are to be mended."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.scripts.findings import Accepted, Finding, accepted, judge

ENTRY = {"tool": "t", "check": "c", "where": ["Deployment/*"], "reason": "because"}
FINDING = Finding("t", "c", "Deployment/a", "words")


def test_an_accepted_finding_is_no_problem() -> None:
    assert judge([FINDING, Finding("t", "c", "Deployment/b")], accepted([ENTRY])) == []


@pytest.mark.parametrize(
    "other", [Finding("u", "c", "Deployment/a"), Finding("t", "d", "Deployment/a"), Finding("t", "c", "Service/a")]
)
def test_any_other_finding_is_named(other: Finding) -> None:
    (line,) = judge([FINDING, other], accepted([ENTRY]))
    assert line == f"{other.tool} {other.check}: {other.where}: "


def test_an_accepted_finding_that_is_gone_is_named() -> None:
    assert judge([], [Accepted("t", "c", "a")]) == ["t c: a: accepted, but not found any more; delete that"]


@pytest.mark.parametrize(
    "entry", [{**ENTRY, "reason": " "}, {"tool": "t", "check": "c", "where": []}, {**ENTRY, "x": 1}]
)
def test_an_entry_without_a_reason_is_refused(entry: dict) -> None:
    with pytest.raises(ValueError, match="needs tool, check, where"):
        accepted([entry])
