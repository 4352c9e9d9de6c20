# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From AWS's answers to facts: names, policies, queue depths, items. Pure: no boto3, no Ansible."""

from __future__ import annotations

import base64
import datetime
import decimal
import fnmatch
import heapq
import json
import typing as t

Json = dict[str, t.Any]


def name_of(arn_or_url: str) -> str:
    """The last part of an ARN or a queue URL."""
    return arn_or_url.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def wanted(name: str, patterns: t.Sequence[str]) -> bool:
    """Whether a name matches one of the shell patterns. Without patterns every name does."""
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def parse_document(text: str | Json | None) -> Json | None:
    """A JSON attribute, such as a policy, as data; None where there is none. IAM's come as data already."""
    if not text:
        return None
    if isinstance(text, dict):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return {"unparsed": text}
    return document if isinstance(document, dict) else {"unparsed": text}


def is_true(value: t.Any) -> bool:
    """AWS writes booleans as texts, emulators sometimes as booleans."""
    return str(value).lower() == "true"


def number(value: t.Any, default: int = 0) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def subscription_facts(listed: Json, attributes: Json) -> Json:
    arn = listed.get("SubscriptionArn", "")
    return {
        "arn": arn if arn.startswith("arn:") else None,
        "protocol": listed.get("Protocol"),
        "endpoint": listed.get("Endpoint"),
        "raw": is_true(attributes.get("RawMessageDelivery")),
        "filter_policy": parse_document(attributes.get("FilterPolicy")),
        "filter_policy_scope": attributes.get("FilterPolicyScope"),
        "redrive": parse_document(attributes.get("RedrivePolicy")),
        "confirmed": arn.startswith("arn:") and not is_true(attributes.get("PendingConfirmation")),
    }


def topic_facts(arn: str, attributes: Json, subscriptions: list[Json]) -> Json:
    return {
        "arn": arn,
        "name": name_of(arn),
        "display_name": attributes.get("DisplayName") or None,
        "fifo": is_true(attributes.get("FifoTopic")),
        "content_based_deduplication": is_true(attributes.get("ContentBasedDeduplication")),
        "kms_key": attributes.get("KmsMasterKeyId") or None,
        "policy": parse_document(attributes.get("Policy")),
        "subscriptions": sorted(subscriptions, key=lambda one: (str(one["protocol"]), str(one["endpoint"]))),
    }


def queue_depth(attributes: Json) -> Json:
    return {
        "visible": number(attributes.get("ApproximateNumberOfMessages")),
        "in_flight": number(attributes.get("ApproximateNumberOfMessagesNotVisible")),
        "delayed": number(attributes.get("ApproximateNumberOfMessagesDelayed")),
    }


def redrive_facts(attributes: Json) -> Json | None:
    """Where messages go that were received too often."""
    policy = parse_document(attributes.get("RedrivePolicy"))
    if not policy or "deadLetterTargetArn" not in policy:
        return None
    arn = policy["deadLetterTargetArn"]
    return {
        "dead_letter_arn": arn,
        "dead_letter_queue": name_of(arn),
        "max_receive_count": number(policy.get("maxReceiveCount")),
    }


def queue_facts(url: str, attributes: Json) -> Json:
    return {
        "name": name_of(url),
        "url": url,
        "arn": attributes.get("QueueArn"),
        "depth": queue_depth(attributes),
        "policy": parse_document(attributes.get("Policy")),
        "redrive": redrive_facts(attributes),
        "redrive_allow": parse_document(attributes.get("RedriveAllowPolicy")),
        "fifo": is_true(attributes.get("FifoQueue")),
        "content_based_deduplication": is_true(attributes.get("ContentBasedDeduplication")),
        "deduplication_scope": attributes.get("DeduplicationScope"),
        "throughput_limit": attributes.get("FifoThroughputLimit"),
        "kms_key": attributes.get("KmsMasterKeyId") or None,
        "sqs_managed_encryption": is_true(attributes.get("SqsManagedSseEnabled")),
        "delay_seconds": number(attributes.get("DelaySeconds")),
        "receive_wait_seconds": number(attributes.get("ReceiveMessageWaitTimeSeconds")),
        "max_message_bytes": number(attributes.get("MaximumMessageSize")),
        "visibility_timeout": number(attributes.get("VisibilityTimeout")),
        "retention_seconds": number(attributes.get("MessageRetentionPeriod")),
    }


def key_schema(table: Json) -> list[Json]:
    return _typed_keys(table, table)


def _typed_keys(table: Json, keyed: Json) -> list[Json]:
    """The keys of a table or of one of its indexes, with their types, which only the table knows."""
    types = {one["AttributeName"]: one["AttributeType"] for one in table.get("AttributeDefinitions", [])}
    return [
        {"name": key["AttributeName"], "key_type": key["KeyType"], "type": types.get(key["AttributeName"])}
        for key in keyed.get("KeySchema", [])
    ]


def index_facts(table: Json, kind: str) -> list[Json]:
    """The table's indexes of a kind, V(GlobalSecondaryIndexes) or V(LocalSecondaryIndexes), by name."""
    return [
        {
            "name": one["IndexName"],
            "key_schema": _typed_keys(table, one),
            "projection": one.get("Projection", {}).get("ProjectionType"),
            "projected": sorted(one.get("Projection", {}).get("NonKeyAttributes", [])),
            "status": one.get("IndexStatus"),
        }
        for one in sorted(table.get(kind) or [], key=lambda one: str(one["IndexName"]))
    ]


def stream_facts(table: Json) -> Json | None:
    stream = table.get("StreamSpecification") or {}
    if not stream.get("StreamEnabled"):
        return None
    return {"view_type": stream.get("StreamViewType"), "arn": table.get("LatestStreamArn")}


def ttl_facts(answer: Json | None) -> Json | None:
    """Which attribute tells when an item goes; None where items stay, or where that isn't known."""
    ttl = (answer or {}).get("TimeToLiveDescription") or {}
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        return None
    return {"attribute": ttl.get("AttributeName"), "status": ttl["TimeToLiveStatus"]}


def recovery(answer: Json | None) -> bool | None:
    """Whether the table can be restored to a point in time; None where that isn't known."""
    described = (answer or {}).get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    status = described.get("PointInTimeRecoveryStatus")
    return None if status is None else status == "ENABLED"


def encryption_of_table(table: Json) -> Json | None:
    """How a table is encrypted by a key of KMS; None means DynamoDB's own key."""
    found = table.get("SSEDescription") or {}
    if found.get("Status") not in ("ENABLED", "ENABLING", "UPDATING"):
        return None
    return {"type": found.get("SSEType"), "kms_key": found.get("KMSMasterKeyArn")}


def billing_mode(table: Json) -> str:
    """Without a summary it was always provisioned; some emulators leave the summary out but have no capacity either."""
    summary = table.get("BillingModeSummary") or {}
    if summary.get("BillingMode"):
        return str(summary["BillingMode"])
    capacity = (table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits", 1)
    return "PROVISIONED" if number(capacity, 1) else "PAY_PER_REQUEST"


def table_class(table: Json) -> str:
    """DynamoDB leaves the summary out of tables that always had the usual class."""
    return str((table.get("TableClassSummary") or {}).get("TableClass") or "STANDARD")


def may_rotate(key: Json) -> bool:
    """KMS refuses the question for keys that AWS itself manages, that are not symmetric, or that go."""
    spec = key.get("KeySpec") or key.get("CustomerMasterKeySpec")
    return (
        key.get("KeyManager", "CUSTOMER") == "CUSTOMER"
        and spec == "SYMMETRIC_DEFAULT"
        and key.get("KeyState") in ("Enabled", "Disabled")
        and key.get("Origin", "AWS_KMS") == "AWS_KMS"
    )


def capacity(table: Json) -> Json | None:
    if billing_mode(table) != "PROVISIONED":
        return None
    units = table.get("ProvisionedThroughput") or {}
    return {"read": number(units.get("ReadCapacityUnits")), "write": number(units.get("WriteCapacityUnits"))}


def table_facts(
    table: Json, item_count: int | None, newest: list[Json], ttl: Json | None = None, backups: Json | None = None
) -> Json:
    """A table's facts from the answers to describe_table, describe_time_to_live and describe_continuous_backups."""
    return {
        "name": table["TableName"],
        "arn": table.get("TableArn"),
        "status": table.get("TableStatus"),
        "key_schema": key_schema(table),
        "billing_mode": billing_mode(table),
        "capacity": capacity(table),
        "global_indexes": index_facts(table, "GlobalSecondaryIndexes"),
        "local_indexes": index_facts(table, "LocalSecondaryIndexes"),
        "stream": stream_facts(table),
        "ttl": ttl_facts(ttl),
        "point_in_time_recovery": recovery(backups),
        "encryption": encryption_of_table(table),
        "deletion_protection": is_true(table.get("DeletionProtectionEnabled")),
        "item_count": item_count,
        "newest_items": newest,
    }


def object_count(answer: Json | None) -> int | None:
    """How many objects a bucket has; None where one page does not hold them all, or they can't be listed."""
    return None if answer is None or answer.get("IsTruncated") else len(answer.get("Contents", []))


def versioning(answer: Json | None) -> str | None:
    """V(Enabled), V(Suspended), or V(Disabled), which S3 itself leaves out of its answer."""
    return None if answer is None else str(answer.get("Status") or "Disabled")


def bucket_encryption(answer: Json | None) -> Json | None:
    rules = (answer or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    if not rules:
        return None
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    return {
        "algorithm": default.get("SSEAlgorithm"),
        "kms_key": default.get("KMSMasterKeyID"),
        "bucket_key": is_true(rules[0].get("BucketKeyEnabled")),
    }


def public_access_block(answer: Json | None) -> Json | None:
    found = (answer or {}).get("PublicAccessBlockConfiguration")
    if found is None:
        return None
    return {
        "block_public_acls": is_true(found.get("BlockPublicAcls")),
        "ignore_public_acls": is_true(found.get("IgnorePublicAcls")),
        "block_public_policy": is_true(found.get("BlockPublicPolicy")),
        "restrict_public_buckets": is_true(found.get("RestrictPublicBuckets")),
    }


def location(answer: Json | None) -> str | None:
    """A bucket's region. S3 leaves us-east-1 out and calls eu-west-1 EU, for buckets older than regions."""
    if answer is None:
        return None
    found = answer.get("LocationConstraint") or "us-east-1"
    return "eu-west-1" if found == "EU" else str(found)


def jsonable(value: t.Any) -> t.Any:
    """AWS's own structure with its times as texts, for what is handed on as it is."""
    if isinstance(value, dict):
        return {name: jsonable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [jsonable(one) for one in value]
    return timestamp(value) if isinstance(value, datetime.datetime) else value


def parameter_facts(listed: Json) -> Json:
    return {
        "name": listed["Name"],
        "type": listed.get("Type"),
        "arn": listed.get("ARN"),
        "description": listed.get("Description") or None,
        "tier": listed.get("Tier"),
        "version": listed.get("Version"),
        "kms_key": listed.get("KeyId"),
        "modified_at": timestamp(listed.get("LastModifiedDate")),
    }


def secret_facts(listed: Json) -> Json:
    return {
        "name": listed["Name"],
        "arn": listed.get("ARN"),
        "description": listed.get("Description") or None,
        "kms_key": listed.get("KmsKeyId"),
        "rotation": is_true(listed.get("RotationEnabled")),
        "rotation_lambda": listed.get("RotationLambdaARN"),
        "created_at": timestamp(listed.get("CreatedDate")),
        "changed_at": timestamp(listed.get("LastChangedDate")),
    }


def key_facts(key: Json, aliases: list[str], rotation: Json | None) -> Json:
    return {
        "name": aliases[0] if aliases else key["KeyId"],
        "id": key["KeyId"],
        "arn": key.get("Arn"),
        "state": key.get("KeyState"),
        "aliases": aliases,
        "description": key.get("Description") or None,
        "usage": key.get("KeyUsage"),
        "spec": key.get("KeySpec") or key.get("CustomerMasterKeySpec"),
        "manager": key.get("KeyManager"),
        "multi_region": is_true(key.get("MultiRegion")),
        "rotation": None if rotation is None else is_true(rotation.get("KeyRotationEnabled")),
        "deleted_at": timestamp(key.get("DeletionDate")),
    }


def role_facts(listed: Json, attached: list[Json], inline: dict[str, Json | None]) -> Json:
    return {
        "name": listed["RoleName"],
        "arn": listed.get("Arn"),
        "path": listed.get("Path"),
        "description": listed.get("Description") or None,
        "max_session_seconds": listed.get("MaxSessionDuration"),
        "trust": parse_document(listed.get("AssumeRolePolicyDocument")),
        "attached_policies": sorted(str(one.get("PolicyArn")) for one in attached),
        "inline_policies": inline,
    }


def policy_facts(listed: Json, document: Json | None) -> Json:
    return {
        "name": listed["PolicyName"],
        "arn": listed.get("Arn"),
        "path": listed.get("Path"),
        "attachments": listed.get("AttachmentCount"),
        "version": listed.get("DefaultVersionId"),
        "document": parse_document(document),
    }


def timestamp(value: t.Any) -> str | None:
    return (
        value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime.datetime) else None
    )


def plain_value(typed: Json) -> t.Any:
    """A DynamoDB attribute value as plain data that JSON can hold."""
    kind, value = next(iter(typed.items()))
    if kind == "N":
        return plain_number(value)
    if kind == "NS":
        return sorted(plain_number(one) for one in value)
    if kind == "B":
        return base64.b64encode(value).decode()
    if kind == "BS":
        return sorted(base64.b64encode(one).decode() for one in value)
    if kind == "SS":
        return sorted(value)
    if kind == "M":
        return plain_item(value)
    if kind == "L":
        return [plain_value(one) for one in value]
    return None if kind == "NULL" else value


def plain_item(item: Json) -> Json:
    return {name: plain_value(value) for name, value in item.items()}


def plain_number(text: str) -> int | float:
    exact = decimal.Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def newest_of(items: t.Iterable[Json], count: int, sort_by: str) -> list[Json]:
    """The C(count) newest plain items, newest first.

    Holds no more than those in memory. Items without the attribute come last.
    """
    return heapq.nlargest(count, items, key=lambda item: _rank(item.get(sort_by)))


def _rank(value: t.Any) -> tuple[int, t.Any]:
    if isinstance(value, bool) or value is None:
        return (0, 0)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, str(value))
