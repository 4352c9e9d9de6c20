# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import Change
from ansible_collections.localcloud.stack.plugins.module_utils.drift.immutable import immutable_changes


def table(**parameters):
    return {"apiVersion": "dynamodb.aws.m.upbound.io/v1beta1", "kind": "Table", "spec": {"forProvider": parameters}}


@pytest.mark.parametrize(
    ("declared", "there", "change", "immutable"),
    [
        ({"hashKey": "pk"}, {"hashKey": "id"}, ("hashKey", "id", "pk"), True),
        # What a wrong declaration has left in the cluster only is set back.
        ({"hashKey": "id"}, {"hashKey": "id"}, ("hashKey", "pk", "id"), False),
        # Nothing is made yet.
        ({"hashKey": "pk"}, {}, ("hashKey", "id", "pk"), False),
        # A range key that the table does not have, and one that it has and that is declared no more.
        ({"hashKey": "id", "rangeKey": "at"}, {"hashKey": "id"}, ("rangeKey", None, "at"), True),
        ({"hashKey": "id"}, {"hashKey": "id", "rangeKey": "at"}, ("rangeKey", "at", None), True),
        # Whether "at" was ever made nobody knows.
        ({"rangeKey": "when"}, {"hashKey": "id"}, ("rangeKey", "at", "when"), False),
        ({"readCapacity": 2}, {"readCapacity": 1}, ("readCapacity", 1, 2), False),
    ],
)  # fmt: skip
def test_what_of_a_table_is_immutable(declared, there, change, immutable):
    name, before, after = change
    one = Change(f"spec.forProvider.{name}", before, after)
    assert immutable_changes(table(**declared), {"status": {"atProvider": there}}, [("spec", one)]) == (
        {one.path} if immutable else set()
    )


def test_a_field_within_an_immutable_one_is_immutable():
    one = Change("spec.forProvider.localSecondaryIndex[0].rangeKey", "at", "who")
    declared = table(localSecondaryIndex=[{"name": "by", "rangeKey": "who"}])
    there = {"localSecondaryIndex": [{"name": "by", "rangeKey": "at"}]}
    assert immutable_changes(declared, {"status": {"atProvider": there}}, [("spec", one)]) == {one.path}


def test_labels_and_kinds_that_are_not_known_are_never_immutable():
    label = Change("metadata.labels.path", "a", "b")
    other = {"apiVersion": "ec2.aws.upbound.io/v1beta1", "kind": "VPC", "spec": {"forProvider": {"path": "b"}}}
    live = {"status": {"atProvider": {"path": "a"}}}
    assert immutable_changes(other, live, [("spec", Change("spec.forProvider.path", "a", "b"))]) == set()
    assert (
        immutable_changes(
            {**other, "apiVersion": "iam.aws.upbound.io/v1beta1", "kind": "Role"}, live, [("spec", label)]
        )
        == set()
    )


def test_what_was_made_again_in_aws_with_another_key_is_immutable():
    changes = [("aws", Change("hashKey", "Other", "Id")), ("aws", Change("attribute[0].name", "Other", "Id"))]
    assert immutable_changes(table(hashKey="Id"), {}, changes) == {"hashKey"}
    changes = [
        ("aws", Change("localSecondaryIndex[0].rangeKey", "a", "b")),
        ("provider", Change("billingMode", "a", "b")),
    ]
    assert immutable_changes(table(), {}, changes) == {"localSecondaryIndex[0].rangeKey"}


@pytest.mark.parametrize("kind", ["dynamodb.aws.upbound.io/v1beta1", "ec2.aws.upbound.io/v1beta1"])
def test_no_resource_can_be_moved_to_another_region(kind):
    obj = {**table(region="us-east-1"), "apiVersion": kind}
    moved = ("spec", Change("spec.forProvider.region", "eu-central-1", "us-east-1"))
    assert immutable_changes(obj, {"status": {"atProvider": {"id": "x"}}}, [moved]) == {moved[1].path}
    assert immutable_changes(obj, {"status": {}}, [moved]) == set()
