"""How many events the consumer moves from queue to table in a second, compared with a bare loop of boto3, in turns.

    python benchmarks/consumer.py [PAIRS] [--events N] [--concurrency N]

It uses the emulator of the running stack, where it makes queues and tables and deletes them. Both are processes of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = [str(PROJECT / f"apps/{name}/src") for name in ("consumer", "events")]
# What a user would write: receives ten, writes them, deletes them.
BARE = """
import json, os, boto3
where = {"endpoint_url": os.environ["CLOUD_AWS_DEFAULTS_ENDPOINT"], "region_name": os.environ["AWS_REGION"]}
sqs, dynamodb = boto3.client("sqs", **where), boto3.client("dynamodb", **where)
url, table = sqs.get_queue_url(QueueName=os.environ["QUEUE_NAME"])["QueueUrl"], os.environ["TABLE_NAME"]
while True:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    if not messages:
        continue
    events = [json.loads(json.loads(one["Body"])["body"]) for one in messages]
    items = [{"Id": {"S": one["Id"]}, "Number": {"N": str(one["Number"])}, "CreatedAt": {"S": one["CreatedAt"]}} for one in events]
    dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
    entries = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(messages)]
    sqs.delete_message_batch(QueueUrl=url, Entries=entries)
"""
LIMIT_SECONDS = 60
# Of the events, before and after which starting and ending are not measured.
MARGIN = 0.1


class World:
    """A queue and a table of this benchmark's own."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.name = f"benchmark-{uuid.uuid4().hex[:8]}"
        where = {
            "endpoint_url": endpoint,
            "region_name": region,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        self.sqs, self.dynamodb = boto3.client("sqs", **where), boto3.client("dynamodb", **where)
        self.env = {
            "CLOUD_AWS_DEFAULTS_ENDPOINT": endpoint,
            "AWS_REGION": region,
            "QUEUE_NAME": self.name,
            "TABLE_NAME": self.name,
        }

    def __enter__(self) -> World:
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.dynamodb.create_table(
            TableName=self.name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.sqs.delete_queue(QueueUrl=self.url)
        self.dynamodb.delete_table(TableName=self.name)

    def fill(self, events: int) -> None:
        for first in range(0, events, 10):
            entries = [
                {"Id": str(number), "MessageBody": body(number)} for number in range(first, min(first + 10, events))
            ]
            assert not self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def stored(self) -> int:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, Select="COUNT", ConsistentRead=True)
        return sum(int(page["Count"]) for page in pages)


def body(number: int) -> str:
    """A message as the producer publishes it, and the subscription delivers it."""
    event = {"Id": f"e{number}", "Number": number, "CreatedAt": "2026-01-02T03:04:05Z"}
    return json.dumps({"attributes": {}, "body": json.dumps(event)})


def rate(command: list[str], world: World, events: int, extra: dict[str, str]) -> float:
    """Events a second, of a process that moves them all. RuntimeError if it does not, or loses one."""
    world.fill(events)
    running = subprocess.Popen(
        command, env={**os.environ, **world.env, **extra, "PYTHONPATH": os.pathsep.join(SOURCES), "AWS_ACCESS_KEY_ID": "test",
                      "AWS_SECRET_ACCESS_KEY": "test", "HTTP_PORT": "0", "LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    begun: tuple[float, int] | None = None
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while True:
            left, now = world.waiting(), time.monotonic()
            if begun is None and left <= events * (1 - MARGIN):
                begun = now, left
            if begun and left <= events * MARGIN:
                found = (begun[1] - left) / (now - begun[0])
                break
            if now > deadline or running.poll() is not None:
                raise RuntimeError(f"{left} of {events} are left.")
            time.sleep(0.1)
        while world.waiting() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        running.terminate()
        running.wait()
    if (stored := world.stored()) != events:
        raise RuntimeError(f"{stored} of {events} are in the table.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=int, nargs="?", default=3)
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=3)
    given = parser.parse_args()
    lines = [
        line.removeprefix("export ")
        for line in (PROJECT / ".localcloud/env").read_text().splitlines()
        if line.startswith("export ")
    ]
    known: dict[str, Any] = {line.split("=", 1)[0]: line.split("=", 1)[1].strip("'\"") for line in lines}
    ways = {
        "bare": ([sys.executable, "-c", BARE], {}),
        "consumer": ([sys.executable, "-m", "localcloud_consumer"], {"CONSUMER_CONCURRENCY": str(given.concurrency)}),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for pair in range(given.pairs):
        # Which goes first changes, as the machine may get slower.
        for name in sorted(ways, reverse=bool(pair % 2)):
            with World(known["AWS_ENDPOINT_URL"], known["AWS_REGION"]) as world:
                rates[name].append(rate(ways[name][0], world, given.events, ways[name][1]))
            print(f"{name}: {rates[name][-1]:.0f}/s", flush=True)
    ratios = [ours / bare for ours, bare in zip(rates["consumer"], rates["bare"], strict=True)]
    medians = {name: statistics.median(found) for name, found in rates.items()}
    pairs = ", ".join(f"{one:.2f}" for one in ratios)
    print(f"ratio of medians {medians['consumer'] / medians['bare']:.2f}; pair by pair {pairs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
