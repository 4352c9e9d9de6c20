"""What a Prometheus adds to the report, and what is said where it does not answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.report.compose import compose
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import Report

from tests.unit.plugins.module_utils.report.facts import facts, measured

SCHEMA = json.loads((Path(__file__).resolve().parents[5] / "docs/report.schema.json").read_text())
URL = "http://10.0.0.1:30990"


def report(metrics: dict[str, Any]) -> Report:
    found = compose({**facts(), "metrics": metrics, "metrics_url": URL}, "2026-01-01T12:05:00Z")
    jsonschema.Draft202012Validator(SCHEMA).validate(found.as_json())
    return found


def test_without_a_prometheus_nothing_is_missing() -> None:
    for metrics in ({}, {"skipped": True}):
        found = report(metrics)
        assert (found.state, found.metrics, found.unread) == ("ok", None, [])


def test_what_goes_through_a_station_is_counted_in_its_namespace() -> None:
    found = report(measured())
    rates = {one.id: one.rates for one in found.blueprints[0].nodes if one.rates}
    assert rates == {"service:producer": {"published": 1.0}, "queue:work": {"taken": 0.988}}
    assert found.state == "ok"
    assert found.metrics is not None and found.metrics.targets_up == 13
    assert [one.title for one in found.metrics.charts] == ["Rates", "Age", "Down"]


def test_one_that_is_down_is_named_and_the_rest_is_shown() -> None:
    found = report({"failed": True, "msg": "Prometheus at http://10.0.0.1:30990 does not answer: connection refused."})
    assert [(one.what, one.reason) for one in found.unread] == [
        ("Prometheus", "Prometheus at http://10.0.0.1:30990 does not answer: connection refused.")
    ]
    assert (found.state, found.summary) == ("unknown", "1 source could not be read.")
    assert found.metrics is None and found.blueprints[0].nodes


def test_a_query_that_is_refused_is_named() -> None:
    found = report(measured(errors=[{"query": "sum(", "message": "parse error"}]))
    assert [(one.what, one.reason) for one in found.unread] == [("Prometheus: sum(", "parse error")]


def test_an_alert_wants_attention() -> None:
    alert = {
        "name": "TargetDown", "severity": "warning", "since": "2026-01-01T12:00:00Z", "summary": "a is down", "description": "", "runbook": "docs",
    }  # fmt: skip
    found = report(measured(alerts=[alert]))
    assert (found.state, found.summary) == ("attention", "1 alert fires.")
    assert [one.name for one in found.alerts] == ["TargetDown"]


@pytest.mark.parametrize(
    ("ahead", "said"), [(42.0, "42 s ahead of"), (-3600.0, "3,600 s behind"), (1.2, ""), (-5.0, "")]
)
def test_a_clock_that_is_off_is_a_finding(ahead: float, said: str) -> None:
    found = report(measured(clock_seconds_ahead=ahead)).findings
    assert [(one.kind, one.name) for one in found] == [("Prometheus", URL)] * bool(said)
    assert all(said in one.reason and one.next_step for one in found)
