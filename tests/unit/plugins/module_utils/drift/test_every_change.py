"""Any change of any field that the lists can declare is seen, and what was not changed is not: in the cluster and in AWS."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import UNOBSERVED, fields_of
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import differences
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import changes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
EVERY_FIELD = yaml.safe_load((Path(__file__).parents[1] / "fixtures/aws_resources_every_field.yml").read_text())
SCOPES = {
    "cluster": Target("eu-central-1", owner="me"),
    "namespaced": Target(
        "eu-central-1", owner="me", scope="namespaced", namespace="n", provider_config_kind="ClusterProviderConfig"
    ),
}
DOCUMENTS = ("policy", "json", "redrive")
# A busy machine is no fault.
patient = settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))


def objects() -> list[tuple[str, Json]]:
    """What the lists make with every field, by a name for it."""
    found = []
    for scope, target in SCOPES.items():
        # References to Secrets of Kubernetes have no namespace where the kinds have one.
        declared = json.loads(
            json.dumps(EVERY_FIELD).replace('"namespace": "n", ', "" if scope == "namespaced" else '"namespace": "n", ')
        )
        made, problems = derive(declared, target)
        assert problems == []
        found += [(f"{scope}-{kind_of(one)}-{one['metadata']['name']}", one) for one in made]
    return found


OBJECTS = dict(objects())
# Those of a kind that the provider does not late-initialize.
MANAGED = ["Observe", "Create", "Update", "Delete"]
FIELDS = [(name, field) for name, one in OBJECTS.items() for field in one["spec"]["forProvider"]]


class Changes:
    """The ways in which a value may become another one. missing: what stands for what is not there (None: the key goes)."""

    def __init__(self, draw: Any, *, in_aws: bool) -> None:
        self.draw = draw
        self.in_aws = in_aws

    def of(self, value: Any, how: str) -> Any:
        if isinstance(value, str) and how in DOCUMENTS:
            return json.dumps(self.of(json.loads(value), ""))
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return value + self.draw(st.sampled_from([-1, 1, 1000]))
        if isinstance(value, str):
            return self.draw(st.sampled_from([value + "x", "x" + value]))
        if isinstance(value, list):
            return self.of_list(value, how)
        return self.of_map(value, how)

    def of_list(self, value: list[Any], how: str) -> list[Any]:
        ways = ["one more", "one less", "another", *(["order"] if how == "ordered" and len(value) > 1 else [])]
        way = self.draw(st.sampled_from(ways if value else ["one more"]))
        index = self.draw(st.integers(0, max(0, len(value) - 1)))
        if way == "order":
            return value[1:] + value[:1]
        if way == "one more":
            return [*value, self.of(value[index], "") if value else "x"]
        if way == "one less":
            return value[:index] + value[index + 1 :]
        return [*value[:index], self.of(value[index], ""), *value[index + 1 :]]

    def of_map(self, value: Json, how: str) -> Json:
        ways = ["another", "one less", *([] if self.in_aws else ["one more"])]
        way = self.draw(st.sampled_from(ways if value else ["one more"]))
        if way == "one more":
            return {**value, "added": "x"}
        name = self.draw(st.sampled_from(sorted(value)))
        if way == "another" or not (_tells(value[name]) or how == "tags"):
            return {**value, name: self.of(value[name], "")}
        rest = {key: one for key, one in value.items() if key != name}
        # A reader names a setting that AWS does not have; of tags it tells those that there are.
        return {**rest, name: None} if self.in_aws and how != "tags" else rest


def _tells(value: Any) -> bool:
    """Whether its absence means something else."""
    if isinstance(value, dict | list):
        return any(_tells(one) for one in (value.values() if isinstance(value, dict) else value))
    return value not in (False, 0, "", None)


def owned(value: Any, sets: bool) -> Json:
    """What managedFields say of a value that was applied: maps by their keys, lists as a whole or, as sets, by their values."""
    if isinstance(value, dict) and value:
        return {".": {}, **{f"f:{key}": owned(one, sets) for key, one in value.items()}}
    if sets and isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return {".": {}, **{f"v:{json.dumps(one)}": {} for one in value}}
    return {}


def live(obj: Json, sets: bool) -> Json:
    """An object in the cluster that was applied as it is, and that the provider has made."""
    return {
        **copy.deepcopy(obj),
        "owned": {"f:metadata": owned(obj["metadata"], sets), "f:spec": owned(obj["spec"], sets)},
        "status": {"atProvider": copy.deepcopy(obj["spec"]["forProvider"])},
    }


def with_field(obj: Json, field: str, value: Any) -> Json:
    rest = {name: one for name, one in obj["spec"]["forProvider"].items() if name != field}
    parameters = rest if value is None else {**rest, field: value}
    return {**obj, "spec": {**obj["spec"], "forProvider": parameters}}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_as_declared_does_not_differ(name: str) -> None:
    obj = OBJECTS[name]
    for sets in (True, False):
        assert changes_of(obj, live(obj, sets), copy.deepcopy(obj["spec"]["forProvider"])) == []
        assert changes_of(obj, live(obj, sets), None) == []


@pytest.mark.parametrize(("name", "field"), FIELDS)
@patient
@given(data=st.data(), sets=st.booleans())
def test_any_change_of_a_declaration_is_seen_and_its_inverse(name: str, field: str, data: Any, sets: bool) -> None:
    obj = OBJECTS[name]
    value = obj["spec"]["forProvider"][field]
    rule = fields_of(kind_of(obj)).get(field)
    other = Changes(data.draw, in_aws=False).of(value, rule.how if rule else "")
    for values in ((value, other), (value, None), (None, value)):
        if value in ([], {}) and None in values:
            continue
        before, after = (with_field(obj, field, one) for one in values)
        changes = changes_of(after, live(before, sets), None)
        assert changes
        assert {where for where, _change in changes} == {"spec"}
    before, after = with_field(obj, field, other), obj
    assert changes_of(after, live(before, sets), None)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, field in FIELDS
        if OBJECTS[name]["spec"]["forProvider"][field] not in ([], {})  # to which others may add
        and field not in UNOBSERVED.get(kind_of(OBJECTS[name]), {})
        and not field.endswith(("Ref", "Refs"))
    ],
)
@patient
@given(data=st.data())
def test_any_change_in_aws_is_seen(name: str, field: str, data: Any) -> None:
    obj = OBJECTS[name]
    wanted = obj["spec"]["forProvider"]
    rules = fields_of(kind_of(obj))
    rule = rules.get(field)
    there = Changes(data.draw, in_aws=True).of(copy.deepcopy(wanted[field]), rule.how if rule else "")
    found = differences(wanted, {**wanted, field: there}, observed=True, rules=rules)
    assert [one.path.split(".")[0].split("[")[0] for one in found] == [field] * len(found)
    assert found


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, field in FIELDS
        if OBJECTS[name]["spec"].get("managementPolicies") == MANAGED
        and field not in UNOBSERVED.get(kind_of(OBJECTS[name]), {})
        and (field not in fields_of(kind_of(OBJECTS[name])) or fields_of(kind_of(OBJECTS[name]))[field].how != "tags")
        and not field.endswith("Ref")
    ],
)
def test_what_aws_has_besides_is_seen_where_the_provider_takes_it_out(name: str, field: str) -> None:
    """Without late initialization the provider does not write it into the object, as it does elsewhere."""
    value = OBJECTS[name]["spec"]["forProvider"][field]
    declared = with_field(OBJECTS[name], field, None)
    told = {**declared["spec"]["forProvider"], field: value}
    ((where, change),) = changes_of(declared, live(declared, False), told)
    assert (where, change.path, change.before, change.after) == ("aws", field, value, None)
    left_to_aws = {**declared, "spec": {**declared["spec"], "managementPolicies": ["*"]}}
    assert changes_of(left_to_aws, live(left_to_aws, False), told) == []


def test_a_map_that_the_kind_owns_has_nothing_besides() -> None:
    (alarm,) = (one for name, one in OBJECTS.items() if name.startswith("cluster-cloudwatch/"))
    wanted = alarm["spec"]["forProvider"]
    told = {**wanted, "dimensions": {**wanted["dimensions"], "Other": "x"}}
    ((where, change),) = changes_of(alarm, live(alarm, False), told)
    assert (where, change.path, change.before, change.after) == ("aws", "dimensions.Other", "x", None)
