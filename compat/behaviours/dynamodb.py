"""DynamoDB: tables, conditions, transactions, indexes, TTL, streams."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from compat.aws import Aws, is_met, refused, typed
from compat.contract import Contract

behaviour = Contract()
GUIDE = "amazondynamodb/latest/developerguide/"
API = "amazondynamodb/latest/APIReference/"


@behaviour(
    "dynamodb.item.roundtrip",
    "An item comes back with texts, numbers of 38 digits, binaries, sets, lists and maps as they were put",
    source=GUIDE + "HowItWorks.NamingRulesDataTypes.html",
    hurts="lost",
    without="items come back with other values",
    features=["tables"],
)
def roundtrip(aws: Aws) -> str | None:
    table = aws.table()
    item: dict[str, Any] = {
        "id": {"S": "a"},
        "number": {"N": "12345678901234567890123456789012345678"},
        "data": {"B": b"\x00\xff"},
        "set": {"SS": ["a", "b"]},
        "list": {"L": [{"NULL": True}, {"BOOL": False}]},
        "map": {"M": {"a": {"S": ""}}},
    }
    aws.dynamodb.put_item(TableName=table, Item=item)
    found = aws.item(table, id="a")
    if "set" in found:
        found["set"]["SS"].sort()
    wrong = [name for name in item if found.get(name) != item[name]]
    return is_met(not wrong, f"{', '.join(wrong)} differ")


@behaviour(
    "dynamodb.condition.put",
    "A put with attribute_not_exists is refused where the item is there, and gives the old item when asked",
    source=GUIDE + "Expressions.ConditionExpressions.html",
    hurts="lost",
    without="a consumer that is to write once overwrites",
)
def condition(aws: Aws) -> str | None:
    table = aws.table()
    aws.put(table, id="a", number=1)
    try:
        aws.dynamodb.put_item(
            TableName=table,
            Item=typed({"id": "a", "number": 2}),
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        answer: dict[str, Any] = dict(error.response)
        code = error.response["Error"]["Code"]
        if code != "ConditionalCheckFailedException":
            return f"refused with {code}"
        return is_met(answer.get("Item", {}).get("number") == {"N": "1"}, "the old item is not given")
    return "accepted"


@behaviour(
    "dynamodb.update.counter",
    "Concurrent updates by ADD lose nothing",
    source=GUIDE + "Expressions.UpdateExpressions.html",
    hurts="lost",
    without="counters lose updates",
)
def counter(aws: Aws) -> str | None:
    table = aws.table()

    def add(_number: int) -> None:
        aws.dynamodb.update_item(
            TableName=table,
            Key=typed({"id": "a"}),
            UpdateExpression="ADD seen :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    found = aws.item(table, id="a").get("seen", {}).get("N")
    return is_met(found == "40", "updates are lost")


@behaviour(
    "dynamodb.update.reserved",
    "An expression with a reserved word is refused",
    source=GUIDE + "ReservedWords.html",
    hurts="accepted",
    without="an expression that AWS refuses passes",
)
def reserved(aws: Aws) -> str | None:
    given = {"UpdateExpression": "SET size = :a", "ExpressionAttributeValues": {":a": {"S": "b"}}}
    return refused(aws.dynamodb.update_item, "Validation", TableName=aws.table(), Key=typed({"id": "a"}), **given)


@behaviour(
    "dynamodb.item.empty_key",
    "A key that is an empty text is refused",
    source=GUIDE + "HowItWorks.NamingRulesDataTypes.html",
    hurts="accepted",
    without="an item that AWS refuses passes",
)
def empty_key(aws: Aws) -> str | None:
    return refused(aws.dynamodb.put_item, "Validation", TableName=aws.table(), Item=typed({"id": ""}))


@behaviour(
    "dynamodb.item.limit",
    "An item above 400 KB is refused",
    source=GUIDE + "Constraints.html",
    hurts="accepted",
    without="an item that AWS refuses passes",
)
def item_limit(aws: Aws) -> str | None:
    item = typed({"id": "a", "text": "x" * (400 * 1024)})
    return refused(aws.dynamodb.put_item, "Validation", TableName=aws.table(), Item=item)


@behaviour(
    "dynamodb.batch.twice",
    "BatchWriteItem with the same key twice is refused",
    source=API + "API_BatchWriteItem.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def batch_twice(aws: Aws) -> str | None:
    table = aws.table()
    requests = [{"PutRequest": {"Item": typed({"id": "a"})}}] * 2
    return refused(aws.dynamodb.batch_write_item, "Validation", RequestItems={table: requests})


@behaviour(
    "dynamodb.batch.limit",
    "BatchWriteItem with more than 25 requests is refused",
    source=API + "API_BatchWriteItem.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def batch_limit(aws: Aws) -> str | None:
    table = aws.table()
    requests = [{"PutRequest": {"Item": typed({"id": str(number)})}} for number in range(26)]
    return refused(aws.dynamodb.batch_write_item, "Validation", RequestItems={table: requests})


@behaviour(
    "dynamodb.query.pages",
    "Query gives pages of at most Limit items in the range key's order, with LastEvaluatedKey",
    source=GUIDE + "Query.Pagination.html",
    hurts="lost",
    without="a reader that follows pages misses items",
)
def pages(aws: Aws) -> str | None:
    table = aws.table(range_key="at")
    for one in ("3", "1", "2"):
        aws.put(table, id="a", at=one)
    found: list[str] = []
    more: dict[str, Any] = {}
    for _page in range(4):
        answer = aws.dynamodb.query(
            TableName=table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": "a"}},
            Limit=2,
            **more,
        )
        found += [one["at"]["S"] for one in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    return is_met(found == ["1", "2", "3"], f"the items are {found}")


@behaviour(
    "dynamodb.scan.filtered_pages",
    "Limit counts items before the filter, so that a page may be empty and have LastEvaluatedKey",
    source=GUIDE + "Scan.html",
    hurts="wrong",
    without="a reader that stops at an empty page passes its tests and misses items on AWS",
)
def filtered_pages(aws: Aws) -> str | None:
    table = aws.table(range_key="at")
    for one in ("1", "2", "3"):
        aws.put(table, id="a", at=one, kind="yes" if one == "3" else "no")
    answer = aws.dynamodb.query(
        TableName=table,
        KeyConditionExpression="id = :id",
        FilterExpression="kind = :yes",
        ExpressionAttributeValues={":id": {"S": "a"}, ":yes": {"S": "yes"}},
        Limit=2,
    )
    return is_met(not answer["Items"] and "LastEvaluatedKey" in answer, "the first page has the item")


@behaviour(
    "dynamodb.transaction.all_or_nothing",
    "TransactWriteItems writes nothing where one condition fails, and says which",
    source=API + "API_TransactWriteItems.html",
    hurts="lost",
    without="a transaction writes a part",
)
def transaction(aws: Aws) -> str | None:
    table = aws.table()
    aws.put(table, id="b")
    puts = [
        {"Put": {"TableName": table, "Item": typed({"id": one}), "ConditionExpression": "attribute_not_exists(id)"}}
        for one in "ab"
    ]
    try:
        aws.dynamodb.transact_write_items(TransactItems=puts)
    except ClientError as error:
        reasons = [one.get("Code") for one in error.response.get("CancellationReasons", [])]
        if aws.item(table, id="a"):
            return "a part is written"
        return is_met(reasons == ["None", "ConditionalCheckFailed"], f"the reasons are {reasons}")
    return "accepted"


@behaviour(
    "dynamodb.transaction.token",
    "TransactWriteItems with the same ClientRequestToken within ten minutes writes once",
    source=API + "API_TransactWriteItems.html",
    hurts="wrong",
    without="a repeated transaction counts twice",
)
def token(aws: Aws) -> str | None:
    table, token = aws.table(), str(uuid.uuid4())
    add = {
        "Update": {
            "TableName": table,
            "Key": typed({"id": "a"}),
            "UpdateExpression": "ADD seen :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _time in range(2):
        aws.dynamodb.transact_write_items(TransactItems=[add], ClientRequestToken=token)
    found = aws.item(table, id="a").get("seen", {}).get("N")
    return is_met(found == "1", f"it is written {found} times")


@behaviour(
    "dynamodb.transaction.read",
    "TransactGetItems gives items in the order asked for, empty ones too",
    source=API + "API_TransactGetItems.html",
    hurts="wrong",
    without="items come in another order",
)
def transaction_read(aws: Aws) -> str | None:
    table = aws.table()
    aws.put(table, id="b")
    gets = [{"Get": {"TableName": table, "Key": typed({"id": one})}} for one in "ab"]
    found = ["Item" in one for one in aws.dynamodb.transact_get_items(TransactItems=gets)["Responses"]]
    return is_met(found == [False, True], f"found are {found}")


@behaviour(
    "dynamodb.index.global",
    "A global index holds items that have its key, with what it projects",
    source=GUIDE + "GSI.html",
    hurts="wrong",
    without="an index answers with other items or fields",
    features=["tables.global_indexes"],
)
def global_index(aws: Aws) -> str | None:
    table = aws.table(attributes=[_text("kind")], GlobalSecondaryIndexes=[_index("by-kind", "kind", "KEYS_ONLY")])
    aws.put(table, id="a", kind="x", more="m")
    aws.put(table, id="b", more="m")
    seen: list[Any] = []

    def found() -> bool:
        seen[:] = aws.dynamodb.scan(TableName=table, IndexName="by-kind")["Items"]
        return bool(seen)

    aws.until(found)
    return is_met(seen == [typed({"id": "a", "kind": "x"})], "items or fields differ")


@behaviour(
    "dynamodb.index.consistent",
    "A consistent read of a global index is refused",
    source=GUIDE + "HowItWorks.ReadConsistency.html",
    hurts="accepted",
    without="a read that AWS refuses passes",
)
def index_consistent(aws: Aws) -> str | None:
    table = aws.table(attributes=[_text("kind")], GlobalSecondaryIndexes=[_index("by-kind", "kind")])
    return refused(aws.dynamodb.scan, "Validation", TableName=table, IndexName="by-kind", ConsistentRead=True)


@behaviour(
    "dynamodb.index.key_type",
    "An item whose index key has another type is refused",
    source=GUIDE + "GSI.html",
    hurts="accepted",
    without="an item that AWS refuses passes",
)
def index_key_type(aws: Aws) -> str | None:
    table = aws.table(attributes=[_text("kind")], GlobalSecondaryIndexes=[_index("by-kind", "kind")])
    return refused(aws.dynamodb.put_item, "Validation", TableName=table, Item=typed({"id": "a", "kind": 1}))


@behaviour(
    "dynamodb.index.one_at_a_time",
    "One UpdateTable makes at most one index",
    source=API + "API_UpdateTable.html",
    hurts="accepted",
    without="two new indexes pass here and fail on AWS",
)
def one_index(aws: Aws) -> str | None:
    updates = [{"Create": _index(f"by-{one}", one)} for one in ("kind", "size")]
    given = {"AttributeDefinitions": [_text("kind"), _text("size")], "GlobalSecondaryIndexUpdates": updates}
    return refused(aws.dynamodb.update_table, ("LimitExceeded", "Validation"), TableName=aws.table(), **given)


@behaviour(
    "dynamodb.index.many_keys",
    "A global index may have several hash attributes",
    source=GUIDE + "GSI.DesignPattern.MultiAttributeKeys.html",
    hurts="missing",
    without="an index with several hash attributes is refused",
)
def many_keys(aws: Aws) -> str | None:
    index = _index("by-both", "kind")
    index["KeySchema"].append({"AttributeName": "size", "KeyType": "HASH"})
    aws.table(attributes=[_text("kind"), _text("size")], GlobalSecondaryIndexes=[index])
    return None


@behaviour(
    "dynamodb.index.local",
    "A local index orders a hash key's items by another attribute and can be read consistently",
    source=GUIDE + "LSI.html",
    hurts="wrong",
    without="a local index answers with other items or in another order",
    features=["tables.local_indexes"],
)
def local_index(aws: Aws) -> str | None:
    keys = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}]
    index = {"IndexName": "by-size", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    table = aws.table(range_key="at", attributes=[_text("size")], LocalSecondaryIndexes=[index])
    aws.put(table, id="a", at="1", size="l")
    aws.put(table, id="a", at="2", size="b")
    answer = aws.dynamodb.query(
        TableName=table,
        IndexName="by-size",
        ConsistentRead=True,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "a"}},
    )
    found = [one["size"]["S"] for one in answer["Items"]]
    return is_met(found == ["b", "l"], f"the order is {found}")


@behaviour(
    "dynamodb.ttl.expires",
    "An item whose TTL attribute is in the past is removed",
    source=GUIDE + "TTL.html",
    hurts="lost",
    without="expired items stay for ever",
    features=["tables.ttl"],
    aws=False,
    slow=True,
)
def ttl(aws: Aws) -> str | None:
    table = _expiring(aws)
    aws.put(table, id="old", until=int(time.time()) - 60)
    return is_met(aws.until(lambda: not aws.item(table, id="old"), 100), "the item stays")


@behaviour(
    "dynamodb.ttl.keeps_others",
    "An item whose TTL attribute is a text, or more than five years old, stays",
    source=GUIDE + "howitworks-ttl.html",
    hurts="lost",
    without="items go that AWS keeps",
    features=["tables.ttl"],
    aws=False,
    slow=True,
)
def ttl_keeps(aws: Aws) -> str | None:
    table = _expiring(aws)
    aws.put(table, id="text", until=str(int(time.time()) - 60))
    aws.put(table, id="ancient", until=int(time.time()) - 6 * 365 * 86400)
    aws.put(table, id="old", until=int(time.time()) - 60)
    # All that is to go goes in the same round.
    if not aws.until(lambda: not aws.item(table, id="old"), 100):
        return "nothing is removed at all"
    gone = [one for one in ("text", "ancient") if not aws.item(table, id=one)]
    return is_met(not gone, f"removed are {gone}")


@behaviour(
    "dynamodb.ttl.read",
    "A table's TTL is read back and can be switched off",
    source=API + "API_DescribeTimeToLive.html",
    hurts="differs",
    without="a table's TTL is not read back",
    features=["tables.ttl"],
    aws=False,
)
def ttl_read(aws: Aws) -> str | None:
    table = _expiring(aws)
    told = aws.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if told.get("AttributeName") != "until" or told["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        return f"the status is {told['TimeToLiveStatus']}"
    off = {"AttributeName": "until", "Enabled": False}
    aws.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=off)
    status = aws.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    return is_met(status in ("DISABLED", "DISABLING"), f"the status is {status}")


@behaviour(
    "dynamodb.stream.records",
    "A stream has each change in its order: INSERT, MODIFY, REMOVE with old and new images",
    source=GUIDE + "Streams.html",
    hurts="lost",
    without="a stream's reader misses changes",
    features=["tables.stream"],
)
def stream_records(aws: Aws) -> str | None:
    table, stream = _streaming(aws)
    aws.put(table, id="a", number=1)
    aws.put(table, id="a", number=2)
    aws.dynamodb.delete_item(TableName=table, Key=typed({"id": "a"}))
    records = aws.records(stream, 3)
    names = [one["eventName"] for one in records]
    if names != ["INSERT", "MODIFY", "REMOVE"]:
        return f"the records are {names}"
    images = records[1]["dynamodb"]["OldImage"]["number"], records[1]["dynamodb"]["NewImage"]["number"]
    return is_met(images == ({"N": "1"}, {"N": "2"}), "the images differ")


@behaviour(
    "dynamodb.stream.first",
    "The first write after a table is active is in its stream",
    source=GUIDE + "Streams.html",
    hurts="lost",
    without="the first changes of a new table are missing in its stream",
    features=["tables.stream"],
)
def stream_first(aws: Aws) -> str | None:
    table, stream = _streaming(aws)
    aws.put(table, id="first")
    return is_met(aws.records(stream, 1, 8), "the record is missing")


@behaviour(
    "dynamodb.stream.unchanged",
    "A write that changes nothing makes no record",
    source=GUIDE + "Streams.html",
    hurts="wrong",
    without="a stream's reader sees changes that are none",
    features=["tables.stream"],
)
def stream_unchanged(aws: Aws) -> str | None:
    table, stream = _streaming(aws)
    for _time in range(2):
        aws.put(table, id="a")
    aws.put(table, id="b")
    names = [one["dynamodb"]["Keys"]["id"]["S"] for one in aws.records(stream, 2)]
    return is_met(names == ["a", "b"], f"the records are of {names}")


@behaviour(
    "dynamodb.stream.keys_only",
    "A stream of type KEYS_ONLY has no images",
    source=GUIDE + "Streams.html",
    hurts="wrong",
    without="a stream's reader relies on images that AWS leaves out",
    features=["tables.stream"],
)
def stream_keys(aws: Aws) -> str | None:
    table, stream = _streaming(aws, "KEYS_ONLY")
    aws.put(table, id="a")
    (record,) = aws.records(stream) or [{"dynamodb": {"NewImage": "missing"}}]
    return is_met("NewImage" not in record["dynamodb"], "there is an image, or no record")


@behaviour(
    "dynamodb.stream.again",
    "A stream can be switched off and on, and has another ARN then",
    source=GUIDE + "Streams.html",
    hurts="missing",
    without="a stream can't be switched on again",
    features=["tables.stream"],
)
def stream_again(aws: Aws) -> str | None:
    table, stream = _streaming(aws)
    aws.dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    aws.until(lambda: aws.described(table)["TableStatus"] == "ACTIVE")
    on = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    aws.dynamodb.update_table(TableName=table, StreamSpecification=on)
    return is_met(aws.described(table).get("LatestStreamArn") not in (None, stream), "the ARN is the same")


@behaviour(
    "dynamodb.pitr.restore",
    "A restore to an earlier time has the items of that time",
    source=GUIDE + "pointintimerecovery_restores.html",
    hurts="lost",
    without="a restore to an earlier time gives the present's items or none",
    features=["tables.point_in_time_recovery"],
    aws=False,
)
def restore(aws: Aws) -> str | None:
    table, target = aws.table(), aws.name("restored")
    on = {"PointInTimeRecoveryEnabled": True}
    aws.dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=on)
    aws.put(table, id="a", number=1)
    wanted = time.time() + 2
    aws.until(lambda: time.time() > wanted + 2, 10)
    aws.put(table, id="a", number=2)
    aws.afterwards(aws.dynamodb.delete_table, TableName=target)
    aws.dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, RestoreDateTime=wanted)
    aws.until(lambda: aws.described(target)["TableStatus"] == "ACTIVE", 20)
    found = aws.item(target, id="a").get("number")
    return is_met(found == {"N": "1"}, "the items are those of the present" if found else "the item is missing")


@behaviour(
    "dynamodb.pitr.read",
    "Point-in-time recovery is read back",
    source=API + "API_DescribeContinuousBackups.html",
    hurts="differs",
    without="point-in-time recovery is not read back",
    features=["tables.point_in_time_recovery"],
)
def pitr_read(aws: Aws) -> str | None:
    table = aws.table()
    on = {"PointInTimeRecoveryEnabled": True}
    aws.dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=on)
    told = aws.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    status = told.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return is_met(status == "ENABLED", f"the status is {status}")


@behaviour(
    "dynamodb.table.deletion_protection",
    "A table with deletion protection is not deleted",
    source=API + "API_DeleteTable.html",
    hurts="lost",
    without="a protected table is deleted",
    features=["tables.aws_deletion_protection"],
)
def protection(aws: Aws) -> str | None:
    table = aws.table(DeletionProtectionEnabled=True)
    seen = refused(aws.dynamodb.delete_table, ("Validation", "ResourceInUse"), TableName=table)
    if seen is None:
        aws.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    return seen


@behaviour(
    "dynamodb.table.again",
    "CreateTable of a table that is there is refused",
    source=API + "API_CreateTable.html",
    hurts="accepted",
    without="two owners of one name are not noticed",
)
def again(aws: Aws) -> str | None:
    table = aws.table()
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    given = {
        "TableName": table,
        "KeySchema": keys,
        "AttributeDefinitions": [_text("id")],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return refused(aws.dynamodb.create_table, "ResourceInUse", **given)


@behaviour(
    "dynamodb.table.unused_attribute",
    "An attribute definition that no key uses is refused",
    source=API + "API_CreateTable.html",
    hurts="accepted",
    without="a table that AWS refuses passes",
)
def unused_attribute(aws: Aws) -> str | None:
    name, keys = aws.name("t"), [{"AttributeName": "id", "KeyType": "HASH"}]
    aws.afterwards(aws.dynamodb.delete_table, TableName=name)
    given = {"KeySchema": keys, "AttributeDefinitions": [_text("id"), _text("more")], "BillingMode": "PAY_PER_REQUEST"}
    return refused(aws.dynamodb.create_table, "Validation", TableName=name, **given)


@behaviour(
    "dynamodb.table.class",
    "A table's class is read back",
    source=API + "API_DescribeTable.html",
    hurts="differs",
    without="a table's class is not read back",
    features=["tables.table_class"],
)
def table_class(aws: Aws) -> str | None:
    table = aws.table(TableClass="STANDARD_INFREQUENT_ACCESS")
    found = aws.described(table).get("TableClassSummary", {}).get("TableClass")
    return is_met(found == "STANDARD_INFREQUENT_ACCESS", f"the class is {found}")


@behaviour(
    "dynamodb.table.encryption",
    "A table's encryption with a key is read back",
    source=API + "API_DescribeTable.html",
    hurts="differs",
    without="a table's encryption is not read back",
    features=["tables.encryption"],
)
def encryption(aws: Aws) -> str | None:
    key = aws.kms.describe_key(KeyId=aws.key())["KeyMetadata"]["Arn"]
    table = aws.table(SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key})
    told = aws.described(table).get("SSEDescription", {})
    return is_met((told.get("SSEType"), told.get("KMSMasterKeyArn")) == ("KMS", key), "the key is not read back")


@behaviour(
    "dynamodb.table.billing",
    "The billing mode and the provisioned units are read back",
    source=API + "API_DescribeTable.html",
    hurts="differs",
    without="a table's billing mode is not read back",
    features=["tables.billing_mode_provisioned"],
)
def billing(aws: Aws) -> str | None:
    table = aws.table(billing="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 2, "WriteCapacityUnits": 3})
    told = aws.described(table)
    units = told["ProvisionedThroughput"]["ReadCapacityUnits"], told["ProvisionedThroughput"]["WriteCapacityUnits"]
    mode = told.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return is_met((mode, units) == ("PROVISIONED", (2, 3)), f"mode and units are {mode}, {units}")


@behaviour(
    "dynamodb.partiql.select",
    "PartiQL selects by key",
    source=GUIDE + "ql-reference.select.html",
    hurts="missing",
    without="statements of PartiQL fail",
)
def partiql(aws: Aws) -> str | None:
    table = aws.table()
    aws.put(table, id="a", number=1)
    statement = f'SELECT * FROM "{table}" WHERE id = ?'
    found = aws.dynamodb.execute_statement(Statement=statement, Parameters=[{"S": "a"}])["Items"]
    return is_met(found == [typed({"id": "a", "number": 1})], f"{len(found)} items come")


def _text(name: str) -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": "S"}


def _index(name: str, key: str, projection: str = "ALL") -> dict[str, Any]:
    schema = [{"AttributeName": key, "KeyType": "HASH"}]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": projection}}


def _expiring(aws: Aws) -> str:
    """A table whose items go at `until`."""
    table = aws.table()
    on = {"AttributeName": "until", "Enabled": True}
    aws.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=on)
    return table


def _streaming(aws: Aws, view: str = "NEW_AND_OLD_IMAGES") -> tuple[str, str]:
    """A table and its stream's ARN."""
    table = aws.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    return table, str(aws.described(table)["LatestStreamArn"])
