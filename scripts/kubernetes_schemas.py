"""JSON schemas of Kubernetes kinds, as kubeconform reads them, out of what their makers publish.

Pure: reads only what it is given. A schema is strict: a field that the kind does not have is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = dict[str, Any]
REFERENCE = "#/definitions/"
# Texts to OpenAPI that may be numbers in a manifest.
NUMBERS_TOO = re.compile(r"\.(IntOrString|Quantity)$")


def from_swagger(swagger: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Name and schema of each kind of an API server's own description (api/openapi-spec/swagger.json)."""
    definitions = {
        name: {"type": ["string", "number"]} if NUMBERS_TOO.search(name) else strict(definition)
        for name, definition in swagger["definitions"].items()
    }
    for name, definition in swagger["definitions"].items():
        # Options of requests belong to every group; a manifest's kind to one.
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:
            (kind,) = kinds
            yield (
                file_name(kind["group"], kind["version"], kind["kind"]),
                {**definitions[name], "definitions": closure(definitions, name)},
            )


def from_crd(crd: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Name and schema of each version of a CustomResourceDefinition."""
    for version in crd["spec"]["versions"]:
        name = file_name(crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"])
        yield name, strict(version["schema"]["openAPIV3Schema"])


def file_name(group: str, version: str, kind: str) -> str:
    """As kubeconform's template {{.ResourceKind}}{{.KindSuffix}} has it, for example ingress-networking-v1."""
    return "-".join(part for part in (kind.lower(), group.split(".", 1)[0], version) if part)


def strict(schema: Any) -> Any:
    """The schema with no other fields allowed than those it names."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    made = {name: strict(value) for name, value in schema.items()}
    open_ended = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & made.keys()
    if isinstance(made.get("properties"), dict) and not open_ended:
        made["additionalProperties"] = False
    return made


def closure(definitions: Mapping[str, Schema], name: str) -> dict[str, Schema]:
    """The definitions that one refers to, and those that they do, and so on."""
    found: dict[str, Schema] = {}
    pending = list(references(definitions[name]))
    while pending:
        one = pending.pop()
        if one not in found:
            found[one] = definitions[one]
            pending += references(definitions[one])
    return found


def references(schema: Any) -> Iterator[str]:
    """Names of the definitions that a schema refers to itself."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)
