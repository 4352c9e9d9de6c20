"""Each field of each kind, live: set, changed, changed back behind Crossplane's back, taken out, set again, deleted in AWS.

What is to change is derived from the declarations alone; whether AWS has it is asked by the role's readers, and of some fields by boto3.
All fields change in one run, as each run waits for the provider. It pauses where it could repair by itself what a test is to see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration import aws_by_boto3, every_field
from tests.integration.every_field import CHANGED, ENTRIES, SET, TAKEN_OUT, Lists
from tests.integration.test_declared import Tenant

# Nothing is waited for and nothing removed.
ONLY_DECLARED = {"aws_resources_wait": False, "aws_resources_prune": False}


class Declaring:
    """A tenant that declares all lists which the engine can make, in one stage after the other."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.aws, self.name = tenant, tenant.stack.client, tenant.name
        self.without = not_offered(self.aws)
        self.before: Lists = {}

    def lists(self, stage: int) -> Lists:
        return every_field.declared(self.name, stage, self.without)

    def run(self, lists: Lists, *arguments: str, **settings: Any) -> Any:
        done = self.tenant.run(*arguments, aws_resources_timeout=300, **settings, **variables(lists))
        assert done.code == 0, done.output
        return done

    def check(self, lists: Lists) -> dict[str, Any]:
        """What the role finds different; something is."""
        assert self.tenant.run(entry="check", **variables(lists)).code != 0
        predicted = self.run(lists, "--check")
        assert predicted.changed != []
        difference: dict[str, Any] = predicted.result["difference"]
        return difference

    def reach(self, stage: int) -> None:
        """Declare a stage. The run before said what changes, AWS has it, and the next run changes nothing."""
        lists = self.lists(stage)
        predicted = self.run(lists, "--check")
        if self.before:
            told, expected = every_field.told(predicted.result["difference"]), every_field.expected(self.before, lists)
            assert every_field.without_kept(told, self.before) == every_field.without_kept(expected, self.before)
        assert (predicted.changed != []) is (self.run(lists).changed != []) is True
        self.before = lists
        self.assert_whole(stage)

    def assert_whole(self, stage: int) -> None:
        assert aws_by_boto3.wrong(self.aws, self.name, stage) == {}
        again = self.run(self.lists(stage))
        assert again.changed == [], again.result["difference"]["report"]
        assert again.result["difference"]["unobserved"] == []

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The provider leaves alone what was declared last."""
        kubectl, names = self.tenant.stack.kubectl, every_field.names(self.before)
        reason = "jsonpath={.status.conditions[?(@.type=='Synced')].reason}=ReconcilePaused"
        try:
            kubectl("annotate", "--overwrite", *names, "crossplane.io/paused=true")
            kubectl("wait", *names, f"--for={reason}", "--timeout=60s")
            yield
        finally:
            kubectl("annotate", *names, "crossplane.io/paused-")


def variables(lists: Lists) -> Lists:
    return {f"aws_resources_{kind}": entries for kind, entries in lists.items()}


NOBODY = "localcloud-nobody"
ISSUER = f"arn:aws:iam::{aws_by_boto3.ACCOUNT}:oidc-provider/{NOBODY}"
# By list, or list.field, a request that an engine without it does not know.
NEEDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "streams": ("kinesis", "list_streams", {}),
    "alarms": ("cloudwatch", "describe_alarms", {}),
    "users.path": ("iam", "update_user", {"UserName": NOBODY}),
    "oidc_providers.thumbprints": (
        "iam",
        "update_open_id_connect_provider_thumbprint",
        {"OpenIDConnectProviderArn": ISSUER, "ThumbprintList": ["0" * 40]},
    ),
    "oidc_providers.tags": ("iam", "tag_open_id_connect_provider", {"OpenIDConnectProviderArn": ISSUER, "Tags": []}),
}


def not_offered(aws: Any) -> frozenset[str]:
    """What the engine can't do: LocalStack's built here has no kinesis-local, MiniStack no CloudWatch and no UpdateUser."""

    def is_offered(service: str, operation: str, arguments: dict[str, Any]) -> bool:
        try:
            getattr(aws(service), operation)(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"] == "NoSuchEntity"
        return True

    return frozenset(what for what, request in NEEDS.items() if not is_offered(*request))


@pytest.fixture(scope="module")
def declaring(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Declaring]:
    tenant = Tenant(stack, tmp_path_factory.mktemp("changes"))
    yield Declaring(tenant)
    aws_by_boto3.unprotect(stack.client, tenant.name)
    tenant.close()


def test_a_stage_changes_each_field() -> None:
    """Else the stages would show less than they seem to."""
    stages = [every_field.declared("n", stage) for stage in (SET, CHANGED, TAKEN_OUT)]
    for kind, entries in ENTRIES.items():
        for number, one in enumerate(entries):
            for field in {*one.get("stages", {}), *one.get("then", {})}:
                values = [stage[kind][number].get(field) for stage in stages]
                assert any(value != values[0] for value in values), (kind, field)


@pytest.mark.nightly
@pytest.mark.parametrize("stage", [SET, CHANGED], ids=["set", "changed"])
def test_a_run_says_what_changes_and_the_next_one_changes_nothing(declaring: Declaring, stage: int) -> None:
    declaring.reach(stage)


@pytest.mark.nightly
def test_a_kind_of_two_versions_is_converted(declaring: Declaring) -> None:
    """A block is a list of one in v1beta1, a map in v1beta2; the provider itself reads buckets, which are referred to, in the newer one."""
    kubectl, name = declaring.tenant.stack.kubectl, declaring.name
    versions = [
        json.loads(kubectl("get", f"bucketversionings.{version}.s3.aws.upbound.io/{name}", "-o", "json"))
        for version in ("v1beta1", "v1beta2")
    ]
    enabled = {"status": "Enabled"}
    assert [one["spec"]["forProvider"]["versioningConfiguration"] for one in versions] == [[enabled], enabled]
    # As a manifest for the public provider has it.
    wanted = {
        "apiVersion": "s3.aws.upbound.io/v1beta2",
        "kind": "Object",
        "metadata": {"name": name},
        "spec": {
            "forProvider": {
                "region": aws_by_boto3.REGION,
                "key": "k",
                "content": "c",
                "forceDestroy": True,
                "bucketRef": {"name": name},
            },
            "providerConfigRef": versions[0]["spec"]["providerConfigRef"],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(wanted))
    try:
        kubectl("wait", f"objects.v1beta1.s3.aws.upbound.io/{name}", "--for=condition=Ready", "--timeout=90s")
    finally:
        kubectl("delete", f"objects.s3.aws.upbound.io/{name}", "--timeout=90s")


@pytest.mark.nightly
def test_what_is_changed_behind_crossplanes_back_is_named_and_repaired(declaring: Declaring) -> None:
    """AWS has the changed fields, which the objects know nothing of: they were declared as before while the provider paused."""
    lists = declaring.lists(SET)
    with declaring.paused():
        declared = declaring.run(lists, **ONLY_DECLARED)
        found = every_field.drifted(declaring.check(lists), where=("aws", "provider"))
    # The role itself has changed in AWS what the provider has no way to take away.
    cleared = {(one["kind"], one["name"], one["field"]) for one in declared.result["difference"]["to_clear"]}
    expected = every_field.observed(every_field.expected(declaring.before, lists))
    unseen = {
        (*key, field) for key, fields in expected.items() for field in (fields or set()) - (found.get(key) or set())
    }
    assert unseen - cleared == set()
    declaring.run(lists)
    declaring.before = lists
    declaring.assert_whole(SET)


@pytest.mark.nightly
@pytest.mark.parametrize("stage", [TAKEN_OUT, SET], ids=["taken out", "set again"])
def test_what_is_taken_out_goes_and_comes_again(declaring: Declaring, stage: int) -> None:
    declaring.reach(stage)


@pytest.mark.nightly
def test_what_is_deleted_behind_crossplanes_back_is_named_and_comes_back_whole(declaring: Declaring) -> None:
    lists = declaring.lists(SET)
    keys = {one for one in every_field.objects(lists) if one[0].startswith("kms/")}
    with declaring.paused():
        aws_by_boto3.delete_everything(declaring.aws, declaring.name, set(lists))
        assert every_field.gone(declaring.check(lists)) == every_field.objects(lists).keys() - keys
    declaring.run(lists)
    declaring.assert_whole(SET)


@pytest.mark.nightly
def test_what_aws_cannot_change_back_is_refused_at_once(declaring: Declaring) -> None:
    """The same table, made again with another key."""
    dynamodb, name = declaring.aws("dynamodb"), declaring.name
    aws_by_boto3.unprotect(declaring.aws, name)
    dynamodb.delete_table(TableName=name)
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Other", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Other", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "crossplane-name", "Value": name}],
    )
    refused = declaring.tenant.run(**variables(declaring.lists(SET)))
    dynamodb.delete_table(TableName=name)
    assert (refused.code != 0, refused.changed) == (True, []), refused.output
    assert "Nothing was changed" in refused.output
