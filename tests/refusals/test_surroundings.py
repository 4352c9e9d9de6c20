"""The user's shell neither sends a run to other hosts nor lets it end well without having looked at anything."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parents[2]
NO_STACK = "There is no stack in"


def run(folder: Path, *command: str, **environment: str) -> str:
    """Run a command that must fail, for a checkout at this folder; what it prints, in one line."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    shell |= {"LOCALCLOUD_DIR": str(folder), "KUBECONFIG": "/nonexistent", "NO_COLOR": "1"}
    # Nobody's Docker either.
    shell.setdefault("DOCKER_HOST", "unix:///nonexistent")
    done = subprocess.run(
        command, cwd=PROJECT, env={**shell, **environment}, capture_output=True, text=True, check=False
    )
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, output
    return output


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """The inventory of somebody, whose host would note that it was reached."""
    path = tmp_path / "hosts.yml"
    path.write_text(
        "all: {hosts: {production: {ansible_connection: local, ansible_python_interpreter: /nonexistent, stack_namespace: x}}}\n"
    )
    return path


@pytest.fixture
def foreign(tmp_path: Path, others: Path) -> dict[str, str]:
    """All that a shell may say to Ansible and Python."""
    config = tmp_path / "ansible.cfg"
    config.write_text(f"[defaults]\ninventory = {others}\nstrategy = free\n")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "yaml.py").write_text("raise SystemExit('a foreign yaml')\n")
    return {
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_INVENTORY": str(others),
        "ANSIBLE_RUN_TAGS": "nothing",
        "ANSIBLE_COLLECTIONS_PATH": "/nonexistent",
        "ANSIBLE_BECOME": "true",
        "PYTHONPATH": str(modules),
        "PYTHONOPTIMIZE": "2",
        "LC_ALL": "C",
    }


@pytest.mark.parametrize("target", ["verify", "status"])
def test_make_takes_nothing_of_ansible_and_python_from_the_shell(
    target: str, tmp_path: Path, foreign: dict[str, str]
) -> None:
    output = run(tmp_path, "make", target, **foreign)
    assert NO_STACK in output
    assert "production" not in output
    assert "localhost" in output


@pytest.mark.parametrize(
    "playbook",
    ["site.yml", *(f"playbooks/{name}.yml" for name in ("verify", "status", "save", "restore", "teardown"))],
)
@pytest.mark.parametrize("variable", ["ANSIBLE_CONFIG", "ANSIBLE_INVENTORY"])
def test_a_playbook_refuses_settings_of_others(
    variable: str, playbook: str, tmp_path: Path, foreign: dict[str, str]
) -> None:
    output = run(tmp_path, "ansible-playbook", playbook, **{variable: foreign[variable]})
    assert "The stack has no settings: the inventory that holds them, inventories/local, is not used" in output
    assert f"The environment sets {variable}: unset that, or give -i inventories/local. Nothing was touched." in output
    assert "production" not in output


def test_the_inventory_beats_a_foreign_configuration(tmp_path: Path, foreign: dict[str, str]) -> None:
    output = run(
        tmp_path, "ansible-playbook", "-i", "inventories/local", "playbooks/verify.yml",
        ANSIBLE_CONFIG=foreign["ANSIBLE_CONFIG"],
    )  # fmt: skip
    assert NO_STACK in output


def test_a_localhost_that_is_another_machine_is_refused(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("localhost ansible_connection=ssh ansible_host=production.example.org stack_namespace=x\n")
    output = run(tmp_path, "ansible-playbook", "-i", str(inventory), "site.yml")
    assert "but the inventory reaches localhost by ssh" in output
    assert "production.example.org" not in output


def test_real_aws_is_meant_where_it_is_said(tmp_path: Path) -> None:
    """The account is the one that is meant, as far as the endpoint says that answers for it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "localstack_service_engine": "aws",
        "localstack_service_account": "123456789012",
        "localstack_service_credentials": "pod_identity",
    }
    try:
        output = run(
            tmp_path, "ansible-playbook", "site.yml", "-e", json.dumps(settings),
            AWS_ENDPOINT_URL=f"http://{host}:{port}",
            AWS_ENDPOINT_URL_SECRETS_MANAGER="https://amazonaws.com.example.org",
            AWS_ENDPOINT_URL_SQS="https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com",
            AWS_ACCESS_KEY_ID="mine", AWS_SECRET_ACCESS_KEY="mine",
        )  # fmt: skip
    finally:
        server.stop()
    assert (
        "the environment sends requests elsewhere by AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SECRETS_MANAGER. Nothing was touched."
        in output
    )
