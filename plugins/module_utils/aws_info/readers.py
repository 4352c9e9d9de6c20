# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of each service: a listing, then the details of what has a wanted name, many at once."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws import facts
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Json, Reading, existing, pages

# Without a page size SQS gives one page of at most 1,000 and no token.
QUEUES_A_PAGE = {"PageSize": 1000}
# get_parameters takes no more names at once.
PARAMETERS_AT_ONCE = 10


def topics(reading: Reading) -> dict[str, list[Json]]:
    arns = sorted(one["TopicArn"] for one in reading.pages("list_topics", "Topics"))

    def describe(arn: str) -> tuple[str, Json, list[Json]] | None:
        name = facts.name_of(arn)
        answer = reading.ask(name, "get_topic_attributes", TopicArn=arn)
        if answer is None:
            return None
        listed = reading.ask_pages(name, "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
        return arn, answer.get("Attributes", {}), listed or []

    def attributes(listed: Json) -> tuple[str, Json] | None:
        arn = listed["SubscriptionArn"]
        answer = reading.ask(arn, "get_subscription_attributes", SubscriptionArn=arn)
        return None if answer is None else (arn, answer.get("Attributes", {}))

    described = reading.each(describe, [arn for arn in arns if facts.wanted(facts.name_of(arn), reading.query.names)])
    subscribed = [one for _arn, _attributes, listed in described for one in listed]
    known = dict(reading.each(attributes, filter(_has_arn, subscribed)))
    return {
        "topics": [
            facts.topic_facts(arn, found, [_subscription(one, known) for one in listed])
            for arn, found, listed in described
        ]
    }


def _has_arn(listed: Json) -> bool:
    """Whether it is confirmed: one that waits for that has no ARN, and so no attributes to ask for."""
    return str(listed.get("SubscriptionArn", "")).startswith("arn:")


def _subscription(listed: Json, known: dict[str, Json]) -> Json:
    return facts.subscription_facts(listed, known.get(listed.get("SubscriptionArn", ""), {}))


def subscriptions(sns: t.Any, topic_arn: str) -> list[Json]:
    """A single topic's subscriptions."""
    found = []
    for listed in pages(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic_arn):
        arn = listed.get("SubscriptionArn", "")
        answer = existing(sns, "get_subscription_attributes", SubscriptionArn=arn) if _has_arn(listed) else {}
        if answer is not None:
            found.append(facts.subscription_facts(listed, answer.get("Attributes", {})))
    return found


def queues(reading: Reading) -> dict[str, list[Json]]:
    urls = sorted(reading.pages("list_queues", "QueueUrls", PaginationConfig=QUEUES_A_PAGE))

    def describe(url: str) -> Json | None:
        answer = reading.ask(facts.name_of(url), "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        return None if answer is None else facts.queue_facts(url, answer.get("Attributes", {}))

    wanted = [url for url in urls if facts.wanted(facts.name_of(url), reading.query.names)]
    return {"queues": reading.each(describe, wanted)}


def tables(reading: Reading) -> dict[str, list[Json]]:
    names = sorted(reading.pages("list_tables", "TableNames"))

    def describe(name: str) -> Json | None:
        answer = reading.ask(name, "describe_table", TableName=name)
        return None if answer is None else answer["Table"]

    def part(asked: tuple[Json, TablePart]) -> tuple[str, TablePart, t.Any]:
        table, read = asked
        return table["TableName"], read, read(reading, table)

    described = reading.each(describe, [name for name in names if facts.wanted(name, reading.query.names)])
    readable = [table for table in described if table.get("TableStatus") in ("ACTIVE", "UPDATING")]
    known = {(name, read): found for name, read, found in reading.each(part, itertools.product(readable, TABLE_PARTS))}

    def found(table: Json) -> Json:
        items, ttl, backups = (known.get((table["TableName"], read)) for read in TABLE_PARTS)
        return facts.table_facts(table, *(items or (None, [])), ttl, backups)

    return {"tables": [found(table) for table in described]}


def _items(reading: Reading, table: Json) -> tuple[int | None, list[Json]]:
    """How many items there are, as far as that is asked for, and the newest: by one scan where both are."""
    name, query = table["TableName"], reading.query
    exactly = query.count_items == "exact"
    scanned, newest = None, []
    if query.newest_items:
        scanned, newest = reading.attempt(name, "scan", lambda: _scan(reading, name)) or (None, [])
    elif exactly:
        scanned = reading.attempt(name, "scan", lambda: count_exactly(reading.client, name))
    approximate = facts.number(table.get("ItemCount")) if query.count_items == "approximate" else None
    return (scanned if exactly else approximate), newest


def _ttl(reading: Reading, table: Json) -> Json | None:
    return reading.ask(table["TableName"], "describe_time_to_live", TableName=table["TableName"])


def _backups(reading: Reading, table: Json) -> Json | None:
    return reading.ask(table["TableName"], "describe_continuous_backups", TableName=table["TableName"])


TablePart = t.Callable[[Reading, Json], t.Any]
# What is asked about each table, side by side.
TABLE_PARTS: tuple[TablePart, ...] = (_items, _ttl, _backups)


def count_exactly(dynamodb: t.Any, name: str) -> int:
    scan = dynamodb.get_paginator("scan").paginate(TableName=name, Select="COUNT", ConsistentRead=True)
    return sum(int(page.get("Count", 0)) for page in scan)


def _scan(reading: Reading, name: str) -> tuple[int, list[Json]]:
    """How many items there are, and the newest; they are held in memory a page at a time."""
    counts: list[int] = []

    def items() -> t.Iterator[Json]:
        for page in reading.client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
            counts.append(int(page.get("Count", 0)))
            yield from map(facts.plain_item, page.get("Items", []))

    newest = facts.newest_of(items(), reading.query.newest_items, reading.query.sort_by)
    return sum(counts), newest


# Operation, fact, and how the fact is made of the answer.
BucketSetting = tuple[str, str, t.Callable[[t.Any], t.Any]]
BUCKET_SETTINGS: list[BucketSetting] = [
    ("get_bucket_location", "region", facts.location),
    ("get_bucket_versioning", "versioning", facts.versioning),
    ("get_bucket_encryption", "encryption", facts.bucket_encryption),
    ("get_public_access_block", "public_access_block", facts.public_access_block),
    ("get_bucket_lifecycle_configuration", "lifecycle", lambda answer: facts.jsonable((answer or {}).get("Rules", []))),
    ("get_bucket_cors", "cors", lambda answer: (answer or {}).get("CORSRules", [])),
    ("get_bucket_policy", "policy", lambda answer: facts.parse_document((answer or {}).get("Policy"))),
]
# Only where it is asked for, as real AWS charges for it.
OBJECTS: BucketSetting = ("list_objects_v2", "object_count", facts.object_count)


def buckets(reading: Reading) -> dict[str, list[Json]]:
    described = [
        {
            "name": one["Name"],
            "arn": f"arn:aws:s3:::{one['Name']}",
            "created_at": facts.timestamp(one.get("CreationDate")),
        }
        for one in reading.pages("list_buckets", "Buckets")
    ]
    found = _named(described, reading)

    def setting(asked: tuple[Json, BucketSetting]) -> None:
        bucket, (operation, fact, made_of) = asked
        bucket[fact] = made_of(reading.ask(bucket["name"], operation, Bucket=bucket["name"]))

    wanted = [*BUCKET_SETTINGS, OBJECTS] if reading.query.count_objects else BUCKET_SETTINGS
    reading.each(setting, itertools.product(found, wanted))
    return {"buckets": found}


def parameters(reading: Reading) -> dict[str, list[Json]]:
    """Parameters without their values. The values of those that are no secrets are read if that is asked for."""
    found = _named(map(facts.parameter_facts, reading.pages("describe_parameters", "Parameters")), reading)
    if reading.query.parameter_values:
        values = _parameter_values(reading, [one["name"] for one in found if one["type"] in ("String", "StringList")])
        for one in found:
            one["value"] = values.get(one["name"])
    return {"parameters": found}


def _parameter_values(reading: Reading, names: list[str]) -> dict[str, str]:
    def values(some: list[str]) -> list[Json]:
        answer = reading.ask(", ".join(some), "get_parameters", Names=some, WithDecryption=False)
        return (answer or {}).get("Parameters", [])

    portions = [names[start : start + PARAMETERS_AT_ONCE] for start in range(0, len(names), PARAMETERS_AT_ONCE)]
    # A parameter may have become a secret since it was listed.
    plain = (one for some in reading.each(values, portions) for one in some if one.get("Type") != "SecureString")
    return {one["Name"]: one["Value"] for one in plain}


def secrets(reading: Reading) -> dict[str, list[Json]]:
    """Secrets without their values, which are never asked for."""
    return {"secrets": _named(map(facts.secret_facts, reading.pages("list_secrets", "SecretList")), reading)}


def keys(reading: Reading) -> dict[str, list[Json]]:
    """Keys under their first alias, or under their id where they have none."""
    aliases: dict[str, list[str]] = {}
    for one in reading.pages("list_aliases", "Aliases"):
        if one.get("TargetKeyId"):
            aliases.setdefault(one["TargetKeyId"], []).append(one["AliasName"].removeprefix("alias/"))
    ids = [one["KeyId"] for one in reading.pages("list_keys", "Keys")]

    def describe(identifier: str) -> Json | None:
        answer = reading.ask(identifier, "describe_key", KeyId=identifier)
        if answer is None:
            return None
        key = answer["KeyMetadata"]
        rotation = (
            reading.ask(identifier, "get_key_rotation_status", KeyId=identifier) if facts.may_rotate(key) else None
        )
        return facts.key_facts(key, sorted(aliases.get(identifier, [])), rotation)

    def wanted(identifier: str) -> bool:
        return any(facts.wanted(name, reading.query.names) for name in aliases.get(identifier, [identifier]))

    return {"keys": sorted(reading.each(describe, filter(wanted, ids)), key=lambda one: str(one["name"]))}


def roles_and_policies(reading: Reading) -> dict[str, list[Json]]:
    """Roles that AWS's services did not make for themselves, and the policies that are not AWS's own."""
    listed = [one | {"name": one["RoleName"]} for one in reading.pages("list_roles", "Roles")]
    own = [one for one in listed if not one.get("Path", "/").startswith("/aws-service-role/")]
    policies = [one | {"name": one["PolicyName"]} for one in reading.pages("list_policies", "Policies", Scope="Local")]
    return {
        "roles": reading.each(lambda one: _role(reading, one), _named(own, reading)),
        "policies": reading.each(lambda one: _policy(reading, one), _named(policies, reading)),
    }


def _role(reading: Reading, listed: Json) -> Json:
    name = listed["RoleName"]
    attached = reading.ask_pages(name, "list_attached_role_policies", "AttachedPolicies", RoleName=name) or []
    inline: dict[str, Json | None] = {}
    for policy in reading.ask_pages(name, "list_role_policies", "PolicyNames", RoleName=name) or []:
        answer = reading.ask(name, "get_role_policy", RoleName=name, PolicyName=policy)
        inline[policy] = facts.parse_document((answer or {}).get("PolicyDocument"))
    return facts.role_facts(listed, attached, inline)


def _policy(reading: Reading, listed: Json) -> Json:
    version = {"PolicyArn": listed["Arn"], "VersionId": listed["DefaultVersionId"]}
    answer = reading.ask(listed["PolicyName"], "get_policy_version", **version) or {}
    return facts.policy_facts(listed, answer.get("PolicyVersion", {}).get("Document"))


def _named(found: t.Iterable[Json], reading: Reading) -> list[Json]:
    """What has a wanted name, by name."""
    wanted = [one for one in found if facts.wanted(one["name"], reading.query.names)]
    return sorted(wanted, key=lambda one: str(one["name"]))


class Reader(t.NamedTuple):
    """One service: the keys of its facts, what reading it is called, and how it is done."""

    keys: tuple[str, ...]
    doing: str
    read: t.Callable[[Reading], dict[str, list[Json]]]


READERS: dict[str, Reader] = {
    "sns": Reader(("topics",), "reading SNS topics", topics),
    "sqs": Reader(("queues",), "reading SQS queues", queues),
    "dynamodb": Reader(("tables",), "reading DynamoDB tables", tables),
    "s3": Reader(("buckets",), "reading S3 buckets", buckets),
    "ssm": Reader(("parameters",), "listing SSM parameters", parameters),
    "secretsmanager": Reader(("secrets",), "listing Secrets Manager's secrets", secrets),
    "kms": Reader(("keys",), "reading KMS keys", keys),
    "iam": Reader(("roles", "policies"), "reading IAM roles and policies", roles_and_policies),
}
