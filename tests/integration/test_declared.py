"""The role aws_resources alone, in a cluster with a Crossplane of somebody else: declared, changed, drifted, removed.

The provider must not mend by itself what these tests break: run the stack with a long crossplane_poll_interval.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.playbook_output import changed_tasks

PLAYBOOK = Path(__file__).parent / "alone.yml"
PROJECT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local")


class Run(NamedTuple):
    """What a run of the playbook gave: exit code, output, the names of changed tasks, and its result file."""

    code: int
    output: str
    changed: list[str]
    result: dict[str, Any]


class Tenant:
    """Somebody with names, label and ProviderConfig of their own in the stack's cluster."""

    def __init__(self, stack: Any, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.name = f"tenant-{uuid.uuid4().hex[:8]}"
        config = json.loads(stack.kubectl("get", "providerconfigs.aws.upbound.io", "default", "-o", "json"))
        own = {**config, "metadata": {"name": self.name}}
        stack.kubectl("create", "-f", "-", stdin=json.dumps(own))

    def run(self, *arguments: str, meanwhile: Callable[[Path], None] | None = None, **settings: Any) -> Run:
        """Run the playbook, and beside it C(meanwhile), which is given the file with the output so far."""
        result = self.folder / f"{self.name}.json"
        result.unlink(missing_ok=True)
        variables = {
            "ansible_python_interpreter": sys.executable,
            "aws_resources_kubeconfig": self.stack.facts["kubeconfig"],
            "aws_resources_context": self.stack.facts["context"],
            "aws_resources_owner": self.name,
            "aws_resources_provider_config": self.name,
            "aws_resources_region": self.stack.env["AWS_REGION"],
            "aws_resources_look_into_aws": True,
            "aws_resources_endpoint_url": self.stack.env["AWS_ENDPOINT_URL"],
            "aws_resources_access_key": "test",
            "aws_resources_secret_key": "test",
            "pattern": f"{self.name}*",
            "result": str(result),
            **settings,
        }
        output = self.folder / f"{self.name}.log"
        with output.open("w") as log:
            process = subprocess.Popen(
                [*COMMAND, str(PLAYBOOK), "-e", json.dumps(variables), *arguments],
                cwd=PROJECT,
                env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        with process:
            if meanwhile:
                meanwhile(output)
        return Run(
            process.returncode,
            output.read_text(),
            changed_tasks(output.read_text()),
            json.loads(result.read_text()) if result.exists() else {},
        )

    def lose(self, queue: str) -> None:
        """Have the provider believe that it was stopped while it created this queue."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.annotate(
            queue, f"crossplane.io/external-create-pending={now}", f"localcloud.dev/reconcile-requested-at={now}"
        )

    def annotate(self, queue: str, *annotations: str) -> None:
        self.stack.kubectl("annotate", "--overwrite", f"queues.sqs.aws.upbound.io/{queue}", *annotations)

    def is_lost(self, queue: str) -> bool:
        """Whether the provider has said so."""
        return "cannot determine creation result" in self.synced(queue)

    def synced(self, queue: str) -> str:
        """Status and message of its condition Synced."""
        path = "jsonpath={.status.conditions[?(@.type=='Synced')]}"
        said: str = self.stack.kubectl("get", f"queues.sqs.aws.upbound.io/{queue}", "-o", path)
        return said

    def resources(self, **topic: Any) -> dict[str, Any]:
        return {
            "aws_resources_topics": [{"name": f"{self.name}-events", **topic}],
            "aws_resources_queues": [{"name": f"{self.name}-events"}],
            "aws_resources_subscriptions": [{"topic": f"{self.name}-events", "queue": f"{self.name}-events"}],
        }

    def close(self) -> None:
        gone = self.run(entry="absent")
        assert gone.code == 0, gone.output
        assert gone.result["found"]["topics"] == gone.result["found"]["queues"] == gone.result["found"]["tables"] == []
        self.stack.kubectl("delete", "providerconfigs.aws.upbound.io", self.name)


@pytest.fixture
def tenant(stack: Any, tmp_path: Path) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path)
    yield one
    one.close()


@pytest.fixture
def neighbour(stack: Any, tmp_path: Path) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path)
    yield one
    one.close()


def test_from_nothing_to_removed(tenant: Tenant, neighbour: Tenant) -> None:
    sqs, sns = tenant.stack.client("sqs"), tenant.stack.client("sns")
    first = tenant.run(**tenant.resources())
    assert first.code == 0, first.output
    assert [one["name"] for one in first.result["found"]["topics"]] == [f"{tenant.name}-events"]

    # Again, and in check mode: nothing.
    again = tenant.run(**tenant.resources())
    assert (again.code, again.changed) == (0, []), again.output

    # Two tenants in one cluster don't touch each other, and what one has the other may not take.
    other = neighbour.run(**neighbour.resources())
    assert other.code == 0, other.output
    assert tenant.run("--check", **tenant.resources()).changed == []
    taken = neighbour.run(**tenant.resources())
    assert taken.code != 0
    assert f"belongs to another stack ({tenant.name})" in taken.output
    assert [one["name"] for one in neighbour.run("--check", **neighbour.resources()).result["found"]["queues"]]

    # A changed field and a new resource: check mode says the same as the run then does.
    more = tenant.resources(tags={"colour": "blue"})
    more["aws_resources_queues"].append({"name": f"{tenant.name}-more", "visibility_timeout_seconds": 45})
    predicted = tenant.run("--check", "--diff", **more)
    assert predicted.code == 0, predicted.output
    done = tenant.run(**more)
    assert done.code == 0, done.output
    assert predicted.changed == done.changed != []
    assert predicted.result["difference"]["report"] != []
    topic = done.result["found"]["topics"][0]["arn"]
    tags = {one["Key"]: one["Value"] for one in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}
    assert tags["colour"] == "blue"

    # Changed and deleted behind Crossplane's back: found at once, field by field, and mended.
    url = sqs.get_queue_url(QueueName=f"{tenant.name}-more")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "99"})
    for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    checked = tenant.run(entry="check", **more)
    assert checked.code != 0
    assert "visibilityTimeoutSeconds: 99 -> 45" in checked.output
    assert "is gone from AWS" in checked.output
    predicted = tenant.run("--check", **more)
    mended = tenant.run(**more)
    assert mended.code == 0, mended.output
    assert predicted.changed == mended.changed != []
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] != []
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert answer["Attributes"]["VisibilityTimeout"] == "45"

    # A field that is declared no more goes back, and a resource that is declared no more goes.
    predicted = tenant.run("--check", **tenant.resources())
    less = tenant.run(**tenant.resources())
    assert less.code == 0, less.output
    assert predicted.changed == less.changed != []
    assert [one["name"] for one in less.result["found"]["queues"]] == [f"{tenant.name}-events"]
    tags = {one["Key"] for one in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}
    assert "colour" not in tags


def test_what_aws_has_already_is_taken_only_when_asked(tenant: Tenant) -> None:
    sqs = tenant.stack.client("sqs")
    url = sqs.create_queue(QueueName=f"{tenant.name}-old", Attributes={"VisibilityTimeout": "11"})["QueueUrl"]
    refused = tenant.run(aws_resources_queues=[{"name": f"{tenant.name}-old"}])
    assert refused.code != 0
    assert "Nothing was changed" in refused.output
    assert f"AWS has {tenant.name}-old already" in refused.output
    assert "QueueUrl" in sqs.get_queue_url(QueueName=f"{tenant.name}-old")

    taken = tenant.run(
        aws_resources_queues=[{"name": f"{tenant.name}-old", "visibility_timeout_seconds": 22}],
        aws_resources_adopt=True,
    )
    assert taken.code == 0, taken.output
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert answer["Attributes"]["VisibilityTimeout"] == "22"


def test_what_holds_data_is_kept(tenant: Tenant) -> None:
    table = {"name": f"{tenant.name}-data", "hash_key": {"name": "Id", "type": "S"}}
    made = tenant.run(aws_resources_tables=[table])
    assert made.code == 0, made.output
    # What AWS can't change is refused before anything is, and not after a wait.
    other = tenant.run(aws_resources_tables=[{**table, "hash_key": {"name": "Other", "type": "S"}}])
    assert (other.code != 0, other.changed) == (True, []), other.output
    assert "AWS can't change spec.forProvider.hashKey: " in other.output
    refused = tenant.run(aws_resources_tables=[])
    assert refused.code != 0
    assert "holds data and is protected" in refused.output
    assert tenant.run("--check", aws_resources_tables=[table]).changed == []
    # As -e gives it, which is text.
    kept = {"aws_resources_tables": [], "aws_resources_prune": "false"}
    left = tenant.run(**kept)
    assert (left.code, left.changed) == (0, []), left.output
    beside = tenant.run(aws_resources_topics=[{"name": f"{tenant.name}-beside"}], **kept)
    assert beside.code == 0, beside.output
    assert [one["name"] for one in beside.result["found"]["tables"]] == [table["name"]]
    gone = tenant.run(aws_resources_tables=[], aws_resources_deletion_protection="false")
    assert gone.code == 0, gone.output
    assert gone.result["found"]["tables"] == []


@pytest.mark.nightly
def test_a_creation_whose_end_the_provider_lost_is_taken_up(tenant: Tenant, eventually: Any) -> None:
    """Once where it is found, and once where it happens while the role waits."""
    queue = f"{tenant.name}-lost"
    declared = {"aws_resources_queues": [{"name": queue}]}
    made = tenant.run(**declared)
    assert made.code == 0, made.output

    tenant.lose(queue)
    eventually(lambda: tenant.is_lost(queue))
    checked = tenant.run(entry="check", **declared)
    assert checked.code != 0
    assert "was never finished" in checked.output
    predicted = tenant.run("--check", **declared)
    healed = tenant.run(**declared)
    assert healed.code == 0, healed.output
    assert predicted.changed == healed.changed != []
    assert not tenant.is_lost(queue)

    tenant.annotate(queue, "crossplane.io/paused=true")
    eventually(lambda: "True" not in tenant.synced(queue))
    tenant.lose(queue)

    def go_on(output: Path) -> None:
        eventually(lambda: "Wait until every resource is Synced and Ready" in output.read_text())
        tenant.annotate(queue, "crossplane.io/paused-")

    # It waits for somebody to tell it how the creation ended.
    healed = tenant.run(meanwhile=go_on, **declared)
    assert healed.code == 0, healed.output
    assert not tenant.is_lost(queue)
    again = tenant.run(**declared)
    assert (again.code, again.changed) == (0, []), again.output


def test_what_was_made_without_an_answer_is_taken_up(tenant: Tenant, eventually: Any) -> None:
    """A secret, whose ARN only that answer tells: the provider is refused a second one for ever."""
    stack, name = tenant.stack, tenant.name
    kind = "secrets.secretsmanager.aws.upbound.io"
    declared = {"aws_resources_secrets": [{"name": name, "deletion_protection": False, "recovery_window_days": 0}]}
    made = tenant.run(**declared)
    assert made.code == 0, made.output
    arn = stack.client("secretsmanager").describe_secret(SecretId=name)["ARN"]

    # The object as it was before the provider knew of the secret.
    stack.kubectl(
        "patch",
        f"{kind}/{name}",
        "--type=merge",
        "-p",
        json.dumps({"spec": {"managementPolicies": ["Observe", "Create"]}}),
    )
    found = json.loads(stack.kubectl("get", f"{kind}/{name}", "-o", "json"))
    stack.kubectl("delete", f"{kind}/{name}", "--timeout=60s")
    metadata = {"name": name, "labels": found["metadata"]["labels"]}
    again = {**found, "metadata": metadata, "spec": {**found["spec"], "managementPolicies": ["*"]}}
    again.pop("status")
    stack.kubectl("create", "-f", "-", stdin=json.dumps(again))

    def seen() -> str:
        return str(
            stack.kubectl("get", f"{kind}/{name}", "-o", "jsonpath={.metadata.annotations} {.status.conditions}")
        )

    # On a busy machine the provider takes more than a minute until it says so.
    eventually(lambda: "already exists" in seen(), 240, seen)

    healed = tenant.run(**declared)
    assert healed.code == 0, healed.output
    annotations = json.loads(stack.kubectl("get", f"{kind}/{name}", "-o", "json"))["metadata"]["annotations"]
    assert annotations["crossplane.io/external-name"] == arn
    settled = tenant.run(**declared)
    assert (settled.code, settled.changed) == (0, []), settled.output
