"""What was read of a stack with an event pipeline, as the modules return it."""

from __future__ import annotations

from typing import Any

TOPIC_ARN = "arn:aws:sns:eu-central-1:000000000000:events"
SNS, SQS, DYNAMODB = "sns.aws.upbound.io/v1beta1", "sqs.aws.upbound.io/v1beta1", "dynamodb.aws.upbound.io/v1beta1"


def queue(name: str, visible: int = 0, in_flight: int = 0, redrive: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "arn": f"arn:aws:sqs:eu-central-1:000000000000:{name}",
        "url": f"http://10.0.0.1:30566/000000000000/{name}",
        "depth": {"visible": visible, "in_flight": in_flight, "delayed": 0},
        "redrive": redrive,
    }


def workload(name: str, rolled_out: bool = True) -> dict[str, Any]:
    state = "rolled out" if rolled_out else "0 of 1 pods are available"
    return {"name": name, "kind": "Deployment", "replicas": 1, "rolled_out": rolled_out, "state": state}


def pod(name: str) -> dict[str, Any]:
    return {
        "name": f"{name}-5d8f7c9b4-x2x7k", "phase": "Running", "ready": True, "restarts": 0, "images": [f"localhost/localcloud/{name}:1"],
        "created_at": "2026-01-01T12:00:10Z", "ready_at": "2026-01-01T12:00:14Z",
    }  # fmt: skip


def deployment(name: str, **variables: str) -> dict[str, Any]:
    env = [{"name": key, "value": value} for key, value in variables.items()]
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "key"}}}
    return {
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [*env, secret]}]}}},
    }


def reference(api_version: str, kind: str, name: str) -> dict[str, Any]:
    return {"api_version": api_version, "kind": kind, "name": name}


def pipeline() -> dict[str, Any]:
    """A blueprint that is as declared: producer, topic, queue with dead-letter queue, consumer, table."""
    references = [
        reference(SNS, "Topic", "events"),
        reference(SQS, "Queue", "work"),
        reference(DYNAMODB, "Table", "items"),
    ]
    return {
        "name": "pipeline",
        "blueprint": {
            "description": "producer -> topic -> queue -> consumer -> table",
            "aws": {
                "topics": [{"name": "events"}],
                "queues": [{"name": "work"}],
                "tables": [{"name": "items"}],
                "subscriptions": [{"topic": "events", "queue": "work"}],
            },
            "proofs": [{"event": {"topic": "events", "queue": "work", "table": "items"}}],
        },
        "entry": {"namespace": "devopstest", "links": {"DynamoDB Admin": "http://10.0.0.1:30801"}},
        "region": "eu-central-1",
        "aws": {
            "account": {"id": "000000000000"},
            "health": {"engine": "ministack", "version": "1.5.33"},
            "topics": [
                {
                    "name": "events",
                    "arn": TOPIC_ARN,
                    "subscriptions": [
                        {
                            "protocol": "sqs",
                            "endpoint": "arn:aws:sqs:eu-central-1:000000000000:work",
                            "filter_policy": {"kind": ["invoice", "order"]},
                        }
                    ],
                }
            ],
            "queues": [
                queue("work", 2, 1, {"dead_letter_queue": "work-dlq", "max_receive_count": 5}),
                queue("work-dlq"),
                queue("of-others", 9),
            ],
            "tables": [{"name": "items", "arn": "arn:items", "status": "ACTIVE", "item_count": 1234}],
            "buckets": [],
            "errors": [],
        },
        "difference": {"references": references},
        "resources": {
            "resources": [
                {
                    **reference(SQS, "Queue", "work"),
                    "created_at": "2026-01-01T12:00:05Z",
                    "created_to_ready_seconds": 25,
                }
            ]
        },
        "workloads": [
            {
                "workloads": [workload("producer"), workload("consumer"), workload("admin")],
                "pods": [pod("producer"), pod("consumer"), pod("admin")],
            }
        ],
        "deployments": {
            "resources": [
                deployment("producer", TOPIC_NAME="events"),
                deployment("consumer", QUEUE_NAME="work", TABLE_NAME="items"),
                deployment("admin", TABLE="items", CALLS="http://consumer.devopstest.svc:8080/x"),
            ]
        },
    }


def facts(**changes: Any) -> dict[str, Any]:
    """What the report is made of; C(changes) are of the pipeline."""
    task = {"phase": "aws_resources", "task": "Wait until all are Ready", "action": "localcloud.stack.crossplane_wait"}
    return {
        "cluster": {"kind": "embedded", "context": "localcloud-1", "parts": {"crossplane": {"digest": "1"}}},
        "cloud": {"emulator": "ministack", "version": "1.5.33", "host_endpoint": "http://10.0.0.1:30566"},
        "blueprints": [{**pipeline(), **changes}],
        "nodes": {
            "resources": [{"metadata": {"name": "node"}, "status": {"nodeInfo": {"kubeletVersion": "v1.34.2"}}}]
        },
        "proofs": {
            "pipeline": [
                {
                    "name": "pipeline",
                    "at": "2026-01-01T12:01:00Z",
                    "sentence": "event probe-1 went topic -> queue -> consumer -> table.",
                    "latency_ms": {
                        "publish": 4, "topic_to_queue": 2, "queue_to_consumer": 11, "consumer_to_table": None, "total": 61,
                    },
                }
            ]
        },
        "timings": {
            "playbook": "site",
            "started": "2026-01-01T12:00:00.000+00:00",
            "finished": True,
            "seconds": 40.0,
            "tasks": [
                {"phase": "cluster", "task": "Run the node", "action": "localcloud.stack.embedded_node", "begin": 0.5, "seconds": 3.5},
                {"phase": "aws_resources", "task": "Apply", "action": "localcloud.stack.k8s", "begin": 4.5, "seconds": 1.2},
                {"phase": "apps", "task": "Install", "action": "localcloud.stack.helm", "begin": 8.0, "seconds": 3.0},
                {**task, "begin": 12.0, "seconds": 18.5},
                {"phase": "playbook", "task": "Prove", "action": "localcloud.stack.event_probe", "begin": 32.0, "seconds": 7.0},
            ],
        },
        "parts": {"crossplane": {"version": "v2.1.0"}, "traefik": {"version": "v3"}},
        "collection": "0.1.0",
    }  # fmt: skip


def measured(**changes: Any) -> dict[str, Any]:
    """What prometheus_info returns of the pipeline."""
    panel = {"dashboard": "pipeline", "row": "Events", "start": 1_767_268_800.0, "step": 60, "single": False, "more": 0}
    rates = [{"name": "published", "values": [0.5, None, 1.0]}, {"name": "stored", "values": [None, 0.25, None]}]
    return {
        "version": "3.16.0",
        "time": 1_767_268_920.0,
        "clock_seconds_ahead": 0.1,
        "alerts": [],
        "targets": {"all": 13, "up": 13, "down": []},
        "answers": {
            "published": [{"labels": {"namespace": "devopstest", "job": "devopstest/producer"}, "value": 1.0}],
            "taken": [{"labels": {"namespace": "devopstest", "queue": "work"}, "value": 0.98765}],
            "requests": [{"labels": {"namespace": "others", "job": "consumer"}, "value": 7.0}],
        },
        "charts": [
            {**panel, "title": "Rates", "answers": "Do as many come out as go in?", "unit": "cps", "series": rates},
            {**panel, "title": "Age", "answers": "How old?", "unit": "s", "series": []},
            {
                **panel,
                "title": "Down",
                "answers": "Is all scraped?",
                "unit": "short",
                "single": True,
                "series": [{"name": "", "values": [0.0, 2.0]}],
            },
        ],
        "errors": [],
        **changes,
    }
