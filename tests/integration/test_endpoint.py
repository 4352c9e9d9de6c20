"""The stack's AWS endpoint: the same for pods and for this machine, and no way past it to real AWS."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
from typing import Any

import pytest

from tests.integration.test_stack import KINDS, NAME, NAMESPACE, TOPIC

PORT = 4566
DEPTH = """
import boto3, os, sys, urllib.parse
own = boto3.client("sqs", endpoint_url=os.environ["CLOUD_AWS_DEFAULTS_ENDPOINT"], region_name="eu-central-1")
url = own.get_queue_url(QueueName=sys.argv[1])["QueueUrl"]
parts = urllib.parse.urlsplit(url)
there = boto3.client("sqs", endpoint_url=f"{parts.scheme}://{parts.netloc}", region_name="eu-central-1")
there.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
print(url)
"""
PARTIAL = """
apiVersion: aws.upbound.io/v1beta1
kind: ProviderConfig
metadata: {name: partial}
spec:
  credentials: {source: Secret, secretRef: {namespace: crossplane-system, name: aws-credentials, key: credentials}}
  endpoint:
    hostnameImmutable: true
    source: Custom
    services: [sts, sqs]
    url: {type: Static, static: "http://localstack.devopstest.svc.cluster.local:4566"}
  skip_metadata_api_check: true
  skip_requesting_account_id: true
---
apiVersion: sns.aws.upbound.io/v1beta1
kind: Topic
metadata: {name: not-to-be-sent-out}
spec:
  forProvider: {region: eu-central-1}
  providerConfigRef: {name: partial}
"""


def test_a_queue_url_leads_to_the_queue_from_this_machine(stack: Any) -> None:
    url = stack.client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"]
    parts = urllib.parse.urlsplit(url)
    there = stack.session.client("sqs", endpoint_url=f"{parts.scheme}://{parts.netloc}")
    assert there.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"].endswith(
        NAME
    )


def test_a_queue_url_leads_to_the_queue_from_a_pod(stack: Any) -> None:
    consumer = "deployment/justtrack-t1-consumer"
    assert NAME in stack.kubectl("-n", NAMESPACE, "exec", consumer, "--", "python3", "-c", DEPTH, NAME)


def test_the_seeds_own_commands(stack: Any) -> None:
    stack.kubectl("get", KINDS)
    pods = stack.kubectl("-n", NAMESPACE, "get", "pods")
    assert all(name in pods for name in ("producer", "consumer", "dynamodb-admin"))
    endpoint = stack.env["AWS_ENDPOINT_URL"]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **stack.env}
    commands = {
        "sns list-topics": TOPIC,
        "sqs list-queues": NAME,
        "sns list-subscriptions": NAME,
        "dynamodb list-tables": NAME,
        f"dynamodb scan --table-name {NAME}": "CreatedAt",
    }
    for command, expected in commands.items():
        asked = ["aws", "--endpoint-url", endpoint, *command.split()]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout, command


def test_a_shell_with_our_settings_asks_nobody_else(stack: Any, request: pytest.FixtureRequest) -> None:
    """Of all services: AWS's command line, version 1, doesn't heed AWS_ENDPOINT_URL for SQS."""
    settings = request.config.getoption("--stack") / "env"
    for command, expected in {
        "sqs list-queues": NAME,
        "sns list-topics": TOPIC,
        "sts get-caller-identity": "0" * 12,
    }.items():
        done = subprocess.run(
            ["bash", "-c", f". '{settings}' && aws {command}"],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_MAX_ATTEMPTS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected in done.stdout, done.stderr


PROVIDER = ("crossplane-system", {"localcloud.dev/provider": "test"})
APPLICATION = (NAMESPACE, {"app.kubernetes.io/name": "producer", "app.kubernetes.io/instance": "justtrack-t1"})


@pytest.mark.parametrize("pod", [PROVIDER, APPLICATION], ids=["provider", "application"])
def test_our_pods_reach_the_emulator_and_nothing_outside(
    stack: Any, client: Any, outside: tuple[str, int], pod: tuple[str, dict[str, str]]
) -> None:
    emulator = f"localstack.{NAMESPACE}.svc.cluster.local"
    pod = (pod[0], {**pod[1], "localcloud.dev/owner": stack.facts["stack"]})
    assert client(*pod, emulator, PORT, "answered") == "answered"
    assert client(*pod, *outside, "refused") == "refused"
    # Without our labels the same address answers: it is the policy that refuses.
    assert client("crossplane-system", {}, *outside, "answered") == "answered"


def test_a_service_that_is_not_listed_is_not_sent_out(stack: Any, eventually: Any) -> None:
    """The provider means real AWS then, and can't get there."""
    stack.kubectl("apply", "-f", "-", stdin=PARTIAL)
    try:

        def failed() -> str:
            found = json.loads(stack.kubectl("get", "topics.sns.aws.upbound.io", "not-to-be-sent-out", "-o", "json"))
            conditions = {one["type"]: one for one in found.get("status", {}).get("conditions", [])}
            return str(conditions["Synced"]["message"]) if conditions.get("Synced", {}).get("status") == "False" else ""

        message = eventually(failed)
        assert "amazonaws.com" in message
        topics = stack.client("sns").list_topics()["Topics"]
        assert not any(one["TopicArn"].endswith(":not-to-be-sent-out") for one in topics)
    finally:
        stack.kubectl(
            "patch",
            "topics.sns.aws.upbound.io",
            "not-to-be-sent-out",
            "--type=merge",
            "-p",
            '{"metadata":{"finalizers":null}}',
        )
        stack.kubectl(
            "delete",
            "topics.sns.aws.upbound.io/not-to-be-sent-out",
            "providerconfigs.aws.upbound.io/partial",
            "--wait=false",
        )
