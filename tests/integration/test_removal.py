"""Removal leaves alone what others made by our Crossplane, and says so. Only a part of the stack is there afterwards."""

from __future__ import annotations

from typing import Any

TOPIC = """
apiVersion: sns.aws.m.upbound.io/v1beta1
kind: Topic
metadata: {name: a-strangers, namespace: default}
spec:
  forProvider: {region: eu-central-1}
  providerConfigRef: {kind: ClusterProviderConfig, name: default}
"""
KIND = "topics.sns.aws.m.upbound.io"


def test_the_aws_resources_of_others(stack: Any, playbook: Any) -> None:
    stack.kubectl("apply", "-f", "-", stdin=TOPIC)
    stack.kubectl("wait", "--for=condition=Ready", f"{KIND}/a-strangers", "--timeout=60s")
    try:
        refused = playbook("playbooks/teardown.yml")
        assert refused.returncode != 0
        assert "would go with them: Topic/a-strangers" in " ".join(refused.stdout.split())
        stack.kubectl("wait", "--for=condition=Ready", f"{KIND}/a-strangers", "--timeout=10s")
        assert stack.kubectl("get", KIND, "-o", "name").split() == ["topic.sns.aws.m.upbound.io/a-strangers"]
    finally:
        stack.kubectl("delete", KIND, "a-strangers", "--timeout=60s")
