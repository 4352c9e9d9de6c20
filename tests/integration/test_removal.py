"""Removal leaves alone what others made by our Crossplane, and says so. Only a part of the stack is there afterwards."""

from __future__ import annotations

import json
import re
import shlex
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
    uid = json.loads(stack.kubectl("get", KIND, "a-strangers", "-o", "json"))["metadata"]["uid"]
    predicted = playbook("playbooks/teardown.yml", "--check")
    assert predicted.returncode == 0, predicted.stdout
    done = playbook("playbooks/teardown.yml")
    assert done.returncode == 0, done.stdout
    for output in (predicted, done):
        said = " ".join(output.stdout.split())
        for one in ("ClusterProviderConfig/default", "Provider/provider-aws"):
            assert f"{one} stays: used by" in said
        assert "Topic/a-strangers (default) [no label localcloud.dev/owner]" in said
        assert "Crossplane/crossplane (crossplane-system) stays: used by" in said
    topic = json.loads(stack.kubectl("get", KIND, "a-strangers", "-o", "json"))["metadata"]
    assert (topic["uid"], "deletionTimestamp" in topic) == (uid, False)
    assert stack.kubectl("get", KIND, "-A", "-o", "name").split() == ["topic.sns.aws.m.upbound.io/a-strangers"]
    # Its emulator's address in the cluster went with the stack, so the provider can't delete it there.
    stack.kubectl("patch", KIND, "a-strangers", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    stack.kubectl("delete", KIND, "a-strangers", "--timeout=60s")
    # As the message says.
    (command,) = set(
        re.findall(r"(ansible localhost -m ansible.builtin.include_role -a .*? -e crossplane_context=[^\s\"]+)", said)
    )
    settings = dict(re.findall(r"-e (\w+)=(\S+)", shlex.join(shlex.split(command))))
    removed = playbook(
        "tests/integration/role.yml", role="crossplane", entry="absent", crossplane_helm=stack.facts["helm"], **settings
    )
    assert removed.returncode == 0, removed.stdout
    assert "crossplane.io" not in stack.kubectl("get", "crd", "-o", "name")
    assert stack.kubectl("get", "namespace", "crossplane-system", "--ignore-not-found") == ""
