"""Interruption, killed processes, lost data: the next run goes on, and what can't be mended is said.

The tests build on one another, in this order: each leaves a whole stack to the next.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from botocore.config import Config
from botocore.exceptions import BotoCoreError

NAMESPACE = "devopstest"
RELEASE = "justtrack-t1"
PROVIDER = "localcloud.dev/provider"
EMULATOR = "app.kubernetes.io/component=emulator"
CHART = Path(__file__).resolve().parents[2] / "charts/pipeline"
LIMIT_SECONDS = 60
# Crossplane's poll interval, its jitter, and the order in which one resource waits for another.
POLL_SECONDS = 240
MADE = ("Subscriptions", "QueueUrls", "TableNames")


def until(look: Any, limit: float = LIMIT_SECONDS) -> Any:
    deadline = time.monotonic() + limit
    while not (found := look()):
        assert time.monotonic() < deadline, f"Still not after {limit} s: {look}"
        time.sleep(0.1)
    return found


def test_ctrl_c_at_any_point_and_again(stack: Any) -> None:
    # A node that begins with Crossplane would have none of these tasks to be interrupted at.
    tasks = ["Run the embedded node", "Install Crossplane", "Install the providers", "Install the applications"]
    for task in tasks if os.environ.get("NIGHTLY") else tasks[::2]:
        stack.interrupt_at(task, cluster_base={})
    stack.up()
    assert re.search(r"changed=0 .*failed=0", stack.up())


def test_a_helm_that_was_killed(stack: Any) -> None:
    """Its release stays pending, and Helm refuses every further operation on it."""
    release = [RELEASE, "--namespace", NAMESPACE]
    upgrade = ["upgrade", *release, str(CHART), "--reuse-values", "--wait"]
    running = subprocess.Popen(stack.helm(*upgrade, "--set", "producer.image=localhost/not-there:1"))
    until(lambda: "not-there" in stack.kubectl("-n", NAMESPACE, "get", "deployments", "-o", "jsonpath={..image}"))
    running.kill()
    running.wait()
    assert "pending-upgrade" in status(stack)
    served = uids(stack)
    # It is not one of our runs, so it might be a colleague's that still works.
    code, output = stack.run("site.yml")
    said = " ".join(output.split())
    assert code != 0
    assert re.search(r"revision \d+ is pending-upgrade since \S+ \S+ UTC \(\d+ s\), 'Preparing upgrade'", said), said[
        -3000:
    ]
    assert "pending-upgrade" in status(stack)
    stack.up(apps_helm_timeout=1)
    assert uids(stack) == served, "what serves was restarted"
    assert "deployed" in status(stack)
    images = stack.kubectl("-n", NAMESPACE, "get", "deployments", "-o", "jsonpath={..image}")
    assert "not-there" not in images


def uids(stack: Any) -> set[str]:
    """The pods of the release that are ready."""
    selector = f"app.kubernetes.io/instance={RELEASE}"
    found = json.loads(stack.kubectl("-n", NAMESPACE, "get", "pods", "--selector", selector, "-o", "json"))["items"]
    return {
        one["metadata"]["uid"]
        for one in found
        if any(
            (condition["type"], condition["status"]) == ("Ready", "True") for condition in one["status"]["conditions"]
        )
    }


def status(stack: Any) -> str:
    command = stack.helm("status", RELEASE, "--namespace", NAMESPACE)
    found = re.search(
        r"^STATUS: (.*)$", subprocess.run(command, capture_output=True, text=True, check=True).stdout, re.M
    )
    assert found
    return found[1]


def stop_crossplane(stack: Any) -> None:
    """Core first: it would start the provider again."""
    for selector in ("app=crossplane", PROVIDER):
        stack.kubectl("-n", "crossplane-system", "scale", "deployment", "--selector", selector, "--replicas=0")
        stack.kubectl("-n", "crossplane-system", "wait", "--for=delete", "pod", "--selector", selector, "--timeout=60s")


@pytest.fixture
def refusing_image(stack: Any, tmp_path: Path) -> str:
    """An image in the node's registry that ends as LocalStack does without a license."""
    registry = stack.facts["registry"]
    base = Path(stack.facts["parts"]["producer"]["path"]) / "image.tar"
    buildah = ["buildah", "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run", "--storage-driver", "vfs"]

    def do(*command: str) -> str:
        return subprocess.run([*buildah, *command], check=True, capture_output=True, text=True).stdout.strip()

    container = do("from", f"docker-archive:{base}")
    do("config", "--entrypoint", '["python3", "-c", "raise SystemExit(55)"]', container)
    do("commit", "--quiet", container, "refusing")
    do("push", "--tls-verify=false", "refusing", f"docker://{registry}/localstack:2026.3.0")
    do("rm", container)
    return f"{registry}/localstack:2026.3.0"


@pytest.mark.nightly
def test_a_token_that_localstack_refuses(stack: Any, refusing_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_AUTH_TOKEN", "ls-t0ken")
    settings = {
        "localstack_service_engine": "localstack",
        "localstack_service_version": "2026.3.0",
        "localstack_service_image": refusing_image,
    }
    code, output = stack.run("site.yml", "-vvv", "--diff", **settings)
    said = " ".join(output.split())
    assert code != 0
    assert "LocalStack ended with exit code 55: it did not accept its token" in said
    assert "Free are LocalStack 4.14.0" in said
    assert "t0ken" not in output
    secret = stack.kubectl("-n", NAMESPACE, "get", "secret", "localstack-token", "-o", "jsonpath={.data}")
    assert base64.b64encode(b"ls-t0ken").decode() in secret
    monkeypatch.delenv("LOCALSTACK_AUTH_TOKEN")
    stack.up()


def answer(call: Any) -> dict[str, Any]:
    """What an emulator says, nothing where it does not answer."""
    try:
        return dict(call())
    except BotoCoreError:
        return {}


@pytest.mark.nightly
def test_crossplane_makes_again_what_a_restarted_emulator_lost(stack: Any) -> None:
    """By itself, within a poll interval, without a run."""
    session = boto3.Session("test", "test", region_name="eu-central-1")
    # By itself it waits a minute for a pod that went away with the connection.
    config = Config(connect_timeout=3, read_timeout=10)
    sns, sqs, dynamodb = (
        session.client(name, endpoint_url=stack.endpoint, config=config) for name in ("sns", "sqs", "dynamodb")
    )
    stack.kubectl("-n", NAMESPACE, "delete", "pod", "--selector", EMULATOR, "--grace-period=0", "--force")
    stack.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/localstack", "--timeout=120s")
    for made in (sns.list_subscriptions, sqs.list_queues, dynamodb.list_tables):
        until(lambda made=made: any(answer(made).get(name) for name in MADE), POLL_SECONDS)

    said: list[str] = []

    def failure() -> str | None:
        """What verification says; it fails until Crossplane has written down the new subscription's ARN, in a poll."""
        code, output = stack.run("playbooks/verify.yml")
        said.append(output)
        return output[-3000:] if code else None

    wait_for("verification to succeed", failure, POLL_SECONDS)
    assert "Items, messages and objects from before are gone" in " ".join(said[-1].split())


def test_an_emulator_that_was_restarted(stack: Any) -> None:
    """Its data is gone, and without a provider it stays so: verification says it, and a run brings all of it back."""
    stop_crossplane(stack)
    stack.kubectl("-n", NAMESPACE, "delete", "pod", "--selector", EMULATOR, "--grace-period=0", "--force")
    code, output = stack.run("playbooks/verify.yml")
    assert code != 0
    said = " ".join(output.split())
    assert "Topic/justtrack-dev-devops-producer-events is gone from AWS" in said
    assert "Items, messages and objects from before are gone" in said
    assert "Run the play again (`make up`)" in said
    stack.kubectl("-n", "crossplane-system", "scale", "deployment", "--all", "--replicas=1")
    stack.up()


def test_a_node_that_was_killed(stack: Any) -> None:
    (node,) = filter(lambda process: is_node(process, stack.state), psutil.process_iter(["cmdline"]))
    node.kill()  # and with the first process of its namespace all that runs in it
    code, output = stack.run("playbooks/verify.yml")
    assert code != 0
    assert "UNREACHABLE" not in output
    stack.up()


def is_node(process: psutil.Process, state: Path) -> bool:
    command = process.info["cmdline"] or [""]
    return command[0].endswith("unshare") and any(argument.startswith(f"{state}/node/") for argument in command)


def test_removal_with_dead_controllers_and_emulator(stack: Any) -> None:
    """Nobody is there to finalize anything; the stack goes all the same."""
    stop_crossplane(stack)
    stack.kubectl("-n", NAMESPACE, "scale", "deployment,statefulset", "--all", "--replicas=0")
    code, output = stack.run(
        "playbooks/teardown.yml", stack_keep_node=True, aws_resources_abandon_after=5, crossplane_abandon_after=5
    )
    assert code == 0, output[-3000:]
    assert "Remove the finalizers of what a dead emulator or provider can't delete" in output
    code, output = stack.run("playbooks/status.yml")
    assert code != 0, "the node that was kept is empty"
    assert "There is no stack in" in " ".join(output.split())
