"""The declarations of every_field.yml in their stages, and what a run must say of each change, derived from these alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import UNOBSERVED, fields_of

ENTRIES = yaml.safe_load((Path(__file__).parent / "every_field.yml").read_text())
SET, CHANGED, TAKEN_OUT = range(3)
Lists = dict[str, list[dict[str, Any]]]
Object = tuple[str, str]
# By kind and object, the fields of forProvider that change; None where the object is made or goes.
Changes = dict[Object, set[str] | None]


def declared(name: str, stage: int, without: frozenset[str] = frozenset()) -> Lists:
    """All entries in a stage, with names that begin with C(name).

    C(without): lists that the engine can't make, and fields (list.field) that it can't change, which stay as they are.
    """

    def entry(kind: str, one: dict[str, Any]) -> dict[str, Any]:
        stages = one.get("stages") or {}
        fields = (
            one.get("then", {}) if stage == TAKEN_OUT else {field: values[stage] for field, values in stages.items()}
        )
        kept = {field: values[SET] for field, values in stages.items() if f"{kind}.{field}" in without}
        return {**one["always"], **fields, **kept}

    lists = {kind: [entry(kind, one) for one in entries] for kind, entries in ENTRIES.items() if kind not in without}
    made: Lists = json.loads(json.dumps(lists).replace("NAME", name))
    return made


def objects(lists: Lists) -> dict[Object, dict[str, Any]]:
    """The fields of forProvider of each managed resource."""
    return {(kind_of(one), one["metadata"]["name"]): one["spec"]["forProvider"] for one in _derived(lists)}


def names(lists: Lists) -> list[str]:
    """The managed resources as kubectl takes them."""
    return [f"{one['kind']}.{one['apiVersion'].split('/')[0]}/{one['metadata']['name']}" for one in _derived(lists)]


def _derived(lists: Lists) -> list[dict[str, Any]]:
    made, problems = derive(lists, Target("eu-central-1", owner="test"))
    assert problems == []
    return list(made)


def expected(before: Lists, after: Lists) -> Changes:
    """What a run that declares C(after) changes where AWS has C(before)."""
    old, new = objects(before), objects(after)
    changes: Changes = dict.fromkeys(old.keys() ^ new.keys())
    for key in old.keys() & new.keys():
        rules = fields_of(key[0])
        fields = {
            field.removesuffix("Ref")
            for field in old[key] | new[key]
            if old[key].get(field) != new[key].get(field)
            # What AWS has without the field is not a change where the field goes.
            and (field in new[key] or field not in rules or old[key][field] != rules[field].cleared)
        }
        if fields:
            changes[key] = fields
    return changes


def without_kept(changes: Changes, before: Lists) -> Changes:
    """Changes without the view of a stream that was off before: an engine may go on to tell it, and the provider writes it into the object."""
    off = {key for key, fields in objects(before).items() if not fields.get("streamEnabled")}
    return {key: fields - {"streamViewType"} if key in off and fields else fields for key, fields in changes.items()}


def observed(changes: Changes) -> Changes:
    """The part of these changes that AWS itself tells of objects which are there before and after."""
    found = {key: (fields or set()) - UNOBSERVED.get(key[0], {}).keys() for key, fields in changes.items()}
    return {key: fields for key, fields in found.items() if fields}


def told(difference: dict[str, Any]) -> Changes:
    """What a run in check mode says would change."""
    changes = drifted(difference)
    for one in (*difference["missing"], *difference["orphaned"]):
        changes[_object(one)] = None
    return changes


def drifted(difference: dict[str, Any], where: tuple[str, ...] = ("spec", "aws", "provider")) -> Changes:
    """The fields that differ in one of these places."""
    changes: Changes = {}
    for one in (*difference["modified"], *difference["drifted"]):
        fields = {
            field["path"].removeprefix("spec.forProvider.").split(".")[0].split("[")[0].removesuffix("Ref")
            for field in one["fields"]
            if field["where"] in where
        }
        if fields:
            changes.setdefault(_object(one), set()).update(fields)  # type: ignore[union-attr]
    return changes


def gone(difference: dict[str, Any]) -> set[Object]:
    """The objects whose resources AWS no longer has."""
    return set(map(_object, difference["gone"]))


def _object(one: dict[str, Any]) -> Object:
    return f"{one['api_version'].split('.')[0]}/{one['kind']}", one["name"]
