"""Kinesis: streams, shards, records."""

from __future__ import annotations

from typing import Any

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "streams/latest/dev/"
API = "kinesis/latest/APIReference/"


def _records(aws: Aws, stream: str, count: int, kind: str = "TRIM_HORIZON", **more: Any) -> list[Any]:
    """Records of a stream until there are enough."""
    found: list[Any] = []

    def read() -> bool:
        found.clear()
        for shard in aws.kinesis.list_shards(StreamName=stream)["Shards"]:
            place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": kind, **more}
            iterator = aws.kinesis.get_shard_iterator(**place)["ShardIterator"]
            found.extend(aws.kinesis.get_records(ShardIterator=iterator)["Records"])
        return len(found) >= count

    aws.until(read)
    return found


@behaviour(
    "kinesis.record.order",
    "A key's records come in their order, with their data",
    source=GUIDE + "key-concepts.html",
    hurts="lost",
    without="no stream can be made, or its records come in another order",
    features=["streams"],
)
def order(aws: Aws) -> str | None:
    stream = aws.stream()
    for data in (b"a", b"b", b"\x00"):
        aws.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=data)
    found = [one["Data"] for one in _records(aws, stream, 3)]
    return is_met(found == [b"a", b"b", b"\x00"], "the records differ")


@behaviour(
    "kinesis.record.batch",
    "PutRecords gives each record's shard and number",
    source=API + "API_PutRecords.html",
    hurts="lost",
    without="producers can't tell which records were lost",
)
def batch(aws: Aws) -> str | None:
    stream = aws.stream()
    records = [{"PartitionKey": str(number), "Data": b"a"} for number in range(3)]
    answer = aws.kinesis.put_records(StreamName=stream, Records=records)
    numbers = {one.get("SequenceNumber") for one in answer["Records"]}
    return is_met(answer["FailedRecordCount"] == 0 and len(numbers) == 3, "records fail or have the same number")


@behaviour(
    "kinesis.record.limit",
    "A batch of more than 500 records is refused",
    source=API + "API_PutRecords.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def batch_limit(aws: Aws) -> str | None:
    records = [{"PartitionKey": "k", "Data": b"a"}] * 501
    codes = ("InvalidArgument", "Validation")
    return refused(aws.kinesis.put_records, codes, StreamName=aws.stream(), Records=records)


@behaviour(
    "kinesis.iterator.after",
    "AFTER_SEQUENCE_NUMBER begins behind that record",
    source=API + "API_GetShardIterator.html",
    hurts="wrong",
    without="a reader that goes on after a crash reads records twice or misses some",
)
def after(aws: Aws) -> str | None:
    stream = aws.stream()
    first = aws.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"a")["SequenceNumber"]
    aws.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"b")
    found = [one["Data"] for one in _records(aws, stream, 1, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first)]
    return is_met(found == [b"b"], f"{found} come")


@behaviour(
    "kinesis.iterator.latest",
    "LATEST begins behind what is there",
    source=API + "API_GetShardIterator.html",
    hurts="wrong",
    without="a new reader gets old records",
)
def latest(aws: Aws) -> str | None:
    stream = aws.stream()
    aws.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"old")
    shard = aws.kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    place = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "LATEST"}
    iterator = aws.kinesis.get_shard_iterator(**place)["ShardIterator"]
    aws.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"new")
    found: list[bytes] = []

    def read() -> bool:
        nonlocal iterator
        answer = aws.kinesis.get_records(ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
        found.extend(one["Data"] for one in answer["Records"])
        return bool(found)

    aws.until(read)
    return is_met(found == [b"new"], f"{found} come")


@behaviour(
    "kinesis.shard.by_key",
    "Records of one key are in one shard, and ExplicitHashKey chooses it",
    source=API + "API_PutRecord.html",
    hurts="wrong",
    without="a key's records are spread over shards",
    features=["streams.shards"],
)
def shard_by_key(aws: Aws) -> str | None:
    stream = aws.stream(ShardCount=2)
    put = {"StreamName": stream, "Data": b"a", "PartitionKey": "k"}
    same = {aws.kinesis.put_record(**put)["ShardId"] for _time in range(3)}
    chosen = {aws.kinesis.put_record(ExplicitHashKey=key, **put)["ShardId"] for key in ("0", str(2**128 - 1))}
    return is_met((len(same), len(chosen)) == (1, 2), "the shards differ")


@behaviour(
    "kinesis.stream.on_demand",
    "A stream on demand has several shards and reads back as ON_DEMAND",
    source=GUIDE + "how-do-i-size-a-stream.html",
    hurts="differs",
    without="a stream's mode is not read back",
)
def on_demand(aws: Aws) -> str | None:
    stream = aws.stream(StreamModeDetails={"StreamMode": "ON_DEMAND"})
    mode = aws.stream_summary(stream).get("StreamModeDetails", {}).get("StreamMode")
    return is_met(mode == "ON_DEMAND", f"the mode is {mode}")


@behaviour(
    "kinesis.stream.retention",
    "A stream's retention can be raised and is read back",
    source=API + "API_IncreaseStreamRetentionPeriod.html",
    hurts="differs",
    without="a stream's retention is not read back",
    features=["streams.retention_hours"],
)
def retention(aws: Aws) -> str | None:
    stream = aws.stream()
    aws.kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    found = aws.stream_summary(stream)["RetentionPeriodHours"]
    return is_met(found == 48, f"the retention is {found}")


@behaviour(
    "kinesis.stream.encryption",
    "A stream's encryption with a key is read back",
    source=API + "API_StartStreamEncryption.html",
    hurts="differs",
    without="a stream's encryption is not read back",
    features=["streams.kms_key"],
)
def encryption(aws: Aws) -> str | None:
    stream, key = aws.stream(), aws.key()
    aws.kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    aws.until(lambda: aws.stream_summary(stream)["StreamStatus"] == "ACTIVE")
    told = aws.stream_summary(stream)
    found = told.get("EncryptionType"), str(told.get("KeyId", "")).rpartition("/")[2]
    return is_met(found == ("KMS", key), "the key is not read back")


@behaviour(
    "kinesis.stream.again",
    "CreateStream of a stream that is there is refused",
    source=API + "API_CreateStream.html",
    hurts="accepted",
    without="two owners of one name are not noticed",
)
def again(aws: Aws) -> str | None:
    return refused(aws.kinesis.create_stream, "ResourceInUse", StreamName=aws.stream(), ShardCount=1)


@behaviour(
    "kinesis.stream.split",
    "A split shard is closed, and its two children take its place",
    source=API + "API_SplitShard.html",
    hurts="missing",
    without="resharding can't be rehearsed",
    features=["streams.shards"],
)
def split(aws: Aws) -> str | None:
    stream = aws.stream()
    shard = aws.kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    aws.kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2**127))
    aws.until(lambda: aws.stream_summary(stream)["StreamStatus"] == "ACTIVE")
    shards = aws.kinesis.list_shards(StreamName=stream)["Shards"]
    closed = ["EndingSequenceNumber" in one["SequenceNumberRange"] for one in shards]
    return is_met(sorted(closed) == [False, False, True], f"{len(shards)} shards, {sum(closed)} closed")
