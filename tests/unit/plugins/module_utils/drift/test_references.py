"""A reference counts as what it names now, not as what the provider has made of it before."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import changes_of
from ansible_collections.localcloud.stack.plugins.module_utils.drift.references import unresolved

ARN = "arn:aws:kms:eu-central-1:000000000000:key/2"


def managed(service: str, kind: str, name: str, parameters: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{service}.aws.upbound.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, **rest.pop("metadata", {})},
        "spec": {"forProvider": parameters},
        **rest,
    }


def secret(**parameters: Any) -> dict[str, Any]:
    return managed("secretsmanager", "Secret", "own", {"kmsKeyIdRef": {"name": "two"}, **parameters})


def key(at_provider: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    named = {"annotations": {"crossplane.io/external-name": "2"}}
    return {
        ("kms/Key", None, "two"): managed("kms", "Key", "two", {}, metadata=named, status={"atProvider": at_provider})
    }


MADE = {"arn": ARN, "id": "2", "isEnabled": True}


@pytest.mark.parametrize("value", [ARN, "2"])
def test_what_a_reference_names_is_no_difference(value: str) -> None:
    assert unresolved(secret(), secret(kmsKeyId=value), key(MADE)) == []


@pytest.mark.parametrize("parameters", [{"kmsKeyId": "arn:aws:kms:eu-central-1:000000000000:key/1"}, {}])
def test_what_the_provider_made_of_it_before_is_one(parameters: dict[str, str]) -> None:
    """Also where AWS has the same: the object's conditions are from before, too."""
    live = secret(**parameters)
    ((where, change),) = changes_of(secret(), live, {"kmsKeyId": parameters.get("kmsKeyId")}, key(MADE))
    assert (where, change.path, change.before, change.after) == (
        "provider",
        "kmsKeyId",
        parameters.get("kmsKeyId"),
        ARN,
    )


@pytest.mark.parametrize("others", [{}, key({})])
def test_what_is_not_there_or_not_made_yet_is_not_compared(others: Any) -> None:
    assert unresolved(secret(), secret(), others) == []


def test_an_object_in_a_namespace_refers_to_those_in_it() -> None:
    declared, live = secret(), secret()
    live["metadata"]["namespace"] = "n"
    assert unresolved(declared, live, key(MADE)) == []
    ((_kind, one),) = key(MADE).items()
    assert unresolved(declared, live, {("kms/Key", "n", "two"): one}) != []


def test_fields_of_kinds_that_nothing_is_known_of_are_left_alone() -> None:
    declared = managed("ec2", "Instance", "i", {"kmsKeyIdRef": {"name": "two"}})
    assert unresolved(declared, declared, key(MADE)) == []
