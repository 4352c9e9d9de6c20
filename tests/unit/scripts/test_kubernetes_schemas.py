"""Schemas that kubeconform reads, out of descriptions of the API."""

from __future__ import annotations

from typing import Any

from ansible_collections.localcloud.stack.scripts.kubernetes_schemas import file_name, from_crd, from_swagger

KIND = [{"group": "apps", "version": "v1", "kind": "Deployment"}]
SWAGGER: dict[str, Any] = {
    "definitions": {
        "v1.Deployment": {
            "type": "object",
            "properties": {"spec": {"$ref": "#/definitions/v1.Spec"}, "type": {"type": "string"}},
            "x-kubernetes-group-version-kind": KIND,
        },
        "v1.Spec": {
            "type": "object",
            "properties": {
                "port": {"$ref": "#/definitions/util.IntOrString"},
                "again": {"$ref": "#/definitions/v1.Spec"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "util.IntOrString": {"type": "string", "format": "int-or-string"},
        "v1.Unused": {"type": "object"},
        "v1.Options": {"type": "object", "x-kubernetes-group-version-kind": KIND * 2},
    }
}


def test_a_kind_has_all_it_refers_to_and_allows_nothing_else() -> None:
    made = dict(from_swagger(SWAGGER))
    assert list(made) == ["deployment-apps-v1"]
    schema = made["deployment-apps-v1"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["type"] == {"type": "string"}
    assert set(schema["definitions"]) == {"v1.Spec", "util.IntOrString"}
    spec = schema["definitions"]["v1.Spec"]
    assert spec["additionalProperties"] is False
    assert spec["properties"]["labels"]["additionalProperties"] == {"type": "string"}
    assert schema["definitions"]["util.IntOrString"] == {"type": ["string", "number"]}


def test_a_custom_kind_keeps_what_it_leaves_open() -> None:
    schema = {
        "type": "object",
        "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {}}},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        },
    }
    crd = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}],
        }
    }
    ((name, made),) = from_crd(crd)
    assert name == "thing-example-v1"
    assert made["additionalProperties"] is False
    assert "additionalProperties" not in made["properties"]["free"]
    assert made["properties"]["port"] == {"type": ["string", "integer"]}


def test_names_are_as_kubeconform_asks_for_them() -> None:
    assert file_name("", "v1", "Service") == "service-v1"
    assert file_name("networking.k8s.io", "v1", "Ingress") == "ingress-networking-v1"
