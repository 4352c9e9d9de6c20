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


def parse_document(text: str | None) -> Json | None:
    """A JSON attribute, such as a policy, as data; None where there is none."""
    if not text:
        return None
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
        "fifo": is_true(attributes.get("FifoQueue")),
        "visibility_timeout": number(attributes.get("VisibilityTimeout")),
        "retention_seconds": number(attributes.get("MessageRetentionPeriod")),
    }


def key_schema(table: Json) -> list[Json]:
    types = {one["AttributeName"]: one["AttributeType"] for one in table.get("AttributeDefinitions", [])}
    return [
        {"name": key["AttributeName"], "key_type": key["KeyType"], "type": types.get(key["AttributeName"])}
        for key in table.get("KeySchema", [])
    ]


def billing_mode(table: Json) -> str:
    """Without a summary it was always provisioned; some emulators leave the summary out but have no capacity either."""
    summary = table.get("BillingModeSummary") or {}
    if summary.get("BillingMode"):
        return str(summary["BillingMode"])
    capacity = (table.get("ProvisionedThroughput") or {}).get("ReadCapacityUnits", 1)
    return "PROVISIONED" if number(capacity, 1) else "PAY_PER_REQUEST"


def table_facts(table: Json, item_count: int | None, newest: list[Json]) -> Json:
    return {
        "name": table["TableName"],
        "arn": table.get("TableArn"),
        "status": table.get("TableStatus"),
        "key_schema": key_schema(table),
        "billing_mode": billing_mode(table),
        "item_count": item_count,
        "newest_items": newest,
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
