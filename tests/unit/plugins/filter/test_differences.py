"""What keeps a difference from being carried out."""

from __future__ import annotations

from typing import Any

from ansible_collections.localcloud.stack.plugins.filter.differences import difference_problems

TOPIC = {"api_version": "sns.aws.upbound.io/v1beta1", "kind": "Topic", "name": "orders"}
NAMESPACED = {"api_version": "sns.aws.m.upbound.io/v1beta1", "kind": "Topic", "name": "orders", "namespace": "shop"}


def found(**lists: Any) -> dict[str, Any]:
    return {
        **{
            name: []
            for name in (
                "missing",
                "existing",
                "foreign",
                "orphaned",
                "modified",
                "drifted",
                "deleted",
                "not_clearable",
                "unlisted_services",
            )
        },
        **lists,
    }


def test_nothing_is_wrong_with_new_and_orphaned_objects() -> None:
    other = {**TOPIC, "name": "old", "protected": False}
    assert difference_problems(found(missing=[TOPIC], orphaned=[other])) == []


def test_a_resource_does_not_change_its_scope_in_place() -> None:
    """The old object's removal would take what the new one has just taken over."""
    before = {**TOPIC, "protected": False}
    (problem,) = difference_problems(found(missing=[NAMESPACED], orphaned=[before]))
    assert problem.startswith("Topic/orders: in the cluster, but of another scope or namespace than declared")
    existing = {
        **NAMESPACED,
        "held_by": "it has owner shop",
        "external_name": "arn:aws:sns:eu-central-1:000000000000:orders",
    }
    assert difference_problems(found(existing=[existing], orphaned=[before]), prune=False) == [problem]


def test_what_aws_cannot_change_is_named_with_both_values() -> None:
    field = {"path": "spec.forProvider.fifoTopic", "where": "spec", "before": False, "after": True}
    (problem,) = difference_problems(found(modified=[{**TOPIC, "fields": [{**field, "immutable": True}]}]))
    assert problem.startswith(
        "Topic/orders: AWS can't change spec.forProvider.fifoTopic: false -> true of what is there"
    )
    assert difference_problems(found(modified=[{**TOPIC, "fields": [{**field, "immutable": False}]}])) == []


def test_what_holds_data_is_not_pruned() -> None:
    table = {"api_version": "dynamodb.aws.upbound.io/v1beta1", "kind": "Table", "name": "orders", "protected": True}
    (problem,) = difference_problems(found(orphaned=[table]))
    assert "no longer declared, but holds data" in problem
    assert difference_problems(found(orphaned=[table]), prune=False) == []
    assert difference_problems(found(orphaned=[table]), protect=False) == []


def test_what_was_made_again_in_aws_with_another_key_is_refused() -> None:
    field = {"path": "hashKey", "where": "aws", "before": "Other", "after": "Id", "immutable": True}
    (problem,) = difference_problems(found(drifted=[{**TOPIC, "fields": [field]}]))
    assert problem.startswith('Topic/orders: AWS can\'t change hashKey: "Other" -> "Id" of what is there')


def test_a_name_that_aws_keeps_for_what_was_deleted_is_refused_with_the_ways_on() -> None:
    kept = {**TOPIC, "kind": "Secret", "external_name": "orders/db", "date": "2026-12-05T10:00:00Z"}
    (problem,) = difference_problems(found(deleted=[kept]))
    assert "until 2026-12-05T10:00:00Z" in problem
    assert "restore-secret --secret-id orders/db" in problem
    assert "--force-delete-without-recovery --secret-id orders/db" in problem


def test_what_others_own_in_aws_is_refused_with_its_holder() -> None:
    theirs = {**TOPIC, "external_name": "orders", "held_by": "it has owner shop of cluster c"}
    (problem,) = difference_problems(found(existing=[theirs]))
    assert problem.startswith("Topic/orders: AWS has orders already, and it has owner shop of cluster c;")
    assert "adopt: true" in problem


def test_what_others_took_over_is_not_pruned() -> None:
    row = {**TOPIC, "protected": False}
    one = found(orphaned=[row], held_by_others=["Topic/orders: AWS has orders, and it has owner shop"])
    (problem,) = difference_problems(one)
    assert "owner shop" in problem
    assert "Orphan" in problem
    assert difference_problems(one, prune=False) == []


def test_what_nobody_can_take_away_is_refused() -> None:
    (problem,) = difference_problems(found(not_clearable=[{**TOPIC, "kind": "Queue", "field": "redrivePolicy"}]))
    assert problem.startswith("Queue/orders: the provider has no way to take redrivePolicy away in AWS")
