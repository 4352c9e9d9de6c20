"""Alerts: each has a runbook that is there, a test by promtool, and a severity."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
RULES = sorted((PROJECT / "charts/monitoring/rules").glob("*.yml"))
SEVERITIES = {"critical", "warning", "none"}


def alerts(path: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_alert_has_a_runbook_a_severity_and_a_test(path: Path) -> None:
    headings = re.findall(r"^## (\w+)$", (PROJECT / "docs/runbooks.md").read_text(), re.M)
    tests = yaml.safe_load((PROJECT / "charts/monitoring/tests/rules" / path.name).read_text())["tests"]
    fired = {case["alertname"] for one in tests for case in one.get("alert_rule_test", []) if case["exp_alerts"]}
    counted = " ".join(case["expr"] for one in tests for case in one.get("promql_expr_test", []))
    assert alerts(path)
    for alert in alerts(path):
        name = alert["alert"]
        assert name in headings, name
        assert alert["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
        assert alert["annotations"]["summary"] and alert["annotations"]["description"]
        assert alert["labels"]["severity"] in SEVERITIES
        assert name in fired or name in counted, f"{name} never fires in a test"


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    headings = set(re.findall(r"^## (\w+)$", (PROJECT / "docs/runbooks.md").read_text(), re.M))
    assert headings == {alert["alert"] for path in RULES for alert in alerts(path)}
