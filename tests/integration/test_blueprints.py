"""Blueprints of somebody's own, in folders outside the checkout, beside the collection's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.playbook_output import changed_tasks

ENGINE = {"localstack_service_engine": "ministack"}
SHOP, NOTES = "localcloud-test-shop", "localcloud_test_notes"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(playbook: Any) -> Run:
    """Run a playbook that must succeed (or, with fails, must not); what it prints."""

    def run_one(path: str, *arguments: str, fails: bool = False, **settings: Any) -> str:
        done = playbook(path, *arguments, **settings)
        output: str = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output[-4000:]
        return output

    return run_one


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """What `make new-blueprint` makes, with a second release of the same chart and a list of each kind."""
    folder = tmp_path_factory.mktemp("elsewhere") / SHOP
    run("playbooks/new_blueprint.yml", new_blueprint_dir=str(folder))
    path = folder / "blueprint.yml"
    blueprint = yaml.safe_load(path.read_text())
    second = json.loads(json.dumps(blueprint["releases"][0]))
    second["name"] = f"{SHOP}-2"
    blueprint["releases"].append(second)
    blueprint["aws"].update(
        buckets=[{"name": SHOP, "deletion_protection": False}],
        parameters=[{"name": f"/{SHOP}/colour", "value": "green"}],
        keys=[{"name": SHOP}],
        roles=[{"name": SHOP, "trust_policy": trust("ec2")}],
        policies=[{"name": SHOP, "policy": statement("s3:ListBucket", f"arn:aws:s3:::{SHOP}")}],
    )
    path.write_text(yaml.safe_dump(blueprint, sort_keys=False))
    return folder


def trust(service: str) -> dict[str, Any]:
    return {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
    }


def statement(action: str, resource: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minimal blueprint: one queue, proved by tasks of its own."""
    folder = tmp_path_factory.mktemp("elsewhere") / NOTES
    folder.mkdir()
    (folder / "blueprint.yml").write_text(
        f"""
        aws: {{queues: [{{name: {NOTES}}}]}}
        proofs: [{{tasks: proof.yml}}]
        """
    )
    (folder / "proof.yml").write_text(
        f"""
        - name: Look for the queue
          ansible.builtin.assert:
            that: "'{NOTES}' in stack_info.queues | map(attribute='name')"
        """
    )
    return folder


@pytest.fixture(scope="module", autouse=True)
def _removed(run: Run, stack: Any, shop: Path, notes: Path) -> Iterator[None]:
    yield
    installed = json.loads((stack.folder / "blueprints.json").read_text())["installed"]
    for name in {SHOP, NOTES} & set(installed):
        run("playbooks/teardown.yml", stack_blueprint=name)


def releases(stack: Any) -> list[str]:
    return sorted(
        one["metadata"]["labels"]["name"]
        for one in json.loads(stack.kubectl("get", "secrets", "-A", "-l", "owner=helm,status=deployed", "-o", "json"))[
            "items"
        ]
    )


def queues(stack: Any) -> set[str]:
    return {url.rpartition("/")[2] for url in stack.client("sqs").list_queues().get("QueueUrls", [])}


def test_two_are_brought_up_beside_ours(run: Run, stack: Any, shop: Path, notes: Path) -> None:
    before = releases(stack)
    for folder in (shop, notes):
        output = run("site.yml", stack_blueprint=str(folder), **ENGINE)
        assert "Verified: " in output
        assert changed_tasks(run("site.yml", stack_blueprint=str(folder), **ENGINE)) == []
    assert releases(stack) == sorted([*before, SHOP, f"{SHOP}-2"])
    assert {SHOP, NOTES} <= queues(stack)
    installed = json.loads((stack.folder / "blueprints.json").read_text())["installed"]
    assert set(installed) >= {SHOP, NOTES}
    assert f"{SHOP.replace('-', '_').upper()}_URL=" in (stack.folder / "env").read_text()


def test_what_differs_is_predicted_and_repaired(run: Run, stack: Any, shop: Path) -> None:
    stack.kubectl("-n", SHOP, "delete", "service", SHOP)
    settings = {"stack_blueprint": str(shop), f"{SHOP.replace('-', '_')}_log_level": "DEBUG", **ENGINE}
    predicted = changed_tasks(run("site.yml", "--check", **settings))
    assert predicted
    # What leads to the new pods and tells of them follows.
    assert changed_tasks(run("site.yml", **settings))[: len(predicted)] == predicted
    assert changed_tasks(run("site.yml", **settings)) == []
    assert stack.kubectl("-n", SHOP, "get", "service", SHOP, "-o", "name")
    # The verification knows what the run was given.
    assert run("playbooks/verify.yml").count("Verified: ") >= 3


def test_a_release_that_is_no_longer_declared_goes(run: Run, stack: Any, shop: Path) -> None:
    path = shop / "blueprint.yml"
    blueprint = yaml.safe_load(path.read_text())
    blueprint["releases"].pop()
    path.write_text(yaml.safe_dump(blueprint, sort_keys=False))
    run("site.yml", stack_blueprint=str(shop), **ENGINE)
    assert f"{SHOP}-2" not in releases(stack)
    assert SHOP in releases(stack)


def test_names_of_others_are_refused(run: Run, stack: Any, notes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "another"
    shutil.copytree(notes, folder)
    output = " ".join(run("site.yml", stack_blueprint=str(folder), fails=True, **ENGINE).split())
    assert f"aws.queues: '{NOTES}' is declared by the blueprint {NOTES}, too" in output


def test_one_goes_while_the_others_stay_also_without_its_folder(run: Run, stack: Any, shop: Path, notes: Path) -> None:
    before = set(releases(stack))
    shutil.rmtree(shop)
    output = run("playbooks/teardown.yml", "--check", stack_blueprint=SHOP)
    assert SHOP in output
    assert SHOP in queues(stack)
    run("playbooks/teardown.yml", stack_blueprint=SHOP)
    assert set(releases(stack)) == before - {SHOP}
    assert SHOP not in queues(stack)
    assert NOTES in queues(stack)
    assert json.loads(stack.kubectl("get", "namespaces", "-o", "json"))["items"]
    assert SHOP not in stack.kubectl("get", "namespaces", "-o", "name")
    run("playbooks/teardown.yml", stack_blueprint=NOTES)
    assert NOTES not in queues(stack)
    run("playbooks/verify.yml")
