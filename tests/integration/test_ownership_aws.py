"""The role aws_resources in an account that others use too: what is theirs stays as it is, with its data, in any order of steps.

The provider must not repair by itself what these tests change: they pause the resources concerned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_declared import Tenant

THEIRS = {"localcloud.dev/owner": "billing", "localcloud.dev/cluster": "11111111-2222-3333-4444-555555555555"}
ITEM = {"Id": {"S": "keep"}}


@pytest.fixture
def tenant(stack: Any, tmp_path: Path) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path)
    yield one
    one.close()


@pytest.fixture
def neighbour(stack: Any, tmp_path: Path) -> Iterator[Tenant]:
    one = Tenant(stack, tmp_path)
    yield one
    one.close()


@pytest.fixture
def table(stack: Any) -> Iterator[Callable[..., str]]:
    """Make a table with an item and these tags, as others do it; its name. It goes with the test, if it is still there."""
    dynamodb, names = stack.client("dynamodb"), []

    def make(name: str, tags: dict[str, str]) -> str:
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        dynamodb.get_waiter("table_exists").wait(TableName=name)
        dynamodb.put_item(TableName=name, Item=ITEM)
        names.append(name)
        return name

    yield make
    for name in names:
        if name in dynamodb.list_tables()["TableNames"]:
            dynamodb.delete_table(TableName=name)
            dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def content(stack: Any, name: str) -> tuple[list[Any], dict[str, str]]:
    """A table's items and tags."""
    dynamodb = stack.client("dynamodb")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    return dynamodb.scan(TableName=name)["Items"], {one["Key"]: one["Value"] for one in tags}


def retag(stack: Any, name: str, tags: dict[str, str]) -> None:
    dynamodb = stack.client("dynamodb")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def declared(name: str, **fields: Any) -> dict[str, Any]:
    entry = {"name": name, "hash_key": {"name": "Id", "type": "S"}, "deletion_protection": False, **fields}
    return {"aws_resources_tables": [entry]}


def crossplane_tags(name: str) -> dict[str, str]:
    return {"crossplane-name": name, "crossplane-kind": "table.dynamodb.aws.upbound.io"}


def words(output: str) -> str:
    return " ".join(output.split())


def cluster_uid(stack: Any) -> str:
    found: str = stack.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    return found


def test_what_others_have_is_refused_at_once_and_stays(tenant: Tenant, table: Callable[..., str], later: Any) -> None:
    stack, sqs = tenant.stack, tenant.stack.client("sqs")
    # By Crossplane of another cluster for an object of the same name, by the role in another cluster, and by hand.
    first, second = f"{tenant.name}-first", f"{tenant.name}-second"
    table(first, crossplane_tags(first))
    table(second, {**crossplane_tags(second), **THEIRS})
    queue = sqs.create_queue(QueueName=f"{tenant.name}-jobs")["QueueUrl"]
    later(sqs.delete_queue, QueueUrl=queue)
    sqs.send_message(QueueUrl=queue, MessageBody="keep")
    before = [content(stack, first), content(stack, second)]
    wanted = {
        "aws_resources_tables": [*declared(first)["aws_resources_tables"], *declared(second)["aws_resources_tables"]],
        "aws_resources_queues": [{"name": f"{tenant.name}-jobs"}],
        "aws_resources_topics": [{"name": f"{tenant.name}-new"}],
    }

    for arguments in (("--check",), ()):
        refused = tenant.run(*arguments, **wanted)
        assert refused.code != 0
        said = words(refused.output)
        assert f"AWS has {first} already, and it has no tag localcloud.dev/owner; another Crossplane" in said
        assert (
            f"AWS has {second} already, and it has owner billing of cluster {THEIRS['localcloud.dev/cluster']}" in said
        )
        assert f"AWS has {tenant.name}-jobs already, and it has neither" in said
    # Nothing was declared, so nothing can be removed with it.
    assert stack.kubectl("get", "managed", "-l", f"localcloud.dev/owner={tenant.name}", "-o", "name") == ""
    assert tenant.run(entry="absent").code == 0
    assert [content(stack, first), content(stack, second)] == before
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert [one["Body"] for one in received] == ["keep"]


def test_exactly_what_is_adopted_is_taken_over_and_the_run_says_from_whom(
    tenant: Tenant, table: Callable[..., str]
) -> None:
    stack = tenant.stack
    name, other = f"{tenant.name}-mine", f"{tenant.name}-theirs"
    table(name, {**crossplane_tags(name), **THEIRS})
    table(other, {**crossplane_tags(other), **THEIRS})
    both = {
        "aws_resources_tables": [
            *declared(name, adopt=True)["aws_resources_tables"],
            *declared(other)["aws_resources_tables"],
        ]
    }
    refused = tenant.run(**both)
    assert refused.code != 0
    assert f"AWS has {other} already" in words(refused.output)
    assert f"AWS has {name} already" not in words(refused.output)

    adopted = tenant.run(**declared(name, adopt=True))
    assert adopted.code == 0, adopted.output
    assert f"{name} is taken over; until now it has owner billing of cluster" in words(adopted.output)
    items, tags = content(stack, name)
    assert (items, tags["localcloud.dev/owner"]) == ([ITEM], tenant.name)
    assert tags["localcloud.dev/cluster"] == cluster_uid(stack)
    assert content(stack, other)[1]["localcloud.dev/owner"] == "billing"

    again = tenant.run(**declared(name, adopt=True))
    assert (again.code, again.changed) == (0, []), again.output
    # By now it is ours, also without.
    again = tenant.run(**declared(name))
    assert (again.code, [one for one in again.changed if "Declare" not in one]) == (0, []), again.output
    assert tenant.run(entry="absent").code == 0
    assert name not in stack.client("dynamodb").list_tables()["TableNames"]
    assert content(stack, other)[0] == [ITEM]


def test_what_another_took_over_since_is_not_removed(tenant: Tenant, table: Callable[..., str], later: Any) -> None:
    stack, name = tenant.stack, f"{tenant.name}-data"
    done = tenant.run(**declared(name))
    assert done.code == 0, done.output
    stack.client("dynamodb").put_item(TableName=name, Item=ITEM)
    kind = f"tables.dynamodb.aws.upbound.io/{name}"
    stack.kubectl("annotate", kind, "crossplane.io/paused=true")
    retag(stack, name, THEIRS)
    before = content(stack, name)

    refused = tenant.run(**declared(name))
    assert refused.code != 0
    assert f"AWS has {name} already, and it has owner billing" in words(refused.output)
    pruned = tenant.run(aws_resources_topics=[{"name": f"{tenant.name}-new"}])
    assert pruned.code != 0
    assert f"Table/{name}: AWS has {name}, and it has owner billing" in words(pruned.output)
    for arguments in (("--check",), ()):
        removed = tenant.run(*arguments, entry="absent")
        assert removed.code != 0
        assert f"Table/{name}: AWS has {name}, and it has owner billing" in words(removed.output)
    assert stack.kubectl("get", kind, "-o", "jsonpath={.metadata.deletionTimestamp}") == ""
    assert content(stack, name) == before

    # The way on that leaves it to its new owner.
    stack.kubectl("patch", kind, "--type=merge", "-p", '{"spec": {"deletionPolicy": "Orphan"}}')
    left = tenant.run(
        entry="absent", meanwhile=lambda _output: stack.kubectl("annotate", kind, "crossplane.io/paused-")
    )
    assert left.code == 0, left.output
    assert content(stack, name)[0] == [ITEM]
    stack.client("dynamodb").delete_table(TableName=name)
    stack.client("dynamodb").get_waiter("table_not_exists").wait(TableName=name)


def test_two_playbooks_without_an_owner_do_not_remove_each_others_resources(tenant: Tenant) -> None:
    stack = tenant.stack
    first = {"aws_resources_topics": [{"name": f"{tenant.name}-first"}], "aws_resources_owner": ""}
    second = {"aws_resources_topics": [{"name": f"{tenant.name}-second"}], "aws_resources_owner": ""}
    for lists in (first, second, first, second):
        done = tenant.run(**lists)
        assert done.code == 0, done.output
    assert len([one for one in done.result["found"]["topics"] if one["name"].startswith(tenant.name)]) == 2
    assert tenant.run(**first).changed == []
    refused = tenant.run(entry="absent", aws_resources_owner="")
    assert refused.code != 0
    owner = stack.kubectl(
        "get",
        f"topics.sns.aws.upbound.io/{tenant.name}-first",
        "-o",
        r"jsonpath={.metadata.labels.localcloud\.dev/owner}",
    )
    assert f"shares the owner {owner}." in words(refused.output)
    topics = stack.client("sns").list_topics()["Topics"]
    assert len([one for one in topics if tenant.name in one["TopicArn"]]) == 2
    # Given, it is removed.
    gone = tenant.run(entry="absent", aws_resources_owner=owner)
    assert gone.code == 0, gone.output


@pytest.mark.nightly
def test_two_owners_come_change_and_go_in_any_order(tenant: Tenant, neighbour: Tenant) -> None:
    for one, other in ((tenant, neighbour), (neighbour, tenant)):
        assert one.run(**declared(f"{one.name}-data")).code == 0
        assert other.run(**declared(f"{other.name}-data")).code == 0
        taken = other.run(**declared(f"{one.name}-data"))
        assert taken.code != 0
        assert one.run(**declared(f"{one.name}-data", tags={"team": "a"})).code == 0
        assert other.run("--check", **declared(f"{other.name}-data")).changed == []
        assert other.run(entry="absent").code == 0
        again = one.run(**declared(f"{one.name}-data", tags={"team": "a"}))
        assert (again.code, again.changed) == (0, []), again.output
        assert one.run(entry="absent").code == 0


def test_what_was_made_without_our_tags_is_ours_and_gets_them(tenant: Tenant) -> None:
    stack, name = tenant.stack, f"{tenant.name}-data"
    assert tenant.run(**declared(name)).code == 0
    kind = f"tables.dynamodb.aws.upbound.io/{name}"
    # As an older version of the collection made it.
    stack.kubectl("annotate", kind, "crossplane.io/paused=true")
    gone = [{"op": "remove", "path": f"/spec/forProvider/tags/localcloud.dev~1{one}"} for one in ("owner", "cluster")]
    stack.kubectl("patch", kind, "--type=json", "-p", str(gone).replace("'", '"'))
    dynamodb = stack.client("dynamodb")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=list(THEIRS))
    stack.kubectl("annotate", kind, "crossplane.io/paused-")
    changed = tenant.run(**declared(name))
    assert (changed.code, len(changed.changed)) == (0, 1), changed.output
    assert content(stack, name)[1]["localcloud.dev/owner"] == tenant.name
    again = tenant.run(**declared(name))
    assert (again.code, again.changed) == (0, []), again.output


@pytest.mark.nightly
def test_a_creation_of_unknown_end_that_others_made_is_refused(tenant: Tenant, later: Any, eventually: Any) -> None:
    stack, sqs, queue = tenant.stack, tenant.stack.client("sqs"), f"{tenant.name}-jobs"
    wanted = {"aws_resources_queues": [{"name": queue}]}
    assert tenant.run(**wanted).code == 0
    tenant.annotate(queue, "crossplane.io/paused=true")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    tags = {**sqs.list_queue_tags(QueueUrl=url)["Tags"], **THEIRS}
    sqs.untag_queue(QueueUrl=url, TagKeys=list(THEIRS))
    sqs.tag_queue(QueueUrl=url, Tags=tags)
    stack.kubectl("annotate", f"queues.sqs.aws.upbound.io/{queue}", "crossplane.io/external-create-succeeded-")
    tenant.lose(queue)
    tenant.annotate(queue, "crossplane.io/paused-")
    eventually(lambda: tenant.is_lost(queue))
    refused = tenant.run(**wanted)
    assert refused.code != 0
    assert "and it has owner billing" in words(refused.output)
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == tags
    adopted = tenant.run(**{"aws_resources_queues": [{"name": queue, "adopt": True}]})
    assert adopted.code == 0, adopted.output
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["localcloud.dev/owner"] == tenant.name


@pytest.mark.nightly
def test_a_bucket_that_may_not_be_emptied_any_more_is_kept(tenant: Tenant) -> None:
    s3, name = tenant.stack.client("s3"), f"{tenant.name}-files"
    bucket = {"name": name, "deletion_protection": False}
    assert tenant.run(aws_resources_buckets=[bucket]).code == 0
    s3.put_object(Bucket=name, Key="keep", Body=b"x")
    changed = tenant.run(aws_resources_buckets=[{**bucket, "force_destroy": False}])
    assert changed.code == 0, changed.output
    kept = tenant.run(aws_resources_buckets=[], aws_resources_timeout=30)
    assert kept.code != 0
    assert "BucketNotEmpty" in kept.output
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"]] == ["keep"]
    s3.delete_object(Bucket=name, Key="keep")
