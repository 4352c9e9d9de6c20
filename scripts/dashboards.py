"""The dashboards, kept as JSON: for Grafana by its own types in charts/monitoring/dashboards, which the chart delivers as ConfigMaps and the report draws,
and for Perses' panels in toolchain/dashboards-page, the page that Prometheus serves.

`dashboards.py` writes the files; `dashboards.py --check` tells which of them are not what this file says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "charts/monitoring/dashboards"
PERSES = PROJECT / "toolchain/dashboards-page/dashboards.json"
# Perses' names of Grafana's units.
UNITS = {
    "short": {"unit": "decimal", "shortValues": True},
    "cps": {"unit": "counts/sec"},
    "reqps": {"unit": "requests/sec"},
    "s": {"unit": "seconds"},
    "percentunit": {"unit": "percent-decimal"},
    "bytes": {"unit": "bytes"},
}
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WHOLE_WIDTH = 24
HERE = 'namespace=~"$namespace"'
SERVICES = "localcloud_(users_api|main_api|auxiliary_service)_requests_total"


@dataclass(frozen=True)
class Graph:
    """One panel: its title, what it answers, queries (PromQL, legend) and the unit as Grafana names it."""

    title: str
    answers: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    single: bool = False

    def panel(self, width: int) -> TimeSeries | Stat:
        """As Grafana has it; `single` is one figure in a quarter of the height."""
        made: TimeSeries | Stat
        if self.single:
            made = Stat().height(4)
        else:
            legend = VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
            made = TimeSeries().legend(legend.calcs(["lastNotNull", "max"])).min(0).height(8)
        made.title(self.title).description(self.answers).unit(self.unit).datasource(SOURCE).span(width)
        for place, (expression, legend_format) in enumerate(self.queries):
            made.with_target(Dataquery().expr(expression).legend_format(legend_format).ref_id(chr(ord("A") + place)))
        return made

    def perses(self) -> dict[str, Any]:
        """As Perses has it."""
        unit = UNITS[self.unit]
        plugin = (
            {"kind": "StatChart", "spec": {"calculation": "last-number", "format": unit}}
            if self.single
            else {
                "kind": "TimeSeriesChart",
                "spec": {
                    "legend": {
                        "mode": "table",
                        "position": "bottom",
                        "size": "small",
                        "values": ["last-number", "max"],
                    },
                    "yAxis": {"min": 0, "format": unit},
                },
            }
        )
        queries = [
            {
                "kind": "TimeSeriesQuery",
                "spec": {
                    "plugin": {
                        "kind": "PrometheusTimeSeriesQuery",
                        "spec": {"query": expression, "seriesNameFormat": legend},
                    }
                },
            }
            for expression, legend in self.queries
        ]
        display = {"name": self.title, "description": self.answers}
        return {"kind": "Panel", "spec": {"display": display, "plugin": plugin, "queries": queries}}


PIPELINE: dict[str, list[Graph]] = {
    "Events": [
        Graph(
            "Published and stored",
            "Do as many events come out as go in?",
            [
                (f"sum(localcloud:events_published:rate1m{{{HERE}}})", "published"),
                (f"sum(localcloud:events_stored:rate1m{{{HERE}}})", "stored"),
                (f"sum(localcloud:messages_rejected:rate5m{{{HERE}}})", "rejected"),
            ],
            "cps",
        ),
        Graph(
            "From creation to storage",
            "How long is an event on its way?",
            [
                (f"max by (release) (localcloud:event_end_to_end_seconds:p95_5m{{{HERE}}})", "{{release}} p95"),
            ],
            "s",
        ),
    ],
    "Queues": [
        Graph(
            "Messages that wait",
            "Which queue fills?",
            [
                (
                    f"sum by (dimension_QueueName) (aws_sqs_approximate_number_of_messages_visible_average{{{HERE}}})",
                    "{{dimension_QueueName}}",
                )
            ],
        ),
        Graph(
            "Age of the oldest message, at most",
            "Since when has a queue not been empty?",
            [
                (
                    f"max by (dimension_QueueName) (localcloud_queue_not_empty_seconds{{{HERE}}})",
                    "{{dimension_QueueName}}",
                )
            ],
            "s",
        ),
        Graph(
            "Messages being worked on",
            "How many have consumers in hand?",
            [
                (
                    "sum by (dimension_QueueName) "
                    f"(aws_sqs_approximate_number_of_messages_not_visible_average{{{HERE}}})",
                    "{{dimension_QueueName}}",
                )
            ],
        ),
    ],
}
SERVICE: dict[str, list[Graph]] = {
    "Requests": [
        Graph(
            "Rate by route",
            "What is asked for?",
            [
                (
                    f'sum by (job, route) (rate({{__name__=~"{SERVICES}", {HERE}}}[$__rate_interval]))',
                    "{{job}} {{route}}",
                )
            ],
            "reqps",
        ),
        Graph(
            "Errors",
            "Which part of the requests fails, beside what the error budget allows?",
            [(f"localcloud:http_errors:ratio_rate5m{{{HERE}}}", "{{job}}"), ("vector(0.005)", "budget")],
            "percentunit",
        ),
        Graph(
            "Duration, p95",
            "How long do answers take?",
            [
                (
                    "histogram_quantile(0.95, sum by (job, le) (rate({"
                    f'__name__=~"localcloud_(users_api|main_api|auxiliary_service)_request_seconds_bucket", {HERE}'
                    "}[$__rate_interval])))",
                    "{{job}}",
                )
            ],
            "s",
        ),
    ],
    "Calls to AWS": [
        Graph(
            "Duration of a call, p95",
            "Is DynamoDB, S3 or SNS slow?",
            [
                (
                    # A receive that waits for messages takes as long as it may.
                    "histogram_quantile(0.95, sum by (service, operation, le) (rate(localcloud_aws_call_seconds_bucket{"
                    f'operation!="ReceiveMessage", {HERE}'
                    "}[$__rate_interval])))",
                    "{{service}} {{operation}}",
                )
            ],
            "s",
        ),
        Graph(
            "Calls that did not succeed",
            "Is a service throttling, refusing or away?",
            [
                (
                    "sum by (service, operation, outcome) (rate(localcloud_aws_calls_total{"
                    f'outcome!="ok", {HERE}'
                    "}[$__rate_interval])) > 0",
                    "{{service}} {{operation}} {{outcome}}",
                )
            ],
            "cps",
        ),
    ],
}
CLUSTER: dict[str, list[Graph]] = {
    "Now": [
        Graph("Targets down", "Is all scraped?", [("count(up == 0) or vector(0)", "")], single=True),
        Graph(
            "Alerts",
            "What is wrong?",
            [('count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)', "")],
            single=True,
        ),
        Graph(
            "Unready resources",
            "Is AWS as declared?",
            [("sum(localcloud:managed_resources_unready:count)", "")],
            single=True,
        ),
    ],
    "Pods": [
        # The two of the challenge, as they are there.
        Graph(
            "CPU usage by pod (cores)",
            "Who computes?",
            [(f"sum(rate(container_cpu_usage_seconds_total{{{HERE}}}[5m])) by (pod)", "{{pod}}")],
        ),
        Graph(
            "Memory usage by pod (MiB)",
            "Who holds memory?",
            [(f"sum(container_memory_usage_bytes{{{HERE}}}) by (pod) / (1024 * 1024)", "{{pod}}")],
        ),
        Graph(
            "Restarts",
            "What does not stay up?",
            [
                (
                    f"sum by (pod, container) (increase(kube_pod_container_status_restarts_total{{{HERE}}}[10m])) > 0",
                    "{{pod}} {{container}}",
                )
            ],
        ),
    ],
    "Crossplane": [
        Graph(
            "Unready managed resources",
            "Which kinds are not ready?",
            [("localcloud:managed_resources_unready:count", "{{gvk}}")],
        ),
        Graph(
            "Mean time of a reconcile",
            "Does AWS answer slowly?",
            [("topk(10, localcloud:reconcile_seconds:mean5m)", "{{controller}}")],
            "s",
        ),
        Graph(
            "Failed reconciles",
            "What does AWS refuse?",
            [
                (
                    "topk(10, sum by (controller) (rate(controller_runtime_reconcile_errors_total[5m])) > 0)",
                    "{{controller}}",
                )
            ],
            "cps",
        ),
    ],
    "Node": [
        Graph(
            "CPU of the node (cores)",
            "Is the machine busy?",
            [('sum(rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[$__rate_interval]))', "busy")],
        ),
        Graph(
            "Memory of the node",
            "Is there memory left?",
            [
                ("node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", "used"),
                ("node_memory_MemTotal_bytes", "all"),
            ],
            "bytes",
        ),
    ],
}
DASHBOARDS = {
    "localcloud-pipeline": ("localcloud: pipeline", PIPELINE),
    "localcloud-services": ("localcloud: services", SERVICE),
    "localcloud-cluster": ("localcloud: cluster and AWS resources", CLUSTER),
}


def dashboard(uid: str, title: str, rows: dict[str, list[Graph]]) -> Dashboard:
    """Rows of panels that share their width; a variable for the data source and one for namespaces."""
    made = Dashboard(title).uid(uid).tags(["localcloud"]).refresh("30s").time("now-1h", "now").readonly()
    made.with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
    namespaces = QueryVariable("namespace").label("Namespace").query("label_values(up, namespace)").datasource(SOURCE)
    made.with_variable(
        namespaces.include_all(True).all_value(".*").multi(True).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    for name, graphs in rows.items():
        made.with_row(Row(name))
        for graph in graphs:
            made.with_panel(graph.panel(WHOLE_WIDTH // len(graphs)))
    return made


def perses(uid: str, title: str, rows: dict[str, list[Graph]]) -> dict[str, Any]:
    """The same for Perses: rows as layouts, panels by name, and the variable for namespaces."""
    namespaces = {"kind": "PrometheusLabelValuesVariable", "spec": {"labelName": "namespace", "matchers": ["up"]}}
    variable = {
        "name": "namespace",
        "display": {"name": "Namespace"},
        "allowAllValue": True,
        "customAllValue": ".*",
        "allowMultiple": True,
        "defaultValue": "$__all",
        "plugin": namespaces,
    }
    panels: dict[str, Any] = {}
    layouts = []
    for row, graphs in rows.items():
        width, items = WHOLE_WIDTH // len(graphs), []
        for place, graph in enumerate(graphs):
            name = f"{uid}-{len(panels)}"
            panels[name] = graph.perses()
            height = 4 if graph.single else 9
            reference = {"$ref": f"#/spec/panels/{name}"}
            items.append({"x": place * width, "y": 0, "width": width, "height": height, "content": reference})
        layouts.append(
            {"kind": "Grid", "spec": {"display": {"title": row, "collapse": {"open": True}}, "items": items}}
        )
    return {
        "kind": "Dashboard",
        "metadata": {"name": uid, "project": "localcloud"},
        "spec": {
            "display": {"name": title},
            "duration": "1h",
            "refreshInterval": "30s",
            "variables": [{"kind": "ListVariable", "spec": variable}],
            "panels": panels,
            "layouts": layouts,
        },
    }


def files() -> Iterator[tuple[Path, str]]:
    """Each dashboard's file and its text."""
    for uid, (title, rows) in DASHBOARDS.items():
        text = JSONEncoder(sort_keys=True, indent=2).encode(dashboard(uid, title, rows).build())
        yield FOLDER / f"{uid}.json", f"{text}\n"
    boards = [perses(uid, title, rows) for uid, (title, rows) in DASHBOARDS.items()]
    yield PERSES, f"{json.dumps(boards, indent=2)}\n"


def main() -> int:
    """Write the files, or with --check only compare them."""
    check = sys.argv[1:] == ["--check"]
    different = [(path, text) for path, text in files() if not path.exists() or path.read_text() != text]
    for path, text in different:
        print(f"{path.name} is not as scripts/dashboards.py says" if check else f"wrote {path.name}")
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
