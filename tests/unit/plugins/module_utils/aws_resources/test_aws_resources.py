"""Managed resources from plain lists, and the problems of lists that AWS would refuse.

What is made is in fixtures/aws_resources_made.yml, what is refused in fixtures/aws_resources_refused.yml.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import pytest
import yaml
from ansible.module_utils.parsing import convert_bool
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive, kinds
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import (
    ENTRIES,
    NAMED_BY_US,
    REMOVAL,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import BOOLEANS, as_iam_json
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.kinds import KINDS, sqs
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.target import object_name
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[1] / "fixtures"
MADE = yaml.safe_load((FIXTURES / "aws_resources_made.yml").read_text())
REFUSED = yaml.safe_load((FIXTURES / "aws_resources_refused.yml").read_text())
EMULATOR = Target("eu-central-1", owner="localcloud-1", tags={"environment": "dev"})
JSON_FIELDS = ("policy", "filterPolicy", "redrivePolicy", "redriveAllowPolicy", "assumeRolePolicy", "eventPattern")


def manifests(declared: dict[str, Any], target: Target) -> list[dict[str, Any]]:
    return derive(declared, target)[0]


def problems(declared: dict[str, Any], target: Target) -> list[str]:
    return derive(declared, target)[1]


def readable(made: dict[str, Any]) -> dict[str, Any]:
    """What an object has of its own, with documents as maps."""
    metadata, parameters = made["metadata"], dict(made.get("spec", {}).get("forProvider", {}))
    parameters.pop("region", None)
    for field in JSON_FIELDS:
        if field in parameters:
            parameters[field] = json.loads(parameters[field])
    labels = {key: value for key, value in metadata["labels"].items() if key != "localcloud.dev/owner"}
    found = {
        "object": f"{made['kind']}/{metadata['name']}",
        "labels": labels,
        "annotations": metadata.get("annotations", {}),
        "parameters": parameters,
        "secret": made.get("spec", {}).get("writeConnectionSecretToRef"),
    }
    return {key: value for key, value in found.items() if value}


@pytest.mark.parametrize("case", MADE, ids=lambda case: case["title"])
def test_what_is_made(case: dict[str, Any]) -> None:
    target = Target(**{"region": "eu-central-1", "owner": "localcloud-1", **case.get("target", {})})
    assert problems(case["declared"], target) == []
    made = [readable(one) for one in manifests(case["declared"], target)]
    assert sorted(made, key=by_object) == sorted(case["made"], key=by_object)


def by_object(one: dict[str, Any]) -> str:
    return str(one["object"])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["title"])
def test_what_is_refused(case: dict[str, Any]) -> None:
    found = problems(case["declared"], Target(**{"region": "eu-central-1", **case.get("target", {})}))
    assert sorted(found) == sorted(case["problems"])


@pytest.mark.parametrize("case", MADE, ids=lambda case: case["title"])
def test_what_others_refer_to_is_declared_first(case: dict[str, Any]) -> None:
    target = Target(**{"region": "eu-central-1", "owner": "localcloud-1", **case.get("target", {})})
    seen: set[str] = set()
    for one in manifests({**case["declared"], "extra_manifests": []}, target):
        parameters = one["spec"]["forProvider"]
        references = {field: value["name"] for field, value in parameters.items() if field.endswith("Ref")}
        assert {name for field, name in references.items() if not field.endswith("SecretRef")} <= seen
        dead_letter = json.loads(parameters.get("redrivePolicy", "{}")).get("deadLetterTargetArn", "")
        assert "-dlq" not in dead_letter or dead_letter in seen
        seen |= {one["metadata"]["name"], target.arn("sqs", parameters.get("name", ""))}


def test_kinds_that_others_refer_to_are_removed_after_these() -> None:
    removed = [f"{service}/{kind}" for service, kind in REMOVAL]
    assert all(
        removed.index(kind.key) < removed.index(other) for kind in KINDS if kind.entry for other in kind.refers_to
    )


def test_everything_that_can_be_declared_is_made_by_a_known_kind() -> None:
    namespaced = replace(EMULATOR, scope="namespaced", namespace="shop")
    made = [
        one
        for target in (EMULATOR, namespaced)
        for case in MADE
        for one in manifests({**case["declared"], "extra_manifests": []}, target)
    ]
    assert {(one["apiVersion"], one["kind"]) for one in made} == {(one["api_version"], one["kind"]) for one in kinds()}
    assert {name for case in MADE for name in case["declared"]} == {*ENTRIES, "extra_manifests"}


@pytest.mark.parametrize("kind", ["iam/RolePolicyAttachment", "iam/UserPolicyAttachment", "sqs/Queue"])
def test_a_creation_of_unknown_end_is_begun_again_where_that_makes_no_second_one(kind: str) -> None:
    assert kind in NAMED_BY_US
    assert not {"kms/Key", "iam/AccessKey", "secretsmanager/SecretVersion"} & NAMED_BY_US


def test_every_object_is_ours_and_has_its_place() -> None:
    for one in [made for case in MADE for made in manifests(case["declared"], EMULATOR)]:
        assert one["metadata"]["labels"]["localcloud.dev/owner"] == "localcloud-1"
        assert one["spec"]["providerConfigRef"] == {"name": "default"}
        region = None if one["apiVersion"].startswith("iam.") else "eu-central-1"
        assert one["spec"]["forProvider"].get("region") == region


def test_queues_are_not_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sqs, "_given_up_to", lambda queue: asked.append(queue.name) or (queue.dead_letter_target,))
    names = [f"q{number}" for number in range(20)]
    manifests({"queues": [{"name": name} for name in names]}, EMULATOR)
    assert asked == names


def test_namespaced_kinds() -> None:
    target = Target(
        "eu-central-1", scope="namespaced", namespace="shop", prefix="b-", provider_config_kind="ProviderConfig"
    )
    declared = {"tables": [{"name": "Items", "hash_key": {"name": "Id", "type": "S"}, "ttl": {"attribute": "Until"}}]}
    assert problems(declared, target) == []
    (table,) = manifests(declared, target)
    assert table["apiVersion"] == "dynamodb.aws.m.upbound.io/v1beta1"
    assert (table["metadata"]["name"], table["metadata"]["namespace"]) == ("b-items", "shop")
    assert table["spec"]["providerConfigRef"] == {"kind": "ProviderConfig", "name": "default"}
    assert table["spec"]["forProvider"]["ttl"] == {"attributeName": "Until", "enabled": True}
    assert {"api_version": table["apiVersion"], "kind": "Table"} in kinds()


def test_a_secret_beside_namespaced_kinds_needs_no_namespace() -> None:
    declared = {"parameters": [{"name": "p", "type": "SecureString", "value_from_secret": {"name": "s", "key": "k"}}]}
    target = Target("eu-central-1", scope="namespaced", namespace="shop")
    assert problems(declared, target) == []
    assert manifests(declared, target)[0]["spec"]["forProvider"]["valueSecretRef"] == {"name": "s", "key": "k"}
    assert problems(declared, Target()) == ["aws_resources_parameters[0].value_from_secret.namespace: is missing"]


def test_real_aws_keeps_what_an_emulator_throws_away() -> None:
    declared = {"buckets": [{"name": "files"}], "secrets": [{"name": "password"}]}
    bucket, _block, secret = manifests(declared, Target("eu-central-1", "123456789012"))
    assert bucket["spec"]["forProvider"]["forceDestroy"] is False
    assert "recoveryWindowInDays" not in secret["spec"]["forProvider"]


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-central-1", "arn:aws:sqs:eu-central-1:123456789012:q"),
        ("cn-north-1", "arn:aws-cn:sqs:cn-north-1:123456789012:q"),
        ("us-gov-west-1", "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q"),
    ],
)
def test_arns_have_the_partition(region: str, arn: str) -> None:
    assert Target(region, "123456789012").arn("sqs", "q") == arn


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders", "orders"),
        ("Order_Items", "order-items"),
        ("/shop/db/url", "shop-db-url"),
        ("orders.fifo", "orders.fifo"),
        ("a-.-b", "a.b"),
        ("___", ""),
    ],
)
def test_object_names(name: str, expected: str) -> None:
    assert object_name(name) == expected


def test_long_names_stay_apart() -> None:
    first, second = object_name("/" + "a" * 400 + "/x"), object_name("/" + "a" * 400 + "/y")
    assert first != second
    assert len(first) == len(second) == 253


def test_kinds_of_extra_manifests_are_removed_first() -> None:
    extra = [{"apiVersion": "s3.aws.upbound.io/v1beta1", "kind": "Object", "metadata": {"name": "c"}}, "nonsense"]
    assert kinds(extra)[0] == {"api_version": "s3.aws.upbound.io/v1beta1", "kind": "Object"}
    assert len(kinds(extra)) == len(kinds()) + 1


def test_text_means_true_and_false_as_it_does_to_ansible() -> None:
    words = {one for one in convert_bool.BOOLEANS if isinstance(one, str)}
    assert {one: convert_bool.boolean(one) for one in words} == BOOLEANS


def test_a_value_is_never_in_a_message() -> None:
    declared = {
        "parameters": [
            {"name": "a", "type": "SecureString", "value": "s3cret-value"},
            {"name": "b", "value": {"x": "s3cret-value"}},
            {"name": "c", "value": "s3cret-value" * 1000},
            {"name": "d", "valeu": "s3cret-value"},
            "s3cret-value",
        ],
        "secrets": [{"name": "e", "value_from_secret": "s3cret-value"}, {"name": "f", "secret": "s3cret-value"}],
    }
    found = problems(declared, Target())
    assert len(found) >= 7
    assert "s3cret" not in "\n".join(found)
    assert all(len(one) < 400 for one in found)


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"k" * 129: "v"}, "must have 1 to 128 characters"),
        ({"k": "v" * 257}, "the value of 'k' has 257 characters; AWS takes 256"),
        ({f"k{number}": "v" for number in range(44)}, "with aws_resources_tags, has 46 tags; AWS takes 50"),
    ],
)
def test_tags_that_are_too_long_or_too_many(tags: dict[str, str], problem: str) -> None:
    found = problems({"topics": [{"name": "t", "tags": tags}]}, Target(tags={"a": "b", "c": "d"}))
    assert len(found) == 1
    assert found[0].startswith("aws_resources_topics[0].tags: ")
    assert problem in found[0]


@pytest.mark.parametrize(("tier", "limit"), [({}, 4096), ({"tier": "Advanced"}, 8192)], ids=["standard", "advanced"])
def test_a_parameters_value_has_its_tiers_limit(tier: dict[str, str], limit: int) -> None:
    entry = {"name": "p", **tier}
    assert problems({"parameters": [{**entry, "value": "x" * limit}]}, Target()) == []
    (found,) = problems({"parameters": [{**entry, "value": "x" * (limit + 1)}]}, Target())
    assert f"has {limit + 1} bytes; AWS takes 1 to {limit}" in found


def test_a_policy_has_its_services_limit() -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::" + "x" * 6144]}
    (found,) = problems({"policies": [{"name": "p", "policy": {"Statement": [statement]}}]}, Target())
    assert found.endswith("characters without spaces; AWS takes 6144")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_roles_readme_names_every_field(name: str) -> None:
    readme = Path(__file__).resolve().parents[5] / "roles/aws_resources/README.md"
    (row,) = [line for line in readme.read_text().splitlines() if line.startswith(f"| `{name}` |")]
    fields = set(ENTRIES[name].model_fields) - {"object_name", "adopt", "tags"}
    assert fields <= set(re.findall(r"`(\w+)`", row))


def test_a_table_whose_ttl_is_off_does_not_name_its_attribute() -> None:
    """The provider refuses that."""
    table = {"name": "abc", "hash_key": {"name": "Id", "type": "S"}, "ttl": {"attribute": "Until", "enabled": False}}
    (made,) = manifests({"tables": [table]}, Target("eu-central-1"))
    assert made["spec"]["forProvider"]["ttl"] == [{"enabled": False}]


# Each is in AWS's documentation, or was taken by the emulators.
@pytest.mark.parametrize(
    ("scope", "policy"),
    [
        (
            "MessageBody",
            {
                "state": ["SUCCESS"],
                "severity": [{"exists": True}],
                "message": [{"exists": True}],
                "finding": {"standard_control": [{"exists": True}], "region": [1], "account": [1]},
            },
        ),
        ("MessageBody", {"key_a": {"key_b": {"key_c": ["1", "2", "3", "4"]}}, "key_d": {"key_e": ["1", "2", "3"]}}),
        ("MessageAttributes", {"source": ["a"], "$or": [{f"k{one}": ["x"]} for one in range(5)]}),
        ("MessageAttributes", {"source": ["a"], "$or": [{"b": list(range(20))}, {"c": list(range(20))}]}),
    ],
)
def test_filters_that_aws_takes_are_taken(scope: str, policy: dict[str, Any]) -> None:
    subscription = {"topic": "t", "queue": "q", "filter_policy_scope": scope, "filter_policy": policy}
    declared = {"topics": [{"name": "t"}], "queues": [{"name": "q"}], "subscriptions": [subscription]}
    assert problems(declared, Target("eu-central-1")) == []


@pytest.mark.parametrize("key", ["localcloud.dev/owner", "LocalCloud.dev/Cluster"])
def test_tags_by_which_ownership_is_told_are_not_the_users(key: str) -> None:
    pipeline = {"apiVersion": "localcloud.dev/v1alpha1", "kind": "EventPipeline", "metadata": {"name": "p"}}
    user = {"apiVersion": "iam.aws.upbound.io/v1beta1", "kind": "User", "metadata": {"name": "u"}}
    declared = {
        "topics": [{"name": "t", "tags": {key: "x"}}],
        "buckets": [{"name": "files", "lifecycle": [{"id": "a", "tags": {key: "x"}, "expiration_days": 1}]}],
        "extra_manifests": [
            {**pipeline, "spec": {"tags": {key: "x"}}},
            {**user, "spec": {"forProvider": {"tags": {key: "x"}}}},
        ],
    }
    found = problems(declared, Target(tags={key: "x"}))
    assert [one.split(":")[0] for one in found] == [
        "aws_resources_tags",
        "aws_resources_topics[0].tags",
        "aws_resources_extra_manifests[0].spec.tags",
        "aws_resources_extra_manifests[1].spec.forProvider.tags",
    ]
    assert all("set by the role" in one for one in found)


@pytest.mark.parametrize("owner", ["-a", "a b", "a" * 64, "a/b"])
def test_an_owner_is_the_value_of_a_label(owner: str) -> None:
    (found,) = problems({"topics": []}, Target(owner=owner))
    assert found.startswith("aws_resources_owner: ")
    assert problems({"topics": []}, Target(owner="Shop_1.a-b")) == []


@pytest.mark.parametrize(("given", "account", "made"), [
    (None, "000000000000", True), (False, "000000000000", False), (True, "000000000000", True),
    (None, "123456789012", False), (False, "123456789012", False), (True, "123456789012", True),
])  # fmt: skip
def test_a_bucket_always_says_whether_it_goes_with_its_objects(given: bool | None, account: str, made: bool) -> None:
    entry = {"name": "files", **({} if given is None else {"force_destroy": given})}
    bucket = manifests({"buckets": [entry]}, Target("eu-central-1", account))[0]
    assert bucket["spec"]["forProvider"]["forceDestroy"] is made


def test_an_index_of_an_emulators_table_is_declared_without_limits() -> None:
    """Else LocalStack's DynamoDB and the provider never agree about one that is added later."""
    key = {"name": "A", "type": "S"}
    table = {"name": "abc", "hash_key": key, "global_indexes": [{"name": "by-A", "hash_key": key}]}
    unlimited = {"maxReadRequestUnits": -1, "maxWriteRequestUnits": -1}
    for target, expected in (
        (Target("eu-central-1"), [unlimited]),
        (Target("eu-central-1", scope="namespaced", namespace="shop"), unlimited),
        (Target("eu-central-1", account="123456789012"), None),
    ):
        (made,) = manifests({"tables": [table]}, target)
        assert made["spec"]["forProvider"]["globalSecondaryIndex"][0].get("onDemandThroughput") == expected


def test_the_provider_keeps_nothing_that_was_taken_out_of_the_newer_kinds() -> None:
    declared = {"log_groups": [{"name": "/shop"}], "topics": [{"name": "orders"}]}
    policies = {one["kind"]: one["spec"].get("managementPolicies") for one in manifests(declared, EMULATOR)}
    assert policies == {"Group": ["Observe", "Create", "Update", "Delete"], "Topic": None}


@given(
    st.dictionaries(
        st.text(alphabet='a%+\\"/é\u2028'),
        st.text(alphabet='a%+2B\\"é') | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.text()),
    )
)
def test_a_policy_of_iam_is_the_same_whether_it_is_decoded_or_not(document: dict[str, Any]) -> None:
    text = as_iam_json(document)
    assert json.loads(text) == document
    # What AWS encodes, and what an emulator leaves as it is, once the provider has decoded it.
    assert unquote_plus(quote_plus(text)) == text
    assert unquote_plus(text) == text


def test_policies_of_iam_are_written_so() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/50%25+1"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": "*"},
                "Condition": {"StringEquals": {"a": "b+%"}},
            }
        ]
    }
    declared = {
        "policies": [{"name": "p", "policy": policy}],
        "roles": [{"name": "r", "trust_policy": trust, "inline_policies": {"own": policy}}],
    }
    made, found = derive(declared, Target(region="eu-central-1", account="000000000000"))
    assert found == []
    texts = [one["spec"]["forProvider"].get(name) for one in made for name in ("policy", "assumeRolePolicy")]
    written = [text for text in texts if text]
    assert len(written) == 3
    assert not [text for text in written if "+" in text or "%" in text]
    assert json.loads(written[0]) == policy
