"""What stands in place of a field that is no longer declared, and what a reference became."""

from __future__ import annotations

import json

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import changes_of, completed


def managed(service, kind, parameters, **rest):
    api_version = f"{service}.aws.upbound.io/v1beta1"
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a"},
        "spec": {"forProvider": parameters},
        **rest,
    }


def owned(*names):
    return {"owned": {"f:spec": {"f:forProvider": {f"f:{name}": {} for name in names}}}}


def parameters_of(declared, live):
    return completed(declared, live)["spec"]["forProvider"]


@pytest.mark.parametrize(
    ("service", "kind", "field", "value"),
    [
        ("dynamodb", "Table", "pointInTimeRecovery", [{"enabled": False}]),
        ("dynamodb", "Table", "serverSideEncryption", [{"enabled": False}]),
        ("kms", "Key", "rotationPeriodInDays", 365),
        ("ssm", "Parameter", "keyId", "alias/aws/ssm"),
        ("sns", "TopicSubscription", "filterPolicyScope", "MessageAttributes"),
        ("secretsmanager", "Secret", "kmsKeyId", "alias/aws/secretsmanager"),
    ],
)
def test_awss_default_stands_in_place_of_what_the_provider_would_keep(service, kind, field, value):
    declared = managed(service, kind, {"other": 1})
    assert parameters_of(declared, managed(service, kind, {}, **owned(field))) == {"other": 1, field: value}
    assert parameters_of(declared, managed(service, kind, {field: "x"})) == {"other": 1}


def test_a_block_is_a_map_in_the_namespaced_kinds():
    declared = {**managed("dynamodb", "Table", {}), "apiVersion": "dynamodb.aws.m.upbound.io/v1beta1"}
    found = parameters_of(declared, managed("dynamodb", "Table", {}, **owned("pointInTimeRecovery")))
    assert found == {"pointInTimeRecovery": {"enabled": False}}


def test_a_keys_policy_goes_back_to_awss_own_in_the_keys_account():
    declared = managed("kms", "Key", {})
    arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/1"
    live = managed("kms", "Key", {"policy": "{}"}, status={"atProvider": {"arn": arn}}, **owned("policy"))
    policy = json.loads(parameters_of(declared, live)["policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws-cn:iam::123456789012:root"}
    assert parameters_of(declared, {**live, "status": {}}) == {}


def test_a_reference_that_is_taken_out_leaves_what_it_became_to_be_cleared():
    live = managed("secretsmanager", "Secret", {"kmsKeyId": "1"}, **owned("kmsKeyIdRef"))
    assert parameters_of(managed("secretsmanager", "Secret", {}), live) == {"kmsKeyId": "alias/aws/secretsmanager"}
    for other in ({"kmsKeyId": "alias/mine"}, {"kmsKeyIdRef": {"name": "mine"}}):
        assert parameters_of(managed("secretsmanager", "Secret", other), live) == other


def test_what_a_reference_became_is_compared_with_aws():
    declared = managed("kms", "Alias", {"targetKeyIdRef": {"name": "mine"}})
    live = managed("kms", "Alias", {"targetKeyIdRef": {"name": "mine"}, "targetKeyId": "1"})
    assert changes_of(declared, live, {"targetKeyId": "1"}) == []
    ((where, change),) = changes_of(declared, live, {"targetKeyId": "2"})
    assert (where, change.path, change.before, change.after) == ("aws", "targetKeyId", "2", "1")
