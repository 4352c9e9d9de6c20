"""The report as data: what is there, what is wrong with it, and what could not be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.report.compose import compose
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import Edge, Finding, Node, Report

from tests.unit.plugins.module_utils.report.facts import (
    DYNAMODB,
    SQS,
    deployment,
    facts,
    pipeline,
    queue,
    reference,
    workload,
)

SCHEMA = json.loads((Path(__file__).resolve().parents[5] / "docs/report.schema.json").read_text())
NOW = "2026-01-01T12:05:00Z"


def report(**changes: Any) -> Report:
    found = compose(facts(**changes), NOW)
    jsonschema.Draft202012Validator(SCHEMA).validate(found.as_json())
    return found


def nodes(found: Report) -> dict[str, Node]:
    return {one.id: one for one in found.blueprints[0].nodes}


def edges(found: Report) -> set[tuple[str, str]]:
    return {(one.source, one.target) for one in found.blueprints[0].edges}


def with_aws(**changes: Any) -> dict[str, Any]:
    return {**pipeline()["aws"], **changes}


def test_the_way_of_an_event_is_found() -> None:
    found = report()
    assert edges(found) == {
        ("service:producer", "topic:events"),
        ("topic:events", "queue:work"),
        ("queue:work", "service:consumer"),
        ("queue:work", "queue:work-dlq"),
        ("service:consumer", "table:items"),
        ("service:admin", "table:items"),
        ("service:admin", "service:consumer"),
    }
    assert nodes(found)["queue:work-dlq"].kind == "dead_letter_queue"
    labels = {(one.source, one.target): one.label for one in found.blueprints[0].edges}
    assert labels["topic:events", "queue:work"] == 'filter {"kind": ["invoice", "order"]}'
    assert labels["queue:work", "queue:work-dlq"] == "after 5 tries"


def test_counts_are_those_of_aws() -> None:
    found = nodes(report())
    assert found["queue:work"].counts == {"waiting": 2, "in flight": 1, "delayed": 0}
    assert found["table:items"].counts == {"items": 1234}
    assert found["topic:events"].counts == {"subscriptions": 1}
    assert found["service:producer"].counts == {"replicas": 1}


def test_what_is_of_others_is_not_shown() -> None:
    assert "queue:of-others" not in nodes(report())


def test_all_is_well() -> None:
    found = report()
    assert (found.state, found.findings, found.unread) == ("ok", [], [])
    assert found.summary == "3 services and 3 resources are as declared and ready."
    assert found.engine == "ministack 1.5.33"
    assert [(one.name, one.version) for one in found.versions if not one.name.startswith("image")] == [
        ("localcloud.stack", "0.1.0"),
        ("AWS", "ministack 1.5.33"),
        ("Kubernetes on node", "v1.34.2"),
        ("crossplane", "v2.1.0"),
    ]


def test_the_last_proof_is_shown_by_hop() -> None:
    (proof,) = report().blueprints[0].proofs
    assert [(one.name, one.ms) for one in proof.hops] == [
        ("publish", 4.0),
        ("topic to queue", 2.0),
        ("queue to consumer", 11.0),
    ]
    assert proof.total_ms == 61.0


def test_a_queue_that_a_proof_expects_the_event_in_is_sent_to() -> None:
    blueprint = {"aws": {}, "proofs": [{"event": {"queue": "in", "destination_queue": "out"}}]}
    found = report(
        blueprint=blueprint,
        aws=with_aws(topics=[], tables=[], queues=[queue("in"), queue("out")]),
        workloads=[{"workloads": [workload("relay")], "pods": []}],
        deployments={"resources": [deployment("relay", FROM="in", TO=queue("out")["url"])]},
    )
    assert edges(found) == {("queue:in", "service:relay"), ("service:relay", "queue:out")}


def test_dead_letters_are_a_finding() -> None:
    queues = [queue("work", redrive={"dead_letter_queue": "work-dlq", "max_receive_count": 5}), queue("work-dlq", 3)]
    found = report(aws=with_aws(queues=queues))
    assert found.findings == [Finding("pipeline", "Queue", "work-dlq", "3 messages could not be handled")]
    assert (found.state, found.summary) == ("attention", "1 finding to look at.")


def test_what_differs_is_named_with_field_and_both_values_once() -> None:
    fields = [{"path": "visibilityTimeoutSeconds", "where": "aws", "before": 45, "after": 30}]
    difference = {
        "references": [reference(SQS, "Queue", "work"), reference(DYNAMODB, "Table", "items")],
        "drifted": [{**reference(SQS, "Queue", "work"), "fields": fields}],
        "gone": [reference(DYNAMODB, "Table", "items")],
    }
    found = report(difference=difference, aws=with_aws(tables=[]))
    assert found.findings == [
        Finding("pipeline", "Queue", "work", "another value in AWS", "visibilityTimeoutSeconds", "30", "45", "make up repairs it"),
        Finding("pipeline", "Table", "items", "AWS does not have it any more", next_step="make up repairs it"),
    ]  # fmt: skip
    assert {one.name: one.state for one in found.blueprints[0].resources} == {"work": "attention", "items": "attention"}
    assert nodes(found)["queue:work"].reason == "visibilityTimeoutSeconds: another value in AWS"
    assert nodes(found)["table:items"].state == "attention"


def test_a_resource_is_found_by_its_name_in_aws() -> None:
    row = {**reference(SQS, "Queue", "dev-work"), "external_name": "http://10.0.0.1:30566/000000000000/work"}
    unready = {
        **reference(SQS, "Queue", "dev-work"),
        "condition": "Synced=False",
        "reason": "ReconcileError",
        "message": "m",
    }
    found = report(difference={"references": [], "unready": [unready]}, resources={"resources": [row]})
    assert found.findings == [
        Finding("pipeline", "Queue", "dev-work", "ReconcileError: m", "status.conditions.Synced", "True", "False")
    ]
    assert nodes(found)["queue:work"].state == "attention"


def test_a_service_that_is_not_rolled_out_is_named_with_its_problem() -> None:
    problem = {
        "workload": "consumer",
        "reason": "ImagePullBackOff",
        "message": "no such image",
        "next_step": "build it",
    }
    found = report(workloads=[{"workloads": [workload("consumer", False)], "pods": [], "problems": [problem]}])
    (finding,) = found.findings
    assert finding.reason == "0 of 1 pods are available: ImagePullBackOff: no such image"
    assert finding.next_step == "build it"
    assert nodes(found)["service:consumer"].state == "attention"


def test_without_an_answer_of_aws_the_rest_is_shown() -> None:
    found = report(aws={"msg": "http://10.0.0.1:30566 does not answer."})
    assert found.state == "unknown"
    assert [(one.what, one.reason) for one in found.unread] == [("AWS", "http://10.0.0.1:30566 does not answer.")]
    assert nodes(found)["queue:work"].state == "unknown"
    assert nodes(found)["service:producer"].state == "ok"
    assert {("topic:events", "queue:work"), ("queue:work", "service:consumer")} <= edges(found)


def test_a_cluster_that_does_not_answer_is_named_once_for_each_source() -> None:
    found = report(
        workloads=[{"workloads": [], "pods": [], "unseen": "connection refused"}],
        deployments={"changed": False, "skipped": True},
        difference={"msg": "connection refused"},
    )
    assert [(one.what, one.reason) for one in found.unread] == [
        ("resources", "connection refused"),
        ("workloads", "connection refused"),
    ]


def test_a_service_without_pods_is_a_finding() -> None:
    found = report(workloads=[{"workloads": [{**workload("consumer"), "replicas": 0}], "pods": []}])
    assert [one.reason for one in found.findings] == ["scaled to no pod at all"]


def test_a_service_of_aws_that_can_not_be_read_is_not_taken_for_empty() -> None:
    aws = with_aws(errors=[{"service": "sqs", "name": "", "message": "AccessDenied"}])
    del aws["queues"]
    found = report(aws=aws)
    assert [(one.what, one.reason) for one in found.unread] == [("AWS: sqs", "AccessDenied")]
    assert nodes(found)["queue:work"].state == "unknown"
    assert found.findings == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"difference": {"msg": "403: may not list queues"}}, "resources"),
        ({"workloads": [{"msg": "403: may not list pods"}]}, "workloads"),
        ({"deployments": {"msg": "403: may not list deployments"}}, "which service uses what"),
        ({"error": "There is no folder /x."}, "the blueprint"),
    ],
)
def test_what_the_cluster_refuses_is_named_with_its_reason(changes: dict[str, Any], what: str) -> None:
    found = report(**changes)
    ((named, reason),) = [(one.what, one.reason) for one in found.unread]
    assert named == what
    assert reason.startswith(("403", "There is no"))
    assert found.blueprints[0].nodes


def test_a_blueprint_of_which_nothing_could_be_read_is_there() -> None:
    everything = facts()
    everything["blueprints"] = [{"name": "orders", "error": "There is no folder /orders."}]
    found = compose(everything, NOW)
    jsonschema.Draft202012Validator(SCHEMA).validate(found.as_json())
    assert (found.blueprints[0].name, found.blueprints[0].state) == ("orders", "unknown")


def test_no_value_of_a_variable_is_in_the_report() -> None:
    found = report(deployments={"resources": [deployment("producer", TOPIC="events", TOKEN="hidden-value")]})
    assert Edge("service:producer", "topic:events") in found.blueprints[0].edges
    assert "hidden-value" not in json.dumps(found.as_json())
