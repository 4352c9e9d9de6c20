"""Each field of each kind, live: set, changed, taken out, set again. A run says exactly what changes, and the next one changes nothing.

What is to change is derived from the declarations alone, by the role's own code without a cluster; whether AWS has it is asked by the
role's readers. `test_changes.py` asks AWS by boto3 instead, for fewer fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import fields_of
from botocore.exceptions import ClientError

from tests.integration.test_declared import Tenant

ENTRIES = yaml.safe_load((Path(__file__).parent / "every_field.yml").read_text())
Lists = dict[str, list[dict[str, Any]]]
# By kind and object, the fields of forProvider that change; None where the object is made or goes.
Changes = dict[tuple[str, str], set[str] | None]


def declared(name: str, stage: int, without: frozenset[str] = frozenset()) -> Lists:
    """All entries in a stage: 0 set, 1 changed, 2 taken out; without the lists that the engine can't make."""

    def entry(one: dict[str, Any]) -> dict[str, Any]:
        fields = (
            {field: values[stage] for field, values in (one.get("stages") or {}).items()}
            if stage < 2
            else one.get("then", {})
        )
        return {**one["always"], **fields}

    lists = {kind: [entry(one) for one in entries] for kind, entries in ENTRIES.items() if kind not in without}
    made: Lists = json.loads(json.dumps(lists).replace("NAME", name))
    return made


def objects(lists: Lists) -> dict[tuple[str, str], dict[str, Any]]:
    made, problems = derive(lists, Target("eu-central-1", owner="test"))
    assert problems == []
    return {(kind_of(one), one["metadata"]["name"]): one["spec"]["forProvider"] for one in made}


def expected(before: Lists, after: Lists) -> Changes:
    old, new = objects(before), objects(after)
    changes: Changes = dict.fromkeys(old.keys() ^ new.keys())
    for key in old.keys() & new.keys():
        rules = fields_of(key[0])
        fields = {
            field.removesuffix("Ref")
            for field in old[key] | new[key]
            if old[key].get(field) != new[key].get(field)
            # What AWS has without the field is no change where the field goes.
            and (field in new[key] or field not in rules or old[key][field] != rules[field].cleared)
        }
        if fields:
            changes[key] = fields
    return changes


def service_kind(one: dict[str, Any]) -> str:
    return f"{one['api_version'].split('.')[0]}/{one['kind']}"


def told(difference: dict[str, Any]) -> Changes:
    """What a run in check mode says would change."""
    changes: Changes = {}
    for one in (*difference["drifted"], *difference["strayed"]):
        fields = {
            field["path"].removeprefix("spec.forProvider.").split(".")[0].split("[")[0].removesuffix("Ref")
            for field in one["fields"]
        }
        changes.setdefault((service_kind(one), one["name"]), set()).update(fields)  # type: ignore[union-attr]
    for one in (*difference["missing"], *difference["surplus"]):
        changes[service_kind(one), one["name"]] = None
    return changes


@pytest.fixture(scope="module")
def tenant(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path_factory.mktemp("every-field"))
    yield one
    dynamodb = stack.client("dynamodb")
    # A stage that fails may leave it protected, or not there.
    with suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.update_table(TableName=one.name, DeletionProtectionEnabled=False)
    one.close()


@pytest.fixture(scope="module")
def without(stack: Any) -> frozenset[str]:
    """Lists of services that the engine lacks: LocalStack's built here has no kinesis-local, MiniStack no CloudWatch."""
    asked = {"streams": ("kinesis", "list_streams"), "alarms": ("cloudwatch", "describe_alarms")}
    missing = set()
    for kind, (service, operation) in asked.items():
        try:
            getattr(stack.client(service), operation)()
        except ClientError:
            missing.add(kind)
    return frozenset(missing)


def settings(lists: Lists) -> dict[str, Any]:
    return {"aws_resources_timeout": 300, **{f"aws_resources_{kind}": entries for kind, entries in lists.items()}}


def test_a_stage_changes_each_field() -> None:
    """Else the stages would show less than they seem to."""
    first, second, third = (declared("n", stage) for stage in range(3))
    for kind, entries in ENTRIES.items():
        for one, *stages in zip(entries, first[kind], second[kind], third[kind], strict=True):
            for field in {*one.get("stages", {}), *one.get("then", {})}:
                values = [stage.get(field) for stage in stages]
                assert any(value != values[0] for value in values), (kind, field)


@pytest.mark.parametrize("stage", [0, 1, 2, 0], ids=["set", "changed", "taken out", "set again"])
def test_a_run_says_what_changes_and_the_next_one_changes_nothing(
    tenant: Tenant, without: frozenset[str], stage: int
) -> None:
    lists = declared(tenant.name, stage, without)
    before = getattr(tenant, "lists", None)
    predicted = tenant.run("--check", **settings(lists))
    assert predicted.code == 0, predicted.output
    if before is not None:
        assert told(predicted.result["difference"]) == expected(before, lists)
    done = tenant.run(**settings(lists))
    assert done.code == 0, done.output
    tenant.lists = lists  # type: ignore[attr-defined]
    again = tenant.run(**settings(lists))
    assert (again.code, again.changed) == (0, []), again.result["difference"]["report"]
    assert again.result["difference"]["unobserved"] == []
