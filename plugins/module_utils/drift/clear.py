# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that the provider has no way to take away in AWS: which of them are to go, and how AWS does it.

Terraform keeps the value of a field that is "optional and computed" when it is no longer configured, and the provider then
writes it into the object again. A queue's policies can be emptied by no value, as SQS wants an empty text there, which
Terraform takes for none, as it does a key's empty description; for the provider TTL may be off only without an attribute, for
AWS only with one. A table's indexes are kept in the object, whose key attributes are then no longer declared, which the
provider refuses. A subscription's redrive policy can be taken away in AWS, but not in LocalStack, which refuses an empty one (4.14.0,
findings/localstack-subscription-redrive.sh): there the subscription goes, and the provider makes it again.
"""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError, error_code
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.endpoint import EMULATED_ACCOUNT

Json = dict[str, t.Any]
# That DynamoDB may take to delete an index.
INDEX_SECONDS = 300


class Setting(t.NamedTuple):
    """One field of a resource in AWS: service and kind, the name by which AWS knows it, region (empty: the connection's)."""

    kind: str
    name: str
    region: str
    field: str


def to_clear(declared: Json, owned: Json, resource: ExternalResource, aws: Json | None) -> list[Setting]:
    """What AWS still has of these fields, though it is no longer declared.

    C(owned) has the fields of spec.forProvider that we applied, as managedFields name them.
    """
    stays = {field: stays for (kind, field), (stays, _clear) in CLEARED.items() if kind == resource.kind}
    name = str(resource.parameters.get("name") or resource.external_name)
    return [
        Setting(resource.kind, name.rsplit("/", 1)[-1], str(resource.parameters.get("region") or ""), field)
        for field, stays_declared in stays.items()
        if (field in declared or f"f:{field}" in owned)
        and (aws or {}).get(field)
        and not stays_declared(declared.get(field), (aws or {})[field])
    ]


def clear(clients: Clients, settings: t.Iterable[Setting], check_mode: bool) -> list[Setting]:
    """Take them away; which ones were there. Raises AwsError."""
    cleared = []
    for one in settings:
        client = clients.get(one.kind.split("/")[0], one.region or None)
        with aws_errors(f"clearing {one.field} of {one.kind} {one.name}", clients.connection.endpoint_url):
            _stays, work = CLEARED[one.kind, one.field]
            if work(client, one, check_mode):
                cleared.append(one)
    return cleared


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
    ("dynamodb/Table", "ttl"): (_keeps_ttl, _ttl),
    ("dynamodb/Table", "globalSecondaryIndex"): (_is_declared, _indexes),
}
