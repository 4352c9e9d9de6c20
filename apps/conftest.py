"""Test set-up of the packages: they are importable without being installed, and no test can reach real AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

APPS = ("events", "producer", "consumer", "queue_exporter", "web", "main_api", "auxiliary_service")
SOURCES = [str(Path(__file__).parent / app / "src") for app in APPS]
sys.path[:0] = SOURCES
REGION = "eu-central-1"
NAME = "justtrack-dev-devops-consumer-events"
TOPIC = "justtrack-dev-devops-producer-events"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the SDK test credentials, and drop what the developer's shell says about AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "CLOUD_AWS_", "PRODUCER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(SOURCES))


def make_clients(endpoint: str | None = None) -> SimpleNamespace:
    """Make the three clients."""
    session = boto3.session.Session(region_name=REGION)
    return SimpleNamespace(**{name: session.client(name, endpoint_url=endpoint) for name in ("sns", "sqs", "dynamodb")})


def make_stack(clients: SimpleNamespace) -> SimpleNamespace:
    """Make topic, queue, subscription and table, as Crossplane would."""
    topic = clients.sns.create_topic(Name=TOPIC)["TopicArn"]
    queue = clients.sqs.create_queue(QueueName=NAME)["QueueUrl"]
    arn = clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    clients.dynamodb.create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return SimpleNamespace(**vars(clients), topic=topic, queue=queue, table=NAME, name=NAME, region=REGION)


@pytest.fixture
def clients() -> Iterator[SimpleNamespace]:
    """Clients of an empty AWS in memory."""
    with mock_aws():
        yield make_clients()


@pytest.fixture
def stack(clients: SimpleNamespace) -> SimpleNamespace:
    """An AWS in memory with topic, queue, subscription and table."""
    return make_stack(clients)


@pytest.fixture
def make() -> SimpleNamespace:
    """The two functions above, for a test that brings its own endpoint."""
    return SimpleNamespace(clients=make_clients, stack=make_stack)


@pytest.fixture(scope="session")
def regional() -> SimpleNamespace:
    """Clients of S3 and SSM in another region, which take long to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        session = boto3.session.Session(region_name="eu-west-1")
        return SimpleNamespace(s3=session.client("s3"), ssm=session.client("ssm"))
