# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that the provider has no way to take away in AWS: which of them are to go, and how AWS does it.

Terraform keeps the value of a field that is "optional and computed" when it is no longer configured, and the provider then
writes it into the object again. A queue's policies can be emptied by no value, as SQS wants an empty text there, which
Terraform takes for none, as it does a key's empty description; for the provider TTL may be off only without an attribute, for
AWS only with one. A table's indexes are kept in the object, whose key attributes are then no longer declared, which the
provider refuses. A subscription's redrive policy can be taken away in AWS, but not in LocalStack, which refuses an empty one (4.14.0,
findings/localstack-subscription-redrive.sh): there the subscription goes, and the provider makes it again. A rule's description goes in AWS when the
provider leaves it out, but not in MiniStack (1.5.33), which keeps what a request does not have.

A tag is taken away by the provider, but where another one has an empty value: then Terraform plans C(tags_all) as unknown, and what is no
longer configured is worked out from a raw state that the provider does not fill (C(tagsUpdateFunc) of terraform-provider-aws 5.74). The tag
stays, and the update of a key waits for ten minutes until it is gone.
"""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError, error_code
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import CLIENTS
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.endpoint import EMULATED_ACCOUNT

Json = dict[str, t.Any]
# A client, an ARN and a tag's key.
Untag = t.Callable[[t.Any, str, str], None]
TAG = "tags."
# That DynamoDB may take to delete an index.
INDEX_SECONDS = 300


class Setting(t.NamedTuple):
    """One field of a resource in AWS: service and kind, the name by which AWS knows it, region (empty: the connection's).

    A tag is C(tags.KEY), and its resource is named by the ARN.
    """

    kind: str
    name: str
    region: str
    field: str


def to_clear(declared: Json, owned: Json, resource: ExternalResource, aws: Json | None) -> list[Setting]:
    """What AWS still has of these fields, though it is no longer declared.

    C(owned) has the fields of spec.forProvider that we applied, as managedFields name them.
    """
    stays = {field: stays for (kind, field), (stays, _clear) in CLEARED.items() if kind == resource.kind}
    return [
        Setting(resource.kind, _name(resource), str(resource.parameters.get("region") or ""), field)
        for field, stays_declared in stays.items()
        if (field in declared or f"f:{field}" in owned)
        and (aws or {}).get(field)
        and not stays_declared(declared.get(field), (aws or {})[field])
    ]


def _name(resource: ExternalResource) -> str:
    """As C(Setting) has it: a rule with its bus before it, a queue without what its URL has before it."""
    if resource.kind == "cloudwatchevents/Rule":
        return f"{resource.parameters.get('eventBusName') or 'default'}/{resource.external_name}"
    return str(resource.parameters.get("name") or resource.external_name).rsplit("/", 1)[-1]


def tags_to_clear(declared: Json, owned: Json, kind: str, arn: str, region: str, aws: Json | None) -> list[Setting]:
    """The tags that AWS still has, though they are no longer declared, where the provider would leave them there.

    C(owned) as in C(to_clear); the resource is named by its ARN.
    """
    wanted = declared.get("tags") or {}
    if not arn or _untagging(kind) is None or "" not in wanted.values():
        return []
    ours = (one.partition(":")[2] for one in owned.get("f:tags") or {} if one.startswith("f:"))
    return [
        Setting(kind, arn, region, f"{TAG}{key}")
        for key in ours
        if key not in wanted and key in ((aws or {}).get("tags") or {})
    ]


def is_known(kind: str, field: str) -> bool:
    """Whether there is a way to clear this field."""
    return (kind, field) in CLEARED or (field.startswith(TAG) and _untagging(kind) is not None)


def clear(clients: Clients, settings: t.Iterable[Setting], check_mode: bool) -> list[Setting]:
    """Take them away; which ones were there. Raises AwsError."""
    cleared = []
    for one in settings:
        client = clients.get(CLIENTS[one.kind.split("/")[0]], one.region or None)
        with aws_errors(f"clearing {one.field} of {one.kind} {one.name}", clients.connection.endpoint_url):
            if _work(one)(client, one, check_mode):
                cleared.append(one)
    return cleared


def _work(one: Setting) -> t.Callable[[t.Any, Setting, bool], bool]:
    return _untag if one.field.startswith(TAG) else CLEARED[one.kind, one.field][1]


def _untag(client: t.Any, one: Setting, check_mode: bool) -> bool:
    untag = _untagging(one.kind)
    if untag is not None and not check_mode:
        untag(client, one.name, one.field.removeprefix(TAG))
    return True


def _untagging(kind: str) -> Untag | None:
    return UNTAGGED.get(kind) or UNTAGGED.get(kind.partition("/")[0])


def _by(operation: str, name: str, keys: str = "TagKeys", part: str = "") -> Untag:
    """A request that takes a tag by the ARN, or by what follows C(part) in it."""

    def untag(client: t.Any, arn: str, key: str) -> None:
        getattr(client, operation)(**{name: arn.rpartition(part)[2] if part else arn, keys: [key]})

    return untag


def _untag_queue(sqs: t.Any, arn: str, key: str) -> None:
    sqs.untag_queue(QueueUrl=sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"], TagKeys=[key])


def _untag_bucket(s3: t.Any, arn: str, key: str) -> None:
    name = arn.rpartition(":")[2]
    tags = (existing(s3, "get_bucket_tagging", Bucket=name) or {}).get("TagSet") or []
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [one for one in tags if one["Key"] != key]})


def _untag_parameter(ssm: t.Any, arn: str, key: str) -> None:
    # The name of one in a path begins with a slash, which the ARN has either way.
    path = arn.partition(":parameter/")[2]
    name = f"/{path}" if "/" in path else path
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=name, TagKeys=[key])


def _queue_attribute(attribute: str) -> t.Callable[[t.Any, Setting, bool], bool]:
    def work(sqs: t.Any, one: Setting, check_mode: bool) -> bool:
        found = existing(sqs, "get_queue_url", QueueName=one.name)
        if found is None:
            return False
        url = found["QueueUrl"]
        known = existing(sqs, "get_queue_attributes", QueueUrl=url, AttributeNames=[attribute]) or {}
        if not (known.get("Attributes") or {}).get(attribute):
            return False
        if not check_mode:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: ""})
        return True

    return work


def _key_description(kms: t.Any, one: Setting, check_mode: bool) -> bool:
    known = (existing(kms, "describe_key", KeyId=one.name) or {}).get("KeyMetadata") or {}
    if not known.get("Description"):
        return False
    if not check_mode:
        kms.update_key_description(KeyId=known["KeyId"], Description="")
    return True


def _rule_description(events: t.Any, one: Setting, check_mode: bool) -> bool:
    bus, _slash, name = one.name.rpartition("/")
    known = existing(events, "describe_rule", Name=name, EventBusName=bus) or {}
    if not known.get("Description"):
        return False
    if not check_mode:
        kept = ("EventPattern", "ScheduleExpression", "State", "RoleArn")
        same = {field: known[field] for field in kept if known.get(field)}
        events.put_rule(Name=name, EventBusName=bus, Description="", **same)
    return True


def _ttl(dynamodb: t.Any, one: Setting, check_mode: bool) -> bool:
    known = (existing(dynamodb, "describe_time_to_live", TableName=one.name) or {}).get("TimeToLiveDescription") or {}
    if known.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        return False
    if not check_mode:
        off = {"Enabled": False, "AttributeName": known["AttributeName"]}
        dynamodb.update_time_to_live(TableName=one.name, TimeToLiveSpecification=off)
    return True


def _indexes(dynamodb: t.Any, one: Setting, check_mode: bool) -> bool:
    """Delete a table's global indexes, one after the other, as DynamoDB deletes one at a time. Raises AwsError."""
    found = _index_names(dynamodb, one.name)
    if found and not check_mode:
        for name in found:
            change = [{"Delete": {"IndexName": name}}]
            dynamodb.update_table(TableName=one.name, GlobalSecondaryIndexUpdates=change)
            _await_index_gone(dynamodb, one.name, name)
    return bool(found)


def _index_names(dynamodb: t.Any, table: str) -> list[str]:
    described = (existing(dynamodb, "describe_table", TableName=table) or {}).get("Table") or {}
    return [one["IndexName"] for one in described.get("GlobalSecondaryIndexes") or []]


def _await_index_gone(dynamodb: t.Any, table: str, index: str) -> None:
    deadline = time.monotonic() + INDEX_SECONDS
    pause = threading.Event()
    while index in _index_names(dynamodb, table):
        if time.monotonic() > deadline:
            raise AwsError(
                f"The index {index} of the table {table} is still there {INDEX_SECONDS} s after its deletion began; DynamoDB is slow with "
                "large ones. Wait until `aws dynamodb describe-table` shows it no more, then run again."
            )
        pause.wait(1)


def _subscription_redrive(sns: t.Any, one: Setting, check_mode: bool) -> bool:
    """Raises AwsError, where AWS refuses it."""
    known = existing(sns, "get_subscription_attributes", SubscriptionArn=one.name) or {}
    if not (known.get("Attributes") or {}).get("RedrivePolicy"):
        return False
    if not check_mode:
        try:
            sns.set_subscription_attributes(SubscriptionArn=one.name, AttributeName="RedrivePolicy", AttributeValue="")
        except sns.exceptions.ClientError as error:
            if f":{EMULATED_ACCOUNT}:" not in one.name or error_code(error) not in (
                "InvalidParameter",
                "InternalError",
            ):
                raise
            sns.unsubscribe(SubscriptionArn=one.name)
    return True


def _block(value: t.Any) -> Json:
    """A block that may be there once, as a map."""
    return (value[0] if value else {}) if isinstance(value, list) else (value or {})


def _keeps_ttl(declared: t.Any, found: t.Any) -> bool:
    """Whether TTL is not on in AWS, or on as declared. Another attribute needs TTL to be off before."""
    on, wanted = _block(found), _block(declared)
    return not on.get("enabled") or bool(
        wanted.get("enabled") and wanted.get("attributeName") == on.get("attributeName")
    )


def _is_set(declared: t.Any, found: t.Any) -> bool:
    return bool(declared)


def _is_declared(declared: t.Any, found: t.Any) -> bool:
    return declared is not None


# By kind and field: whether what AWS has may stay, given what is declared, and how it is taken away.
CLEARED: dict[tuple[str, str], tuple[t.Callable[[t.Any, t.Any], bool], t.Callable[[t.Any, Setting, bool], bool]]] = {
    ("sqs/Queue", "policy"): (_is_declared, _queue_attribute("Policy")),
    ("sqs/Queue", "redrivePolicy"): (_is_declared, _queue_attribute("RedrivePolicy")),
    ("sns/TopicSubscription", "redrivePolicy"): (_is_set, _subscription_redrive),
    ("kms/Key", "description"): (_is_declared, _key_description),
    ("cloudwatchevents/Rule", "description"): (_is_set, _rule_description),
    ("dynamodb/Table", "ttl"): (_keeps_ttl, _ttl),
    ("dynamodb/Table", "globalSecondaryIndex"): (_is_declared, _indexes),
}

# How a tag is taken away, by service, or by kind where the service has several ways.
UNTAGGED: dict[str, Untag] = {
    "cloudwatch": _by("untag_resource", "ResourceARN"),
    "cloudwatchevents": _by("untag_resource", "ResourceARN"),
    "cloudwatchlogs": _by("untag_log_group", "logGroupName", "tags", part=":log-group:"),
    "dynamodb": _by("untag_resource", "ResourceArn"),
    "ecr": _by("untag_resource", "resourceArn", "tagKeys"),
    "iam/InstanceProfile": _by("untag_instance_profile", "InstanceProfileName", part="/"),
    "iam/OpenIDConnectProvider": _by("untag_open_id_connect_provider", "OpenIDConnectProviderArn"),
    "iam/Policy": _by("untag_policy", "PolicyArn"),
    "iam/Role": _by("untag_role", "RoleName", part="/"),
    "iam/User": _by("untag_user", "UserName", part="/"),
    "kinesis": _by("remove_tags_from_stream", "StreamName", part="/"),
    "kms": _by("untag_resource", "KeyId"),
    "s3": _untag_bucket,
    "secretsmanager": _by("untag_resource", "SecretId"),
    "sns": _by("untag_resource", "ResourceArn"),
    "sqs": _untag_queue,
    "ssm": _untag_parameter,
}
