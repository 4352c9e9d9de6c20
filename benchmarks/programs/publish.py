"""Publishes blocks of events, in turns by the producer's own step and by a bare loop of boto3, and writes the rates as JSON.

    publish.py FILE PAIRS EVENTS

What the topic delivers late must not cost the next block: the queue has all of a block before the next one begins.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from localcloud_events import logs
from localcloud_events.lifecycle import Stop
from localcloud_events.settings import load
from localcloud_producer.app import build
from localcloud_producer.pace import Pace
from localcloud_producer.settings import ProducerSettings
from localcloud_producer.topic import BATCH
from prometheus_client import CollectorRegistry

# So high that a whole batch is due at each step.
NO_PACE = 1e6
LIMIT_SECONDS = 60
ENCODING = "application/json"


def entry(number: int) -> dict[str, Any]:
    """What the producer publishes of an event, made by hand."""
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = json.dumps({"Id": str(uuid4()), "Number": number, "CreatedAt": created})
    return {
        "Id": str(number),
        "Message": json.dumps({"attributes": {"encoding": ENCODING}, "body": event}),
        "MessageAttributes": {"encoding": {"DataType": "String", "StringValue": ENCODING}},
    }


def bare(where: dict[str, Any]) -> Callable[[], object]:
    """Give what publishes ten events by boto3 alone."""
    sns: Any = boto3.client("sns", **where)
    name = os.environ["TOPIC_NAME"]
    pages = sns.get_paginator("list_topics").paginate()
    arn = next(one["TopicArn"] for page in pages for one in page["Topics"] if one["TopicArn"].endswith(f":{name}"))
    return lambda: sns.publish_batch(
        TopicArn=arn, PublishBatchRequestEntries=[entry(number) for number in range(BATCH)]
    )


def producer() -> Callable[[], object]:
    """Give the producer's own step, which publishes ten events if so many are due."""
    logs.configure("INFO")
    made = build(load(ProducerSettings), Stop(), CollectorRegistry(), logs.logger("localcloud_producer"))
    made.pace = Pace(NO_PACE, time.monotonic)
    made.connect()
    return lambda: made.step(patient=True)


class Waiting:
    """The queue's messages."""

    def __init__(self, where: dict[str, Any]) -> None:
        self._sqs: Any = boto3.client("sqs", **where)
        self._url = self._sqs.get_queue_url(QueueName=os.environ["QUEUE_NAME"])["QueueUrl"]

    def until(self, events: int) -> None:
        """Wait until so many are in the queue. Raises WaitError."""

        def look() -> str | None:
            names = ["ApproximateNumberOfMessages"]
            found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
            return None if int(found[names[0]]) == events else f"{found[names[0]]} of {events}"

        wait_for("the queue to have all that was published", look, LIMIT_SECONDS)


def rate(publish: Callable[[], object], events: int) -> float:
    """Events a second of a block."""
    begin = time.perf_counter()
    for _ in range(0, events, BATCH):
        publish()
    return events / (time.perf_counter() - begin)


def main(file: str, pairs: int, events: int) -> None:
    where: dict[str, Any] = {
        "endpoint_url": os.environ["CLOUD_AWS_DEFAULTS_ENDPOINT"],
        "region_name": os.environ["AWS_REGION"],
    }
    ways, waiting, published = {"bare": bare(where), "producer": producer()}, Waiting(where), 0
    rates: dict[str, list[float]] = {name: [] for name in ways}
    # The first pair opens the connections and is not measured.
    for pair in range(pairs + 1):
        for name in sorted(ways, reverse=bool(pair % 2)):
            found = rate(ways[name], events)
            published += events
            waiting.until(published)
            if pair:
                rates[name].append(found)
    Path(file).write_text(json.dumps(rates))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
