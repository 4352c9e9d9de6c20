"""Dashboards: as they are kept, complete, and about metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.scripts import dashboards

PROJECT = Path(__file__).resolve().parents[3]
MADE = dict(dashboards.files())
# What exporters of others give, as far as it is shown; what is ours is read off the rules and the sources.
OTHERS = {
    "ALERTS",
    "aws_sqs_approximate_number_of_messages_not_visible_average",
    "aws_sqs_approximate_number_of_messages_visible_average",
    "container_cpu_usage_seconds_total",
    "container_memory_usage_bytes",
    "controller_runtime_reconcile_errors_total",
    "localcloud_aws_call_seconds_bucket",
    "localcloud_aws_calls_total",
    "kube_pod_container_status_restarts_total",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "up",
}


def panels(text: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(text)["panels"] if one["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for text in MADE.values() for panel in panels(text) for target in panel["targets"]]


def recorded() -> set[str]:
    rules = (yaml.safe_load(path.read_text()) for path in (PROJECT / "charts/monitoring/rules").glob("*.yml"))
    return {rule["record"] for one in rules for group in one["groups"] for rule in group["rules"] if "record" in rule}


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_kept_dashboard_is_what_its_source_says(path: Path) -> None:
    assert path.read_text() == MADE[path]


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_each_panel_says_what_it_answers_and_asks_the_chosen_source(path: Path) -> None:
    shown = panels(MADE[path])
    assert len({one["title"] for one in shown}) == len(shown) > 0
    for one in shown:
        assert one["description"].endswith("?"), one["title"]
        assert one["datasource"]["uid"] == "${datasource}"
        assert one["targets"], one["title"]


def test_nothing_is_kept_that_has_no_source() -> None:
    assert set((PROJECT / "charts/monitoring/dashboards").iterdir()) == set(MADE)


def metrics(expression: str) -> set[str]:
    """The metrics that an expression names; those that it finds by __name__ are not among them."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|\bby \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-zA-Z_][\w:]*\b(?!\s*\()", bare)) - {"or", "and", "unless"}


def test_metrics_of_an_expression() -> None:
    expression = 'topk(10, sum by (a, b) (rate(a_total{c="d_e"}[5m])) > 0) or x:y:z / (1024 * f)'
    assert metrics(expression) == {"a_total", "x:y:z", "f"}


def test_what_is_shown_is_recorded_or_exported() -> None:
    exporter = (PROJECT / "apps/queue_exporter/src/localcloud_queue_exporter/app.py").read_text()
    known = OTHERS | recorded() | set(re.findall(r'"(localcloud_queue_\w+)"', exporter))
    assert {name for one in expressions() for name in metrics(one)} <= known


def test_the_two_queries_of_the_challenge_are_there_as_written() -> None:
    shown = [one.replace(dashboards.HERE, 'namespace="dev"') for one in expressions()]
    assert 'sum(rate(container_cpu_usage_seconds_total{namespace="dev"}[5m])) by (pod)' in shown
    assert 'sum(container_memory_usage_bytes{namespace="dev"}) by (pod) / (1024 * 1024)' in shown
