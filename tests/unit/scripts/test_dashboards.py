"""Dashboards: as they are kept, complete, and about metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.scripts import dashboards
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

PROJECT = Path(__file__).resolve().parents[3]
MADE = dict(dashboards.files())
GRAFANA = {path: text for path, text in MADE.items() if path != dashboards.PERSES}
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
    return [target["expr"] for text in GRAFANA.values() for panel in panels(text) for target in panel["targets"]]


def recorded() -> set[str]:
    rules = (yaml.safe_load(path.read_text()) for path in (PROJECT / "charts/monitoring/rules").glob("*.yml"))
    return {rule["record"] for one in rules for group in one["groups"] for rule in group["rules"] if "record" in rule}


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_kept_dashboard_is_what_its_source_says(path: Path) -> None:
    assert path.read_text() == MADE[path]


@pytest.mark.parametrize("path", GRAFANA, ids=lambda path: path.name)
def test_each_panel_says_what_it_answers_and_asks_the_chosen_source(path: Path) -> None:
    shown = panels(MADE[path])
    assert len({one["title"] for one in shown}) == len(shown) > 0
    for one in shown:
        assert one["description"].endswith("?"), one["title"]
        assert one["datasource"]["uid"] == "${datasource}"
        assert one["targets"], one["title"]


def test_nothing_is_kept_that_has_no_source() -> None:
    assert set((PROJECT / "charts/monitoring/dashboards").iterdir()) == set(GRAFANA)


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


def perses() -> list[dict[str, Any]]:
    boards: list[dict[str, Any]] = json.loads(MADE[dashboards.PERSES])
    return boards


def test_perses_shows_the_same_panels_by_the_same_queries() -> None:
    shown = [
        (panel["spec"]["display"]["name"], [one["spec"]["plugin"]["spec"]["query"] for one in panel["spec"]["queries"]])
        for board in perses()
        for panel in board["spec"]["panels"].values()
    ]
    grafana = [
        (one["title"], [target["expr"] for target in one["targets"]])
        for text in GRAFANA.values()
        for one in panels(text)
    ]
    assert shown == grafana


def test_each_panel_of_perses_has_its_place() -> None:
    for board in perses():
        placed = [
            item["content"]["$ref"].rpartition("/")[2]
            for layout in board["spec"]["layouts"]
            for item in layout["spec"]["items"]
        ]
        assert placed == list(board["spec"]["panels"])
        for layout in board["spec"]["layouts"]:
            items = layout["spec"]["items"]
            assert sum(one["width"] for one in items) == dashboards.WHOLE_WIDTH
            assert [one["x"] for one in items] == [
                sum(one["width"] for one in items[:place]) for place in range(len(items))
            ]


def test_every_unit_has_a_name_in_perses() -> None:
    used = {
        graph.unit for _title, rows in dashboards.DASHBOARDS.values() for graphs in rows.values() for graph in graphs
    }
    assert used == set(dashboards.UNITS)


def bare(value: Any) -> Any:
    """Without empty maps, which a panel's own settings become where there are none."""
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if one != {}}
    return [bare(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", GRAFANA, ids=lambda path: path.name)
def test_grafana_s_own_types_read_all_of_it(path: Path) -> None:
    """A field of a wrong name, or in a wrong place, would be lost."""
    plugins.register_default_plugins()
    kept = json.loads(MADE[path])
    read = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(kept)))
    assert bare(read) == bare(kept)
