"""definition.yaml and the function say the same about the spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud_event_pipeline.spec import DeadLetter, Key, Part, Spec
from localcloud_event_pipeline.status import FIELDS

FOLDER = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((FOLDER / "definition.yaml").read_text())
COMPOSITION = yaml.safe_load((FOLDER / "composition.yaml").read_text())
(VERSION,) = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]["properties"]
PARTS = {
    "spec": (Spec, SCHEMA["spec"]),
    "deadLetter": (DeadLetter, SCHEMA["spec"]["properties"]["deadLetter"]),
    "hashKey": (Key, SCHEMA["spec"]["properties"]["hashKey"]),
    "rangeKey": (Key, SCHEMA["spec"]["properties"]["rangeKey"]),
}
RULES = ("pattern", "minimum", "maximum", "minLength", "maxLength", "enum", "type")


def flat(model: type[Part]) -> dict[str, dict[str, Any]]:
    """The fields of pydantic's JSON schema; an optional field is what it is when it is there."""
    found = {}
    for name, field in model.model_json_schema(by_alias=True)["properties"].items():
        (kind,) = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
        found[name] = {**kind, "default": field.get("default")}
    return found


@pytest.mark.parametrize("part", PARTS)
def test_both_have_the_same_fields(part: str) -> None:
    model, schema = PARTS[part]
    assert set(flat(model)) == set(schema["properties"])
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required == set(schema.get("required", []))


@pytest.mark.parametrize("part", PARTS)
def test_both_have_the_same_rules_and_defaults(part: str) -> None:
    model, schema = PARTS[part]
    for name, field in flat(model).items():
        declared = schema["properties"][name]
        for rule in set(RULES) & set(field):
            assert field[rule] == declared[rule], f"{name}.{rule}"
        assert field["default"] == declared.get("default"), f"{name}.default"


def test_every_field_is_described() -> None:
    for part, (_kind, schema) in PARTS.items():
        assert all(field["description"] for field in schema["properties"].values()), part


def test_the_status_has_the_declared_fields() -> None:
    assert set(FIELDS) == set(SCHEMA["status"]["properties"])


def test_the_composition_is_of_this_kind() -> None:
    assert COMPOSITION["spec"]["compositeTypeRef"] == {
        "apiVersion": f"{DEFINITION['spec']['group']}/{VERSION['name']}",
        "kind": DEFINITION["spec"]["names"]["kind"],
    }
    assert DEFINITION["spec"]["defaultCompositionRef"]["name"] == COMPOSITION["metadata"]["name"]
