# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From plain lists of AWS resources to the managed resources that Crossplane makes them by.

Pure. Names, references and ARNs are derived here and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

# AWS's own rules: SNS CreateTopic, SQS CreateQueue, DynamoDB CreateTable.
NAME_RULES = {
    "topics": (re.compile(r"[A-Za-z0-9_-]{1,256}"), "1 to 256 letters, digits, '_' or '-'"),
    "queues": (re.compile(r"[A-Za-z0-9_-]{1,80}"), "1 to 80 letters, digits, '_' or '-'"),
    "tables": (re.compile(r"[A-Za-z0-9_.-]{3,255}"), "3 to 255 letters, digits, '_', '-' or '.'"),
}
KEY_TYPES = ("S", "N", "B")


@dataclass(frozen=True)
class Target:
    """Where the resources are made: AWS region and account, ProviderConfig, and the label that marks them as ours."""

    region: str
    account: str
    provider_config: str
    owner: str
    tags: Mapping[str, str]


def problems(declared: Mapping[str, Sequence[Any]]) -> list[str]:
    """Everything that is wrong with the declared lists, each with its path in the input; empty if all is well."""
    found: list[str] = []
    for kind, (pattern, rule) in NAME_RULES.items():
        seen: set[str] = set()
        for index, entry in enumerate(declared.get(kind, [])):
            path = f"aws_resources_{kind}[{index}]"
            if not isinstance(entry, Mapping):
                found.append(f"{path}: must be a map with 'name', not {entry!r}")
                continue
            name = entry.get("name", "")
            if not isinstance(name, str) or not pattern.fullmatch(name):
                found.append(f"{path}.name: {name!r} is refused by AWS; allowed are {rule}")
            elif name in seen:
                found.append(f"{path}.name: {name!r} is declared twice")
            seen.add(str(name))
    if not found:
        found.extend(_subscription_problems(declared))
        found.extend(_table_problems(declared.get("tables", [])))
    return found


def _subscription_problems(declared: Mapping[str, Sequence[Any]]) -> Iterable[str]:
    names = {kind: {entry["name"] for entry in declared.get(kind, [])} for kind in ("topics", "queues")}
    for index, entry in enumerate(declared.get("subscriptions", [])):
        path = f"aws_resources_subscriptions[{index}]"
        if not isinstance(entry, Mapping):
            yield f"{path}: must be a map with 'topic' and 'queue', not {entry!r}"
            continue
        for field in ("topic", "queue"):
            if entry.get(field) not in names[f"{field}s"]:
                yield f"{path}.{field}: {entry.get(field)!r} is not in aws_resources_{field}s"


def _table_problems(tables: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for index, table in enumerate(tables):
        path = f"aws_resources_tables[{index}]"
        for field in ("hash_key", "range_key"):
            key = table.get(field)
            if key is None and field == "range_key":
                continue
            if not isinstance(key, Mapping) or not key.get("name"):
                yield f"{path}.{field}: must be a map with 'name' and 'type'"
            elif key.get("type") not in KEY_TYPES:
                yield f"{path}.{field}.type: {key.get('type')!r} is none of {', '.join(KEY_TYPES)}"


def manifests(declared: Mapping[str, Sequence[Mapping[str, Any]]], target: Target) -> list[Object]:
    """The managed resources for lists without `problems`."""
    subscriptions = declared.get("subscriptions", [])
    return [
        *(topic(entry, target) for entry in declared.get("topics", [])),
        *(queue(entry, _topics_of(entry["name"], subscriptions), target) for entry in declared.get("queues", [])),
        *(subscription(entry, target) for entry in subscriptions),
        *(table(entry, target) for entry in declared.get("tables", [])),
    ]


def _topics_of(queue_name: str, subscriptions: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({entry["topic"] for entry in subscriptions if entry["queue"] == queue_name})


def object_name(name: str) -> str:
    """A Kubernetes object name for an AWS name."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")


def _managed(api: str, kind: str, name: str, external: str | None, parameters: Object, target: Target) -> Object:
    metadata: Object = {"name": object_name(name), "labels": {"localcloud.dev/owner": target.owner}}
    if external is not None:
        metadata["annotations"] = {"crossplane.io/external-name": external}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": metadata,
        "spec": {
            "forProvider": {"region": target.region, **parameters},
            "providerConfigRef": {"name": target.provider_config},
        },
    }


def topic_arn(name: str, target: Target) -> str:
    return f"arn:aws:sns:{target.region}:{target.account}:{name}"


def queue_arn(name: str, target: Target) -> str:
    return f"arn:aws:sqs:{target.region}:{target.account}:{name}"


def topic(entry: Mapping[str, Any], target: Target) -> Object:
    """An SNS topic."""
    parameters = {"tags": {**target.tags, **entry.get("tags", {})}}
    return _managed("sns.aws.upbound.io/v1beta1", "Topic", entry["name"], entry["name"], parameters, target)


def queue(entry: Mapping[str, Any], topics: Sequence[str], target: Target) -> Object:
    """An SQS queue. Its policy lets exactly the topics send that it is subscribed to.

    The policy is the queue's own field: a separate QueuePolicy would take another 25 s of the provider's waiting.
    """
    parameters: Object = {"name": entry["name"], "tags": {**target.tags, **entry.get("tags", {})}}
    optional = {
        "visibility_timeout_seconds": "visibilityTimeoutSeconds",
        "message_retention_seconds": "messageRetentionSeconds",
        "receive_wait_time_seconds": "receiveWaitTimeSeconds",
    }
    parameters.update({field: entry[name] for name, field in optional.items() if name in entry})
    if topics:
        parameters["policy"] = json.dumps(send_policy(entry["name"], topics, target), sort_keys=True)
    return _managed("sqs.aws.upbound.io/v1beta1", "Queue", entry["name"], None, parameters, target)


def send_policy(name: str, topics: Sequence[str], target: Target) -> Object:
    """Let SNS send to the queue for these topics only."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TopicsSend",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn(name, target),
                "Condition": {"ArnEquals": {"aws:SourceArn": [topic_arn(one, target) for one in topics]}},
            }
        ],
    }


def subscription(entry: Mapping[str, Any], target: Target) -> Object:
    """A queue's subscription to a topic.

    The topic is a reference, as it must exist first. The queue is named by ARN: it exists long before it is Ready after
    its 25 s, for which a reference would wait.
    """
    parameters: Object = {
        "protocol": "sqs",
        "topicArnRef": {"name": object_name(entry["topic"])},
        "endpoint": queue_arn(entry["queue"], target),
        "rawMessageDelivery": bool(entry.get("raw_message_delivery", False)),
    }
    name = f"{object_name(entry['topic'])}.{object_name(entry['queue'])}"
    return _managed("sns.aws.upbound.io/v1beta1", "TopicSubscription", name, None, parameters, target)


def table(entry: Mapping[str, Any], target: Target) -> Object:
    """A DynamoDB table, paid by request."""
    keys = [entry[name] for name in ("hash_key", "range_key") if entry.get(name)]
    parameters: Object = {
        "attribute": [{"name": key["name"], "type": key["type"]} for key in keys],
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": entry["hash_key"]["name"],
        "tags": {**target.tags, **entry.get("tags", {})},
    }
    if entry.get("range_key"):
        parameters["rangeKey"] = entry["range_key"]["name"]
    return _managed("dynamodb.aws.upbound.io/v1beta1", "Table", entry["name"], entry["name"], parameters, target)
