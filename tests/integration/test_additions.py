"""What the embedded node has beside Kubernetes, for stacks with `stack_domain` set as molecule/ministack does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.playbook_output import changed_tasks
from tests.integration.test_ingress import DOMAIN

pytestmark = pytest.mark.nightly
DEFINITION = "customresourcedefinitions/serverstransporttcps.traefik.io"


def test_what_was_taken_from_it_is_predicted_and_put_back(stack: Any, playbook: Any) -> None:
    def run(*arguments: str) -> list[str]:
        done = playbook(
            "site.yml",
            *arguments,
            stack_blueprint="users-api",
            localstack_service_engine="ministack",
            stack_domain=DOMAIN,
            stack_ingress_source_ranges=[f"{stack.facts['gateway']}/32"],
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return [name.rpartition(" : ")[2] for name in changed_tasks(done.stdout)]

    run()  # A test before may have restarted the emulator, which is noted.
    stack.kubectl("-n", "kube-system", "scale", "deployment", "metrics-server", "--replicas=0")
    stack.kubectl("delete", DEFINITION)
    predicted = run("--check")
    assert predicted == ["Apply the additions"]
    assert run() == predicted
    assert run() == []
    # At once, as the run has waited for it.
    measured = json.loads(stack.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"]
    assert [one["metadata"]["name"] for one in measured] == [stack.facts["context"]]
    assert stack.kubectl("get", DEFINITION, "-o", "name")


def test_what_others_run_under_these_names_is_refused(stack: Any, playbook: Any, later: Any) -> None:
    deployment = ("-n", "kube-system", "deployment/metrics-server")
    label = ("label", *deployment, "--overwrite")
    later(stack.kubectl, *label, f"localcloud.dev/owner={stack.facts['stack']}")
    stack.kubectl(*label, "localcloud.dev/owner=theirs")
    fields = ("get", *deployment, "-o", "jsonpath={.metadata.generation} {.metadata.labels}")
    before = stack.kubectl(*fields)
    refused = playbook(
        "site.yml", stack_blueprint="users-api", localstack_service_engine="ministack", stack_domain=DOMAIN
    )
    assert refused.returncode != 0
    assert "Deployment/metrics-server (kube-system), owner theirs" in " ".join(refused.stdout.split())
    assert stack.kubectl(*fields) == before
