"""What Helm makes of the chart of monitoring, and of monitors in the applications' charts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.charts.tests.test_charts import LOCAL, environment, render

KUBELET = ("kubelet.address=10.0.0.2", "kubelet.serverName=node")
MONITORED = (*LOCAL, "global.monitoring.enabled=true", "queue-exporter.enabled=true", "producer.probes.enabled=true")


def kinds(objects: dict[tuple[str, str], Any]) -> set[str]:
    return {kind for kind, _name in objects}


def selected(labels: dict[str, str], selector: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def containers(one: Any) -> list[Any]:
    return list(one["spec"]["template"]["spec"]["containers"])


def test_every_service_monitor_finds_a_service_with_its_port() -> None:
    objects = render("monitoring", *KUBELET)
    monitors = [one for (kind, _name), one in objects.items() if kind == "ServiceMonitor"]
    services = [one for (kind, _name), one in objects.items() if kind == "Service"]
    assert len(monitors) == 5
    for monitor in monitors:
        selector = monitor["spec"]["selector"]["matchLabels"]
        found = [one for one in services if selected(one["metadata"]["labels"], selector)]
        ports = {port["name"] for one in found for port in one["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports, monitor["metadata"]["name"]


def test_pods_are_restricted() -> None:
    objects = render("monitoring", *KUBELET)
    workloads = [one for (kind, _name), one in objects.items() if kind in ("Deployment", "DaemonSet", "StatefulSet")]
    assert len(workloads) == 4
    for one in workloads:
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in containers(one):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


def test_prometheus_serves_the_dashboards_that_its_image_has() -> None:
    (given,) = render("monitoring", *KUBELET)[("Prometheus", "prometheus")]["spec"]["additionalArgs"]
    image = (Path(__file__).resolve().parents[2] / "toolchain/prometheus-image/Containerfile").read_text()
    assert f"COPY dashboards-page {given['value']}\n" in image
    assert given["name"] == "web.user-assets"


def test_nobody_may_write_but_the_operator_in_its_own_namespace() -> None:
    objects = render("monitoring", *KUBELET)
    for (kind, name), one in objects.items():
        if kind == "ClusterRole":
            for rule in one["rules"]:
                status = all(part.endswith(("/status", "/finalizers")) for part in rule.get("resources", ["-"]))
                assert set(rule["verbs"]) <= {"get", "list", "watch"} or status, (name, rule)
                assert "secrets" not in rule.get("resources", [])


def test_memory_asked_for_is_within_what_was_promised() -> None:
    objects = render("monitoring", *KUBELET)
    asked = [
        int(container["resources"]["requests"]["memory"].removesuffix("Mi"))
        for (kind, _name), one in objects.items()
        if kind in ("Deployment", "DaemonSet", "StatefulSet")
        for container in containers(one)
    ]
    prometheus = objects[("Prometheus", "prometheus")]["spec"]["resources"]["requests"]["memory"]
    assert sum(asked) + int(prometheus.removesuffix("Mi")) <= 500


def test_next_to_a_prometheus_of_others_there_are_rules_dashboards_and_crossplane_s_monitors() -> None:
    objects = render("monitoring", "stack.enabled=false", "monitorLabels.release=prometheus")
    assert kinds(objects) == {"ConfigMap", "PodMonitor", "PrometheusRule"}
    monitors = [one for (kind, _name), one in objects.items() if kind != "ConfigMap"]
    assert {one["metadata"]["labels"]["release"] for one in monitors} == {"prometheus"}
    boards = [one for (kind, _name), one in objects.items() if kind == "ConfigMap"]
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in boards} == {"1"}


def test_what_keeps_series_few_is_there() -> None:
    objects = render("monitoring", *KUBELET)
    spec = objects[("Prometheus", "prometheus")]["spec"]
    assert 0 < spec["enforcedSampleLimit"] <= 10000
    for endpoint in objects[("ServiceMonitor", "kubelet")]["spec"]["endpoints"]:
        assert "keep" in {one["action"] for one in endpoint["metricRelabelings"]}
    (packages,) = objects[("PodMonitor", "crossplane-packages")]["spec"]["podMetricsEndpoints"]
    assert {"sourceLabels": ["__name__"], "regex": ".*_bucket", "action": "drop"} in packages["metricRelabelings"]


@pytest.mark.parametrize("app", ["producer", "consumer", "queue-exporter"])
def test_applications_are_monitored_only_where_it_is_said(app: str) -> None:
    assert "PodMonitor" not in kinds(render("pipeline", *LOCAL))
    objects = render("pipeline", *MONITORED, "consumer.probes.enabled=true")
    monitor = objects[("PodMonitor", f"justtrack-t1-{app}")]
    labels = objects[("Deployment", f"justtrack-t1-{app}")]["spec"]["template"]["metadata"]["labels"]
    assert selected(labels, monitor["spec"]["selector"]["matchLabels"])
    targets = {
        one["targetLabel"]: one["replacement"] for one in monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    }
    assert targets["release"] == "justtrack-t1"
    assert (targets.get("queue") == "justtrack-dev-devops-consumer-events") == (app == "consumer")


def test_an_image_without_metrics_is_not_scraped() -> None:
    # The seed's own images, which answer no probe, have none.
    assert ("PodMonitor", "justtrack-t1-consumer") not in render("pipeline", *MONITORED)


def test_the_exporter_looks_at_each_queue_once() -> None:
    queues = "queue-exporter.queues={orders,justtrack-dev-devops-consumer-events}"
    found = environment("queue-exporter", *MONITORED, queues)
    assert found["QUEUE_NAMES"] == "justtrack-dev-devops-consumer-events,orders"
    assert found["QUEUE_INTERVAL"] == "5"
