from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from prometheus_client import CollectorRegistry

from localcloud_events.calls import Calls


def tries(registry: CollectorRegistry, service: str, operation: str, outcome: str) -> float | None:
    labels = {"service": service, "operation": operation, "outcome": outcome}
    return registry.get_sample_value("localcloud_aws_calls_total", labels)


def test_each_call_has_its_time_and_outcome(clients: SimpleNamespace) -> None:
    registry = CollectorRegistry()
    Calls(registry).watch(clients.sqs)
    clients.sqs.create_queue(QueueName="q")
    with pytest.raises(ClientError):
        clients.sqs.get_queue_url(QueueName="none")
    assert tries(registry, "sqs", "CreateQueue", "ok") == 1
    assert tries(registry, "sqs", "GetQueueUrl", "refused") == 1
    count = "localcloud_aws_call_seconds_count"
    assert registry.get_sample_value(count, {"service": "sqs", "operation": "CreateQueue"}) == 1


def test_throttling_is_told_apart_and_each_try_counts(
    clients: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = CollectorRegistry()
    Calls(registry).watch(clients.dynamodb)
    answer = SimpleNamespace(
        status_code=400,
        headers={"x-amzn-requestid": "r"},
        content=b'{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}',
    )
    clients.dynamodb.meta.events.register_first("before-send.dynamodb", lambda **_more: answer)
    with pytest.raises(ClientError, match="ProvisionedThroughputExceededException"):
        clients.dynamodb.describe_table(TableName="t")
    assert (tries(registry, "dynamodb", "DescribeTable", "throttled") or 0) > 1


def test_a_service_that_does_not_answer_is_counted() -> None:
    registry = CollectorRegistry()
    config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, connect_timeout=1)
    client = boto3.client("sns", region_name="eu-central-1", endpoint_url="http://127.0.0.1:1", config=config)
    Calls(registry).watch(client)
    with pytest.raises(EndpointConnectionError):
        client.list_topics()
    assert tries(registry, "sns", "ListTopics", "unanswered") == 2
