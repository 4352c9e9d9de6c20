"""Measure how long localstack_info takes for a large emulator, by the number of requests under way at once.

Needs the endpoint of an emulator that runs; what is made there is deleted again. Prints a Markdown table: seconds for
300 queues, 300 topics with a subscription each, 200 tables and 200 parameters, with the emulator as near as it is, and
with 20 ms more for each request, as a region of AWS has them.
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info import collect as aws_gather
from tabulate import tabulate

SERVICES = ("sns", "sqs", "dynamodb", "ssm")
WORKERS = (1, 4, 16)
DELAYS = (0.0, 0.02)
ROUNDS = 3


def connect(endpoint_url: str) -> Clients:
    clients = Clients(
        Connection(endpoint_url=endpoint_url, region="eu-central-1", access_key="test", secret_key="test")
    )
    for service in ("sts", *SERVICES):
        clients.get(service)
    return clients


def fill(clients: Clients, prefix: str) -> list[Callable[[], Any]]:
    """Make everything; what deletes it again."""
    sns, sqs, dynamodb, ssm = map(clients.get, SERVICES)

    def messaging(number: int) -> list[Callable[[], Any]]:
        name = f"{prefix}-{number}"
        topic = sns.create_topic(Name=name)["TopicArn"]
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic.replace(":sns:", ":sqs:"))
        return [lambda: sns.delete_topic(TopicArn=topic), lambda: sqs.delete_queue(QueueUrl=url)]

    def storage(number: int) -> list[Callable[[], Any]]:
        name = f"{prefix}-{number}"
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        ssm.put_parameter(Name=name, Value="v", Type="String")
        return [lambda: dynamodb.delete_table(TableName=name), lambda: ssm.delete_parameter(Name=name)]

    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(messaging, range(300)), *pool.map(storage, range(200))]
    return [undo for some in made for undo in some]


def read(clients: Clients, prefix: str, workers: int) -> float:
    """Seconds to read everything."""
    aws_gather.WORKERS = workers
    begin = time.monotonic()
    found = aws_gather.gather(clients, Query(SERVICES, names=[f"{prefix}-*"]))
    took = time.monotonic() - begin
    counts = [len(found[kind]) for kind in ("queues", "topics", "tables", "parameters")]
    assert counts == [300, 300, 200, 200], counts
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint_url")
    endpoint_url = parser.parse_args().endpoint_url
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    clients = connect(endpoint_url)
    undo = fill(clients, prefix)
    try:
        rows = []
        for delay in DELAYS:
            reader = connect(endpoint_url)
            for service in SERVICES:
                reader.get(service).meta.events.register("before-send", lambda delay=delay, **_: time.sleep(delay))
            # In turn, so that what else the machine does meets all alike.
            times = [[read(reader, prefix, workers) for workers in WORKERS] for _round in range(ROUNDS)]
            medians = [statistics.median(some) for some in zip(*times, strict=True)]
            rows.append([f"{delay * 1000:.0f}", *(f"{one:.1f}" for one in medians), f"{medians[0] / medians[-1]:.1f}"])
    finally:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one(), undo))
    headers = ["more per request, ms", *(f"{workers} at once, s" for workers in WORKERS), "times as fast"]
    print(tabulate(rows, headers, tablefmt="github"))


if __name__ == "__main__":
    main()
