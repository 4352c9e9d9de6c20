"""What the users API gets from AWS itself: a role by IRSA or EKS Pod Identity, and neither endpoint nor key of an emulator."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::123456789012:role/users-api"
ANNOTATION = "eks.amazonaws.com/role-arn"
VALUES: dict[str, dict[str, Any]] = {
    "irsa": {"serviceAccount": {"annotations": {ANNOTATION: ROLE}}},
    "pod_identity": {},
    "emulator": {"global": {"aws": {"endpoint": "http://localstack.devopstest.svc.cluster.local:4566"}}},
    "emulator_by_env": {
        "env": {
            "AWS_ENDPOINT_URL": "http://192.168.1.10:4566",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    },
}


@pytest.fixture(scope="module", params=list(VALUES))
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    values = tmp_path_factory.mktemp(request.param) / "values.yml"
    values.write_text(yaml.safe_dump(VALUES[request.param]))
    helm = [os.environ["HELM"], "template", "users", "charts/users-api", "--values", str(values)]
    return request.param, subprocess.run(helm, cwd=PROJECT, check=True, capture_output=True, text=True).stdout


def only(text: str, kind: str) -> dict[str, Any]:
    (found,) = [one for one in yaml.safe_load_all(text) if one and one["kind"] == kind]
    return found


def test_endpoint_and_keys_are_there_for_an_emulator_only(rendered: tuple[str, str]) -> None:
    way, text = rendered
    assert ("4566" in text) is way.startswith("emulator")
    assert ("AWS_ENDPOINT_URL" in text) is way.startswith("emulator")
    assert ("AWS_ACCESS_KEY_ID" in text) is (way == "emulator_by_env")
    (container,) = only(text, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert ("envFrom" in container) is (way == "emulator_by_env")


def test_the_account_has_its_role(rendered: tuple[str, str]) -> None:
    way, text = rendered
    account = only(text, "ServiceAccount")
    assert account["metadata"].get("annotations") == ({ANNOTATION: ROLE} if way == "irsa" else None)
    # An association of Pod Identity names namespace and account.
    assert account["metadata"]["name"] == "users-users-api"
    assert only(text, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "users-users-api"


def test_the_way_out_leads_to_aws_and_its_agent_or_to_the_emulator(rendered: tuple[str, str]) -> None:
    way, text = rendered
    _dns, *ways = only(text, "NetworkPolicy")["spec"]["egress"]
    ports = [port["port"] for one in ways for port in one["ports"]]
    assert ports == ([4566] if way.startswith("emulator") else [443, 80])
