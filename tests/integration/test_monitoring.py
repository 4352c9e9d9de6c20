"""What is measured and alerted, of a stack with `stack_monitoring` and one EventPipeline: `pytest tests/integration/test_monitoring.py --stack …`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

SETTINGS = {"localstack_service_engine": "ministack", "stack_pipeline": "object", "stack_monitoring": True}
NAMESPACE = "devopstest"
QUEUE = "justtrack-dev-devops-consumer-events"
RELEASE = "justtrack-t1"
# Series, of one target and in all. They are several times what there is.
MOST_OF_A_TARGET, MOST = 3000, 20000


@pytest.fixture(scope="module")
def notified(stack: Any, playbook: Any) -> Iterator[SimpleQueue[dict[str, Any]]]:
    """Alerts as Alertmanager posts them to a receiver on this machine."""
    alerts: SimpleQueue[dict[str, Any]] = SimpleQueue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                alerts.put(alert)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((stack.facts["gateway"], 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{server.server_address[0]}:{server.server_port}/"
        done = playbook("site.yml", **SETTINGS, cluster_alert_webhooks=[url])
        assert done.returncode == 0, done.stdout[-3000:]
        yield alerts
        server.shutdown()


def await_alert(alerts: SimpleQueue[dict[str, Any]], name: str, status: str, limit: float) -> dict[str, Any]:
    """The next notification of this alert with this status; others are dropped."""
    end, others = time.monotonic() + limit, []
    while (left := end - time.monotonic()) > 0:
        try:
            alert = alerts.get(timeout=left)
        except Empty:
            break
        if (alert["labels"]["alertname"], alert["status"]) == (name, status):
            return alert
        others.append((alert["labels"]["alertname"], alert["status"]))
    pytest.fail(f"{name} was not {status} within {limit:.0f} s; there came {others}")


def test_everything_that_is_to_be_scraped_is(ask: Any, eventually: Any) -> None:
    def missing() -> list[str]:
        up = {
            f"{one['metric']['namespace']}/{one['metric'].get('container', one['metric']['job'])}"
            for one in ask("up == 1")
        }
        wanted = {
            "crossplane-system/crossplane",
            "crossplane-system/package-runtime",
            f"{NAMESPACE}/consumer",
            f"{NAMESPACE}/producer",
            f"{NAMESPACE}/queue-exporter",
            "monitoring/alertmanager",
            "monitoring/kube-state-metrics",
            "monitoring/kubelet",
            "monitoring/node-exporter",
            "monitoring/prometheus",
            "monitoring/prometheus-operator",
        }
        return sorted(wanted - up)

    eventually(lambda: not missing(), 120, missing)
    eventually(lambda: not ask("up == 0"), 90, lambda: ask("up == 0"))


def test_the_two_queries_of_the_challenge_work_as_written(ask: Any, eventually: Any) -> None:
    cpu = f'sum(rate(container_cpu_usage_seconds_total{{namespace="{NAMESPACE}"}}[5m])) by (pod)'
    memory = f'sum(container_memory_usage_bytes{{namespace="{NAMESPACE}"}}) by (pod) / (1024 * 1024)'
    for query in (cpu, memory):
        found = eventually(lambda query=query: ask(query), 120, lambda query=query: query)
        pods = {one["metric"]["pod"] for one in found}
        assert any(pod.startswith(f"{RELEASE}-consumer-") for pod in pods), pods
    mebibytes = {one["metric"]["pod"]: float(one["value"][1]) for one in ask(memory)}
    assert all(1 < value < 2000 for value in mebibytes.values()), mebibytes


def test_resources_and_events_are_counted(stack: Any, ask: Any, eventually: Any) -> None:
    queues = json.loads(stack.kubectl("get", "queues.sqs.aws.upbound.io", "-o", "json"))["items"]
    query = 'crossplane_managed_resource_ready{gvk=~".*sqs.*Kind=Queue"}'
    eventually(lambda: [one for one in ask(query) if float(one["value"][1]) == len(queues)], 120, lambda: ask(query))
    for rate in ("localcloud:events_published:rate1m", "localcloud:events_stored:rate1m"):
        eventually(
            lambda rate=rate: [one for one in ask(rate) if float(one["value"][1]) > 0],
            120,
            lambda rate=rate: (rate, ask(rate)),
        )
    calls = 'localcloud_aws_calls_total{service="dynamodb", outcome="ok"}'
    eventually(lambda: ask(calls), 60, lambda: calls)


def test_the_number_of_series_is_bounded(ask: Any) -> None:
    largest = ask("topk(1, scrape_samples_post_metric_relabeling)")
    assert float(largest[0]["value"][1]) < MOST_OF_A_TARGET, largest
    assert float(ask("prometheus_tsdb_head_series")[0]["value"][1]) < MOST


def test_rules_with_a_mistake_are_refused_with_their_line(playbook: Any, tmp_path: Path, stack: Any) -> None:
    rules = tmp_path / "mine.yml"
    rules.write_text("groups:\n  - name: mine\n    rules:\n      - alert: Wrong\n        expr: sum(up\n")
    before = stack.kubectl("get", "prometheusrules", "-A", "-o", "name")
    refused = playbook("site.yml", **SETTINGS, cluster_rule_files=[str(rules)])
    said = " ".join(refused.stdout.split())
    assert refused.returncode != 0
    assert "mine.yml: 5:" in said and "unclosed left parenthesis" in said and "nothing was touched" in said
    assert stack.kubectl("get", "prometheusrules", "-A", "-o", "name") == before


def test_a_consumer_that_is_away_is_alerted_and_the_end_of_it_told(
    stack: Any, notified: Any, ask: Any, later: Any
) -> None:
    consumer = ("-n", NAMESPACE, "scale", f"deployment/{RELEASE}-consumer")
    later(stack.kubectl, *consumer, "--replicas=1")
    stack.kubectl(*consumer, "--replicas=0")
    alert = await_alert(notified, "QueueNotDrained", "firing", 300)
    assert alert["labels"]["queue"] == QUEUE
    assert alert["annotations"]["runbook_url"] == "docs/runbooks.md#queuenotdrained"
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    counted = f'aws_sqs_approximate_number_of_messages_visible_average{{dimension_QueueName="{QUEUE}"}}'
    shown = float(ask(counted)[0]["value"][1])
    now = int(
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"]
    )
    # An event a second, and a scrape may be 15 s old, its answer another 5.
    assert 0 < shown <= now <= shown + 40
    stack.kubectl(*consumer, "--replicas=1")
    await_alert(notified, "QueueNotDrained", "resolved", 300)


def test_a_dead_letter_is_alerted_and_the_end_of_it_told(stack: Any, notified: Any) -> None:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    dead = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
    dead_url = sqs.get_queue_url(QueueName=dead)["QueueUrl"]
    sqs.send_message(QueueUrl=dead_url, MessageBody="lost")
    alert = await_alert(notified, "DeadLettersGrowing", "firing", 180)
    assert (alert["labels"]["dimension_QueueName"], alert["labels"]["source"]) == (dead, QUEUE)
    sqs.purge_queue(QueueUrl=dead_url)
    await_alert(notified, "DeadLettersGrowing", "resolved", 300)
