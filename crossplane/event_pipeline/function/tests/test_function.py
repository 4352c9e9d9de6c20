"""Crossplane's request in, its answer out."""

from __future__ import annotations

import asyncio
from typing import Any

import crossplane.function.proto.v1.run_function_pb2 as fnv1
import pytest
from crossplane.function import logging, resource

from localcloud_event_pipeline.function import FunctionRunner, compose

LEAST: dict[str, Any] = {"region": "eu-central-1", "topic": "orders", "queue": "billing", "table": "invoices"}
TOPIC_ARN = "arn:aws:sns:eu-central-1:000000000000:orders"
ALL = {"topic", "queue", "subscription", "table"}


def request(spec: dict[str, Any], observed: dict[str, Any] | None = None) -> fnv1.RunFunctionRequest:
    composite = {
        "apiVersion": "localcloud.dev/v1alpha1",
        "kind": "EventPipeline",
        "metadata": {"name": "devops", "labels": {"localcloud.dev/owner": "mine", "localcloud.dev/cluster": "c1"}},
        "spec": spec,
    }
    found = fnv1.RunFunctionRequest()
    resource.update(found.observed.composite, composite)
    for name, one in (observed or {}).items():
        resource.update(found.observed.resources[name], one)
    return found


def state(synced: str, ready: str, **at_provider: str) -> dict[str, Any]:
    conditions = [{"type": "Synced", "status": synced}, {"type": "Ready", "status": ready}]
    return {"status": {"conditions": conditions, "atProvider": at_provider}}


def desired(answer: fnv1.RunFunctionResponse, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resource.struct_to_dict(answer.desired.resources[name].resource)
    return found


def test_the_resources_carry_the_owner_of_the_pipeline() -> None:
    answer = compose(request(LEAST))
    assert set(answer.desired.resources) == ALL
    assert {desired(answer, name)["metadata"]["labels"]["localcloud.dev/owner"] for name in ALL} == {"mine"}
    marks = {"localcloud.dev/owner": "mine", "localcloud.dev/cluster": "c1"}
    for name in ALL - {"subscription"}:
        assert desired(answer, name)["spec"]["forProvider"]["tags"] == marks


def test_whole_numbers_stay_whole() -> None:
    answer = compose(request({**LEAST, "filterPolicy": {"price": [{"numeric": [">=", 100]}]}}))
    assert (
        desired(answer, "subscription")["spec"]["forProvider"]["filterPolicy"] == '{"price":[{"numeric":[">=",100]}]}'
    )


def test_only_what_is_synced_and_ready_counts() -> None:
    observed = {"topic": state("True", "True"), "queue": state("True", "False"), "table": state("False", "True")}
    answer = compose(request(LEAST, observed))
    assert {name for name in ALL if answer.desired.resources[name].ready == fnv1.READY_TRUE} == {"topic"}


def test_the_status_tells_what_aws_gave() -> None:
    observed = {
        "topic": state("True", "True", arn=TOPIC_ARN),
        "queue": state("True", "True", arn="arn:q", url="http://sqs/q"),
        "dead-letter-queue": state("True", "False"),
        "table": state("True", "True", arn="arn:t"),
    }
    status = resource.struct_to_dict(compose(request(LEAST, observed)).desired.composite.resource)["status"]
    assert status == {"topicArn": TOPIC_ARN, "queueArn": "arn:q", "queueUrl": "http://sqs/q", "tableArn": "arn:t"}


@pytest.mark.parametrize(
    ("spec", "observed", "path"),
    [
        ({**LEAST, "deadLetter": {"maxReceiveCount": 0}}, {}, "spec.deadLetter.maxReceiveCount"),
        ({**LEAST, "account": "123456789012"}, {"topic": state("True", "True", arn=TOPIC_ARN)}, "spec.account"),
        ({}, {}, "spec.region"),
    ],
)
def test_a_bad_spec_is_fatal_and_changes_nothing(spec: dict[str, Any], observed: dict[str, Any], path: str) -> None:
    answer = compose(request(spec, observed))
    (result,) = answer.results
    assert result.severity == fnv1.SEVERITY_FATAL
    assert result.message.startswith(f"{path}: ")
    assert not answer.desired.resources


def test_the_server_answers_as_the_pure_function_does() -> None:
    logging.configure(logging.Level.DISABLED)
    assert asyncio.run(FunctionRunner().RunFunction(request(LEAST), None)) == compose(request(LEAST))
