"""Only what is ours in AWS is changed, adopted or removed, whatever else is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Observed
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import (
    Case,
    Holder,
    Identity,
    deletes_in_aws,
    holders,
    is_ours,
    marked,
    names_another,
    parent_of,
    removal_problems,
)
from hypothesis import given
from hypothesis import strategies as st

US = Identity("shop", "cluster-1")
CROSSPLANE = {"crossplane-name": "orders", "crossplane-kind": "table.dynamodb.aws.upbound.io"}
OURS = {**CROSSPLANE, **US.tags}
CREATED = {"crossplane.io/external-create-succeeded": "2026-01-01T00:00:00Z"}


def managed(kind: str = "Table", service: str = "dynamodb", name: str = "orders", **parameters: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{service}.aws.upbound.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "annotations": {"crossplane.io/external-name": name}},
        "spec": {"forProvider": {"region": "eu-central-1", **parameters}},
    }


def aws_with(**found: Any) -> Any:
    """AWS that has these resources, by the name of each; what was asked for is in C(asked)."""

    def observe(resources: Sequence[ExternalResource]) -> Observed:
        observe.asked += [one.kind for one in resources]  # type: ignore[attr-defined]
        return Observed([found.get(one.external_name) for one in resources], [])

    observe.asked = []  # type: ignore[attr-defined]
    return observe


TAGS = st.fixed_dictionaries(
    {},
    optional={
        "localcloud.dev/owner": st.sampled_from(["shop", "billing", ""]),
        "localcloud.dev/cluster": st.sampled_from(["cluster-1", "cluster-2", ""]),
        "crossplane-name": st.sampled_from(["orders", "invoices"]),
        "crossplane-kind": st.sampled_from(["table.dynamodb.aws.upbound.io", "topic.sns.aws.upbound.io"]),
        "team": st.just("a"),
    },
)


@given(tags=TAGS, live=st.booleans(), finished=st.booleans())
def test_nobody_else_has_only_what_is_ours(tags: dict[str, str], live: bool, finished: bool) -> None:
    obj = managed()
    (holder,) = holders([Case(obj, obj if live else None, finished)], [{"tags": tags}], US, None)
    ours = {name: tags.get(name) for name in OURS} == OURS
    named = tags.get("localcloud.dev/owner") or tags.get("localcloud.dev/cluster")
    if live and finished and not named:
        # As an older version made it: Crossplane's name and kind, or none at all.
        assert (holder is None) == ("crossplane-name" not in tags or CROSSPLANE.items() <= tags.items())
    elif live and finished:
        assert (holder is None) == (US.tags.items() <= tags.items())
    else:
        assert (holder is None) == ours
    if holder:
        assert holder.external_name == "orders"
        assert (holder.owner, holder.cluster) == (
            tags.get("localcloud.dev/owner", ""),
            tags.get("localcloud.dev/cluster", ""),
        )
        assert holder.described(US)


@given(st.lists(st.tuples(TAGS, st.booleans()), max_size=8))
def test_nothing_of_others_is_removed(resources: list[tuple[dict[str, str], bool]]) -> None:
    objects = [managed(name=f"r{index}") for index in range(len(resources))]
    for obj, (_tags, orphaned) in zip(objects, resources, strict=True):
        obj["spec"]["deletionPolicy"] = "Orphan" if orphaned else "Delete"
    answers = {f"r{index}": {"tags": tags} for index, (tags, _orphaned) in enumerate(resources)}
    problems = removal_problems(objects, US, aws_with(**answers))
    others = [
        f"Table/r{index}"
        for index, (tags, orphaned) in enumerate(resources)
        if not orphaned and names_another(tags, objects[index], US)
    ]
    assert [one.split(":")[0] for one in problems] == others


@given(TAGS)
def test_what_names_somebody_else_is_never_ours(tags: dict[str, str]) -> None:
    assert not (is_ours(tags, managed(), US) and names_another(tags, managed(), US))
    if tags.get("localcloud.dev/owner", "shop") != "shop" or tags.get("localcloud.dev/cluster", "") == "cluster-2":
        assert not is_ours(tags, managed(), US)
        if tags.get("localcloud.dev/owner") or tags.get("localcloud.dev/cluster"):
            assert names_another(tags, managed(), US)


def test_without_an_owner_nothing_is_ours() -> None:
    nobody = Identity("", "cluster-1")
    assert not is_ours({**CROSSPLANE, **nobody.tags}, managed(), nobody)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"localcloud.dev/owner": "billing", "localcloud.dev/cluster": "cluster-2"}, "owner billing of cluster cluster-2"),
        ({"localcloud.dev/owner": "billing", "localcloud.dev/cluster": "cluster-1"}, "owner billing of this cluster"),
        ({"localcloud.dev/owner": "shop", "localcloud.dev/cluster": "cluster-2"}, "our owner shop, but cluster cluster-2"),
        (CROSSPLANE, "made it for table.dynamodb.aws.upbound.io/orders"),
        ({"team": "a"}, "by hand or by another tool"),
    ],
)  # fmt: skip
def test_a_holder_is_told_by_its_tags(tags: dict[str, str], said: str) -> None:
    assert said in Holder.of(tags, "orders").described(US)


def test_a_part_belongs_to_what_it_is_a_part_of() -> None:
    policy = managed("BucketPolicy", "s3", bucket="files")
    theirs = aws_with(files={"tags": {"localcloud.dev/owner": "billing"}})
    (holder,) = holders([Case(policy, None)], [{"policy": "{}"}], US, theirs)
    assert holder and "s3/Bucket files, of which it is a part, has owner billing" in holder.described(US)
    assert holders([Case(policy, None)], [{"policy": "{}"}], US, aws_with(files={"tags": US.tags})) == [None]
    # A part that is not there yet, or whose whole is declared too, needs no look.
    asked = aws_with()
    assert holders([Case(policy, None)], [None], US, asked) == [None]
    whole = managed("Bucket", "s3", "files")
    cases = [Case(whole, None), Case(policy, None)]
    found = holders(cases, [{"tags": {}}, {"policy": "{}"}], US, asked)
    assert [bool(one) for one in found] == [True, False]
    assert asked.asked == []


def test_an_alias_belongs_to_the_key_that_it_leads_to() -> None:
    alias = managed("Alias", "kms", "alias/data")
    aws = aws_with(key1={"tags": {"localcloud.dev/owner": "billing"}})
    (holder,) = holders([Case(alias, None)], [{"targetKeyId": "key1"}], US, aws)
    assert holder and "owner billing" in holder.described(US)


@pytest.mark.parametrize(
    ("kind", "parameters", "whole"),
    [
        ("s3/BucketLifecycleConfiguration", {"bucket": "files"}, ("s3/Bucket", "files")),
        ("sqs/QueuePolicy", {"queueUrl": "http://sqs/0/jobs"}, ("sqs/Queue", "jobs")),
        ("secretsmanager/SecretVersion", {"secretId": "s"}, ("secretsmanager/Secret", "s")),
        ("iam/RolePolicy", {"role": "r"}, ("iam/Role", "r")),
        ("iam/UserPolicy", {"user": "u"}, ("iam/User", "u")),
        ("iam/RolePolicyAttachment", {"role": "r"}, None),
        ("sns/TopicSubscription", {"topicArn": "arn:t"}, None),
        ("dynamodb/Table", {}, None),
        ("s3/BucketPolicy", {}, None),
    ],
)
def test_what_a_part_belongs_to(kind: str, parameters: dict[str, str], whole: tuple[str, str] | None) -> None:
    found = parent_of(ExternalResource(kind, "", parameters), {})
    assert (found and (found.kind, found.external_name)) == whole


def test_a_part_of_what_another_took_over_is_not_removed() -> None:
    policy = managed("BucketPolicy", "s3", bucket="files")
    (problem,) = removal_problems([policy], US, aws_with(files={"tags": {"localcloud.dev/owner": "billing"}}))
    assert problem.startswith(
        "BucketPolicy/orders: AWS has orders, and s3/Bucket files, of which it is a part, has owner"
    )
    assert removal_problems([policy], US, aws_with(files={"tags": {}})) == []


def test_what_crossplane_saw_last_counts_where_aws_is_not_asked() -> None:
    obj = {**managed(), "status": {"atProvider": {"tags": {"localcloud.dev/owner": "billing"}}}}
    assert "owner billing" in removal_problems([obj], US, None)[0]
    # A kind without a reader.
    assert "owner billing" in removal_problems([obj], US, aws_with(orders={}))[0]
    assert removal_problems([obj], US, aws_with(orders={"tags": OURS})) == []
    assert removal_problems([obj], US, aws_with()) == []


@pytest.mark.parametrize(
    ("spec", "deletes"),
    [
        ({}, True),
        ({"deletionPolicy": "Orphan"}, False),
        ({"managementPolicies": ["Observe", "Update"]}, False),
        ({"managementPolicies": ["*"]}, True),
        ({"managementPolicies": ["Delete", "Observe"]}, True),
        ({"managementPolicies": ["*"], "deletionPolicy": "Orphan"}, False),
        # Crossplane looks at one of the two only.
        ({"managementPolicies": ["Delete", "Observe"], "deletionPolicy": "Orphan"}, True),
    ],
)
def test_what_aws_keeps_is_not_looked_at(spec: dict[str, Any], deletes: bool) -> None:
    assert deletes_in_aws({**managed(), "spec": spec}) is deletes


def test_our_tags_go_over_the_users_where_a_kind_has_tags() -> None:
    table, subscription = managed(tags={"team": "a"}), managed("TopicSubscription", "sns")
    user = managed("User", "iam")
    pipeline = {"apiVersion": "localcloud.dev/v1alpha1", "kind": "EventPipeline", "metadata": {"name": "p"}}
    other = {"apiVersion": "example.org/v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"forProvider": {}}}
    found = marked([table, subscription, user, pipeline, other], US, lambda one: one["kind"] == "User")
    assert found[0]["spec"]["forProvider"]["tags"] == {"team": "a", **US.tags}
    assert found[1] == subscription
    assert found[2]["spec"]["forProvider"]["tags"] == US.tags
    assert found[3]["metadata"]["labels"] == {"localcloud.dev/cluster": "cluster-1"}
    assert found[4] == other
    assert marked(found, US, lambda one: False) == found


@pytest.mark.parametrize("kind", ["v1/Service", "apps/v1/StatefulSet", "networking.k8s.io/v1/NetworkPolicy"])
def test_an_object_of_kubernetes_itself_belongs_to_no_resource(kind: str) -> None:
    assert parent_of(ExternalResource(kind, "", {}), {}) is None
