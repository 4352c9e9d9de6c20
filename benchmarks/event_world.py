"""What benchmarks of events have in common: a topic, a queue and a table of their own, and the programs that work on them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = [str(PROJECT / f"apps/{name}/src") for name in ("consumer", "producer", "events")]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
LIMIT_SECONDS = 120


class World:
    """A topic, the queue that gets its messages, and a table, of the benchmark's own."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.name = f"benchmark-{uuid.uuid4().hex[:8]}"
        session = boto3.Session("test", "test", region_name=region)
        make: Callable[..., Any] = session.client
        self.sns, self.sqs, self.dynamodb = (make(one, endpoint_url=endpoint) for one in ("sns", "sqs", "dynamodb"))
        self.env = {
            "CLOUD_AWS_DEFAULTS_ENDPOINT": endpoint,
            "AWS_REGION": region,
            **{f"{kind}_NAME": self.name for kind in ("TOPIC", "QUEUE", "TABLE")},
        }

    def __enter__(self) -> World:
        # A message that is received while the queue is still being filled must stay its receiver's.
        lasting = {"VisibilityTimeout": str(2 * LIMIT_SECONDS)}
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=lasting)["QueueUrl"]
        queue = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.topic = self.sns.create_topic(Name=self.name)["TopicArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue)
        self.dynamodb.create_table(
            TableName=self.name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.sns.delete_topic(TopicArn=self.topic)
        self.sqs.delete_queue(QueueUrl=self.url)
        self.dynamodb.delete_table(TableName=self.name)

    def fill(self, events: int) -> None:
        for first in range(0, events, 10):
            entries = [
                {"Id": str(number), "MessageBody": body(number, self.topic)}
                for number in range(first, min(first + 10, events))
            ]
            assert not self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def stored(self) -> int:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, Select="COUNT", ConsistentRead=True)
        return sum(int(page["Count"]) for page in pages)


def body(number: int, topic: str) -> str:
    """A message as the producer publishes it, in the envelope in which a subscription delivers it."""
    event = {"Id": f"e{number}", "Number": number, "CreatedAt": "2026-01-02T03:04:05.678Z"}
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": str(uuid.UUID(int=number)),
            "TopicArn": topic,
            "Message": json.dumps({"attributes": {"encoding": "application/json"}, "body": json.dumps(event)}),
            "Timestamp": "2026-01-02T03:04:05.680Z",
            "MessageAttributes": {"encoding": {"Type": "String", "Value": "application/json"}},
        }
    )


class Program:
    """A process that works on a world. What it prints, as the applications do lines of JSON, is in its log."""

    def __init__(self, command: list[str], world: World, log: Path, **extra: str) -> None:
        self._log = log
        set_here = {**CREDENTIALS, "PYTHONPATH": os.pathsep.join(SOURCES), "HTTP_PORT": "0", "LOG_LEVEL": "INFO"}
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command, env={**os.environ, **set_here, **world.env, **extra}, stdout=output, stderr=output
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        # One that is stopped would not end.
        self.go_on()
        self._process.terminate()
        self._process.wait(LIMIT_SECONDS)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Raises RuntimeError if the process has ended by a failure."""
        if self._process.poll():
            raise RuntimeError(f"A program ended with {self._process.returncode}:\n{self._log.read_text()[-3000:]}")

    def ended(self) -> str | None:
        """What is in the way of its end. Raises RuntimeError if it failed."""
        self.check()
        return "it runs" if self._process.poll() is None else None

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its lines of this event; the last line may still be being written."""
        lines = self._log.read_text().splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [line for line in whole if line.get("event") == event]

    def says(self, event: str) -> None:
        """Wait for its line of this event. Raises WaitError."""

        def look() -> str | None:
            self.check()
            return None if self.said(event) else "it has not"

        wait_for(f"the program to say '{event}'", look, LIMIT_SECONDS)

    def counter(self, name: str) -> int:
        """A counter that the program shows."""
        url = f"http://127.0.0.1:{self.said('started')[0]['http_port']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return int(float(next(line.split()[1] for line in lines if line.startswith(f"{name}_total "))))
