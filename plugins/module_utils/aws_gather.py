# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what is there in AWS: every page, services side by side."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils import aws_facts as facts
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError, is_not_found, not_aws
from ansible_collections.localcloud.stack.plugins.module_utils.aws_health import health_facts

Json = dict[str, t.Any]
Result = t.TypeVar("Result")
# Requests under way at once within one service: an emulator is one process, more would only queue up there.
DETAIL_WORKERS = 4


class Query(t.NamedTuple):
    """What to gather. C(names) are shell patterns."""

    services: t.Sequence[str]
    names: t.Sequence[str] = ()
    count_items: str = "exact"
    newest_items: int = 0
    sort_by: str = "CreatedAt"


class Gatherer(t.NamedTuple):
    """One service: the key of its facts, what it does in words, and how."""

    key: str
    doing: str
    gather: t.Callable[[t.Any, Query], list[Json]]


def gather(clients: Clients, query: Query) -> Json:
    """Health, account, and the facts of each service asked for."""
    endpoint_url = clients.connection.endpoint_url
    for service in ["sts", *query.services]:
        clients.get(service)
    # One after the other and first: what they say of a wrong endpoint or wrong credentials holds for all services.
    health = health_facts(endpoint_url) if endpoint_url else None
    found: Json = {
        "endpoint_url": endpoint_url,
        "region": clients.region,
        "health": health,
        "account": account(clients),
    }
    chosen = [service for service in GATHERERS if service in query.services]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
        pending = {service: pool.submit(_gather_one, clients, service, query) for service in chosen}
        for service, future in pending.items():
            found[GATHERERS[service].key] = future.result()
    return found


def account(clients: Clients) -> Json:
    """Who we are; also the cheapest proof that something that speaks AWS answers and takes the credentials."""
    endpoint_url = clients.connection.endpoint_url
    with aws_errors("asking for the caller's identity", endpoint_url):
        identity = clients.get("sts").get_caller_identity()
    if not identity.get("Account"):
        raise AwsError(not_aws(endpoint_url or "AWS"))
    return {"id": identity["Account"], "arn": identity.get("Arn"), "user_id": identity.get("UserId")}


def _gather_one(clients: Clients, service: str, query: Query) -> list[Json]:
    gatherer = GATHERERS[service]
    with aws_errors(gatherer.doing, clients.connection.endpoint_url):
        return gatherer.gather(clients.get(service), query)


def pages(client: t.Any, operation: str, key: str, **arguments: t.Any) -> list[t.Any]:
    """Everything an operation lists, read to its last page."""
    paginator = client.get_paginator(operation)
    return [one for page in paginator.paginate(**arguments) for one in page.get(key) or []]


def existing(client: t.Any, operation: str, **arguments: t.Any) -> Json | None:
    """The answer, or None where the thing doesn't exist (any more)."""
    try:
        return t.cast("Json", getattr(client, operation)(**arguments))
    except client.exceptions.ClientError as error:
        if is_not_found(error):
            return None
        raise


def each(work: t.Callable[[t.Any], Result | None], things: t.Sequence[t.Any]) -> list[Result]:
    """The work done on each thing, some at once, in order; what has gone meanwhile is left out."""
    if not things:
        return []
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(DETAIL_WORKERS, len(things))) as pool:
        return [result for result in pool.map(work, things) if result is not None]


def topics(sns: t.Any, query: Query) -> list[Json]:
    arns = sorted(one["TopicArn"] for one in pages(sns, "list_topics", "Topics"))

    def describe(arn: str) -> Json | None:
        answer = existing(sns, "get_topic_attributes", TopicArn=arn)
        return None if answer is None else facts.topic_facts(arn, answer.get("Attributes", {}), subscriptions(sns, arn))

    return each(describe, [arn for arn in arns if facts.wanted(facts.name_of(arn), query.names)])


def subscriptions(sns: t.Any, topic_arn: str) -> list[Json]:
    """A topic's subscriptions; those that wait for confirmation have no ARN and so no attributes."""
    found = []
    for listed in pages(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic_arn):
        arn = listed.get("SubscriptionArn", "")
        answer = existing(sns, "get_subscription_attributes", SubscriptionArn=arn) if arn.startswith("arn:") else {}
        if answer is not None:
            found.append(facts.subscription_facts(listed, answer.get("Attributes", {})))
    return found


def queues(sqs: t.Any, query: Query) -> list[Json]:
    # Without a page size SQS gives one page of at most 1,000 and no token.
    urls = sorted(pages(sqs, "list_queues", "QueueUrls", PaginationConfig={"PageSize": 1000}))

    def describe(url: str) -> Json | None:
        answer = existing(sqs, "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        return None if answer is None else facts.queue_facts(url, answer.get("Attributes", {}))

    return each(describe, [url for url in urls if facts.wanted(facts.name_of(url), query.names)])


def tables(dynamodb: t.Any, query: Query) -> list[Json]:
    names = sorted(pages(dynamodb, "list_tables", "TableNames"))

    def describe(name: str) -> Json | None:
        answer = existing(dynamodb, "describe_table", TableName=name)
        if answer is None:
            return None
        table = answer["Table"]
        readable = table.get("TableStatus") in ("ACTIVE", "UPDATING")
        count = _count(dynamodb, table, query) if readable else None
        newest = _newest(dynamodb, name, query) if readable and query.newest_items else []
        return facts.table_facts(table, count, newest)

    return each(describe, [name for name in names if facts.wanted(name, query.names)])


def _count(dynamodb: t.Any, table: Json, query: Query) -> int | None:
    if query.count_items == "none":
        return None
    if query.count_items == "approximate":
        return facts.number(table.get("ItemCount"))
    paginator = dynamodb.get_paginator("scan")
    scan = paginator.paginate(TableName=table["TableName"], Select="COUNT", ConsistentRead=True)
    return sum(int(page.get("Count", 0)) for page in scan)


def _newest(dynamodb: t.Any, name: str, query: Query) -> list[Json]:
    paginator = dynamodb.get_paginator("scan")
    items = (
        facts.plain_item(item)
        for page in paginator.paginate(TableName=name, ConsistentRead=True)
        for item in page.get("Items", [])
    )
    return facts.newest_of(items, query.newest_items, query.sort_by)


def buckets(s3: t.Any, query: Query) -> list[Json]:
    described = (
        {
            "name": one["Name"],
            "arn": f"arn:aws:s3:::{one['Name']}",
            "created_at": facts.timestamp(one.get("CreationDate")),
        }
        for one in pages(s3, "list_buckets", "Buckets")
    )
    return _named(described, query)


def parameters(ssm: t.Any, query: Query) -> list[Json]:
    """Names and types. Values are never asked for."""
    found = pages(ssm, "describe_parameters", "Parameters")
    return _named(({"name": one["Name"], "type": one.get("Type")} for one in found), query)


def secrets(secretsmanager: t.Any, query: Query) -> list[Json]:
    """Names and ARNs. Values are never asked for."""
    found = pages(secretsmanager, "list_secrets", "SecretList")
    return _named(({"name": one["Name"], "arn": one.get("ARN")} for one in found), query)


def keys(kms: t.Any, query: Query) -> list[Json]:
    """Keys under their first alias, or under their id where they have none."""
    aliases: dict[str, str] = {}
    for one in pages(kms, "list_aliases", "Aliases"):
        if one.get("TargetKeyId"):
            aliases.setdefault(one["TargetKeyId"], one["AliasName"].removeprefix("alias/"))
    ids = [one["KeyId"] for one in pages(kms, "list_keys", "Keys")]

    def describe(identifier: str) -> Json | None:
        answer = existing(kms, "describe_key", KeyId=identifier)
        if answer is None:
            return None
        key = answer["KeyMetadata"]
        name = aliases.get(identifier, identifier)
        return {"name": name, "id": identifier, "arn": key.get("Arn"), "state": key.get("KeyState")}

    wanted = [one for one in ids if facts.wanted(aliases.get(one, one), query.names)]
    return _named(each(describe, wanted), query)


def roles(iam: t.Any, query: Query) -> list[Json]:
    """Roles that AWS's services did not make for themselves."""
    found = pages(iam, "list_roles", "Roles")
    own = (one for one in found if not one.get("Path", "/").startswith("/aws-service-role/"))
    return _named(({"name": one["RoleName"], "arn": one.get("Arn")} for one in own), query)


def _named(found: t.Iterable[Json], query: Query) -> list[Json]:
    """What has a wanted name, by name."""
    wanted = [one for one in found if facts.wanted(one["name"], query.names)]
    return sorted(wanted, key=lambda one: str(one["name"]))


GATHERERS: dict[str, Gatherer] = {
    "sns": Gatherer("topics", "reading SNS topics", topics),
    "sqs": Gatherer("queues", "reading SQS queues", queues),
    "dynamodb": Gatherer("tables", "reading DynamoDB tables", tables),
    "s3": Gatherer("buckets", "listing S3 buckets", buckets),
    "ssm": Gatherer("parameters", "listing SSM parameters", parameters),
    "secretsmanager": Gatherer("secrets", "listing Secrets Manager's secrets", secrets),
    "kms": Gatherer("keys", "reading KMS keys", keys),
    "iam": Gatherer("roles", "listing IAM roles", roles),
}
