"""Check mode predicts what a run then does: in somebody else's empty cluster, again, and after somebody changed things.

Runs by itself before the scenario `existing` converges; what it leaves is the guest's whole stack.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
import yaml

from tests.integration.playbook_output import changed_tasks

PROJECT = Path(__file__).resolve().parents[2]
GUEST, OWNER = (Path(os.environ[name]) / ".localcloud" for name in ("LOCALCLOUD_DIR", "OWNER_DIR"))
QUEUE = "justtrack-dev-devops-consumer-events"
# Settings that no output may show, however much it tells.
SECRETS = {"apps_secret_key": "Hush1apps", "crossplane_secret_key": "Hush2provider"}
# So that nobody but the run mends what these tests change.
RARELY = {"crossplane_poll_interval": "24h"}


class Run(NamedTuple):
    """A run's output, and the tasks that reported a change, in order."""

    output: str
    changed: list[str]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings in a file, as a user would have secret ones."""
    path = tmp_path_factory.mktemp("settings") / "secrets.yml"
    path.write_text(yaml.safe_dump({**SECRETS, **RARELY}))
    return path


@pytest.fixture(scope="module")
def site(settings: Path) -> Any:
    """Run the scenario's own playbook, telling all that Ansible can tell."""

    def run(*arguments: str) -> Run:
        command = [
            "ansible-playbook",
            "molecule/existing/converge.yml",
            "-e",
            f"@{settings}",
            "--diff",
            "-vvv",
            *arguments,
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment.pop("ANSIBLE_FORCE_COLOR", None)
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:]
        for secret in SECRETS.values():
            assert secret not in done.stdout + done.stderr
        for part in re.findall(r"(?:client-key-data|token): (\S+)", (OWNER / "kubeconfig").read_text()):
            assert part not in done.stdout
        return Run(done.stdout, changed_tasks(done.stdout))

    return run


@pytest.fixture(scope="module")
def kubectl() -> Any:
    facts = json.loads((OWNER / "cluster.json").read_text())

    def run(*arguments: str) -> str:
        command = [facts["kubectl"], "--kubeconfig", facts["kubeconfig"], *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


def sqs() -> Any:
    lines = (GUEST / "env").read_text().splitlines()
    endpoint = next(line.partition("=")[2] for line in lines if line.startswith("export AWS_ENDPOINT_URL="))
    return boto3.client(
        "sqs", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_an_empty_cluster(site: Any, kubectl: Any) -> None:
    before = kubectl("get", "namespaces,customresourcedefinitions", "-o", "name")
    predicted = site("--check")
    assert kubectl("get", "namespaces,customresourcedefinitions", "-o", "name") == before, "check mode changes nothing"
    assert not (GUEST / "cloud.json").exists()
    done = site()
    # What later playbooks need is written when there is something to tell.
    assert [name for name in done.changed if not name.startswith("Write what ")] == [
        name for name in predicted.changed if not name.startswith("Write what ")
    ]
    assert len(done.changed) > 5


def test_a_whole_stack(site: Any) -> None:
    assert site("--check").changed == []


def project(queue: str) -> str:
    """What the queue's tag says in AWS."""
    return str(sqs().list_queue_tags(QueueUrl=queue)["Tags"]["project"])


def test_a_stack_that_somebody_changed(site: Any, kubectl: Any) -> None:
    """A queue's tag in AWS, the emulator's Service and a policy: each is predicted, and mended."""
    queue = sqs().get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs().tag_queue(QueueUrl=queue, Tags={"project": "stranger"})
    kubectl("-n", "devopstest", "delete", "service", "localstack")
    kubectl("-n", "crossplane-system", "delete", "networkpolicy", "aws-providers-no-internet")
    predicted = site("--check")
    assert project(queue) == "stranger", "check mode changes nothing"
    assert '"before": "stranger"' in predicted.output
    done = site()
    assert predicted.changed == done.changed
    assert len(done.changed) == 3
    assert project(queue) == "justtrack"
    kubectl("-n", "devopstest", "get", "service", "localstack")
    kubectl("-n", "crossplane-system", "get", "networkpolicy", "aws-providers-no-internet")
