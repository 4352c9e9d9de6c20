# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the probe's event and looks for it in the table; leaves nothing behind that it can help."""

from __future__ import annotations

import datetime
import difflib
import json
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils import aws_facts as facts
from ansible_collections.localcloud.stack.plugins.module_utils import aws_gather as reader
from ansible_collections.localcloud.stack.plugins.module_utils import probe_event as probe
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError

Json = dict[str, t.Any]
FIRST_INTERVAL = 0.05
LAST_INTERVAL = 0.5
GROWTH = 1.2


class Services(t.Protocol):
    """Where clients come from; aws_client.Clients is one."""

    def get(self, service: str) -> t.Any: ...


class Request(t.NamedTuple):
    topic: str
    table: str
    queue: str | None = None
    timeout: float = 30


class Time(t.NamedTuple):
    """Clock and sleep, so that tests need neither."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep
    wall: t.Callable[[], float] = time.time


class Queue(t.NamedTuple):
    name: str
    url: str


class Prober:
    def __init__(
        self, services: Services, request: Request, endpoint_url: str | None, clock: Time | None = None
    ) -> None:
        self.request = request
        self.endpoint_url = endpoint_url
        self.clock = clock or Time()
        self.sns = services.get("sns")
        self.dynamodb = services.get("dynamodb")
        self.sqs: t.Any = services.get("sqs") if request.queue else None
        self.topic_arn = ""
        self.queue: Queue | None = None
        self._dead_before: int | None = None

    def check(self) -> Json:
        """Finds topic, table and queue, or says which of them is missing."""
        with self._doing("looking for the topic"):
            self.topic_arn = self._find_topic(self.request.topic)
        with self._doing("looking at the table"):
            self._check_table(self.request.table)
        if self.request.queue:
            with self._doing("looking for the queue"):
                self.queue = self._find_queue(self.request.queue)
        return {
            "topic_arn": self.topic_arn,
            "table": self.request.table,
            "queue_url": self.queue.url if self.queue else None,
        }

    def run(self) -> Json:
        """Publishes the event and waits for its item, which is removed whatever happens."""
        result = self.check()
        event = probe.make_event(datetime.datetime.now(datetime.UTC))
        result |= {"id": event.id, "published": False}
        with self._doing("looking at the queue"):
            self._dead_before = self._dead_letters()[1]
        start, started_at = self.clock.now(), self.clock.wall() * 1000
        published: float | None = None
        item: Json | None = None
        failure: AwsError | None = None
        try:
            self._publish(event)
            published = self.clock.now() - start
            result["published"] = True
            item = self._await_item(event, start)
        except AwsError as error:
            failure = error
        finally:
            total = self.clock.now() - start if item else None
            # Before cleaning up: what's found in the queue is then still as it was.
            diagnosis = self._diagnose(result) if published is not None and item is None and failure is None else None
            cleanup = self._clean_up(event, certain=item is not None)
        result |= {
            "latency_ms": probe.latencies((item or {}).get("Trace"), published, total, started_at),
            "cleanup": cleanup,
        }
        if failure:
            raise AwsError(f"{failure.message} {cleanup['note']}", **result)
        if item is None:
            result["lost_at"] = diagnosis.lost_at if diagnosis else "unknown"
            raise AwsError(
                f"Event {event.id}, sent to topic {facts.name_of(self.topic_arn)}, did not reach table "
                f"{self.request.table} "
                f"within {self.request.timeout:g} s. {diagnosis} {cleanup['note']}",
                **result,
            )
        if not cleanup["deleted"]:
            raise AwsError(f"Event {event.id} reached table {self.request.table}, but {cleanup['note']}", **result)
        return result

    def _doing(self, what: str) -> t.Any:
        return aws_errors(what, self.endpoint_url)

    def _find_topic(self, topic: str) -> str:
        arns = [one["TopicArn"] for one in reader.pages(self.sns, "list_topics", "Topics")]
        for arn in arns:
            if topic in (arn, facts.name_of(arn)):
                return t.cast("str", arn)
        near = self._near(topic, arns if topic.startswith("arn:") else [facts.name_of(arn) for arn in arns])
        raise AwsError(
            f"Topic {topic} does not exist{self._here()}{near}; likely it is not made yet or lies in another region "
            f"or account. "
            "Create it, or correct topic and region."
        )

    def _check_table(self, table: str) -> None:
        answer = reader.existing(self.dynamodb, "describe_table", TableName=table)
        if answer is None:
            near = self._near(table, reader.pages(self.dynamodb, "list_tables", "TableNames"))
            raise AwsError(
                f"Table {table} does not exist{self._here()}{near}; likely it is not made yet or lies in another "
                f"region or account. "
                "Create it, or correct table and region."
            )
        if problem := probe.key_problem(table, facts.key_schema(answer["Table"])):
            raise AwsError(problem)
        status = answer["Table"].get("TableStatus", "ACTIVE")
        if status not in ("ACTIVE", "UPDATING"):
            raise AwsError(
                f"Table {table} is {status}, so nothing can be stored in it. Wait until it is ACTIVE and try again."
            )

    def _find_queue(self, queue: str) -> Queue:
        name = facts.name_of(queue)
        answer = reader.existing(self.sqs, "get_queue_url", QueueName=name)
        if answer is None:
            names = [
                facts.name_of(url)
                for url in reader.pages(self.sqs, "list_queues", "QueueUrls", PaginationConfig={"PageSize": 1000})
            ]
            raise AwsError(
                f"Queue {name} does not exist{self._here()}{self._near(name, names)}; likely it is not made yet or "
                f"lies in another region "
                "or account. Create it, or correct queue and region."
            )
        return Queue(name, answer["QueueUrl"])

    def _here(self) -> str:
        return f" at {self.endpoint_url}" if self.endpoint_url else ""

    @staticmethod
    def _near(name: str, names: list[str]) -> str:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if close:
            return f" (there is {', '.join(close)})"
        return "" if names else " (there is none at all)"

    def _publish(self, event: probe.Event) -> None:
        more: dict[str, str] = {}
        if self.topic_arn.endswith(".fifo"):
            more = {"MessageGroupId": event.id, "MessageDeduplicationId": event.id}
        with self._doing(f"publishing to topic {facts.name_of(self.topic_arn)}"):
            self.sns.publish(TopicArn=self.topic_arn, Message=event.message, MessageAttributes=event.attributes, **more)

    def _await_item(self, event: probe.Event, start: float) -> Json | None:
        interval = FIRST_INTERVAL
        while True:
            with self._doing(f"reading table {self.request.table}"):
                answer = self.dynamodb.get_item(TableName=self.request.table, Key=event.key, ConsistentRead=True)
            if answer.get("Item"):
                return facts.plain_item(answer["Item"])
            left = start + self.request.timeout - self.clock.now()
            if left <= 0:
                return None
            self.clock.sleep(min(interval, left))
            interval = min(LAST_INTERVAL, interval * GROWTH)

    def _clean_up(self, event: probe.Event, certain: bool) -> Json:
        """Removes the item. Never raises: a failure to clean up must not hide why it came to that."""
        by_hand = f"aws dynamodb delete-item --table-name {self.request.table} --key '{json.dumps(event.key)}'"
        if region := self.dynamodb.meta.region_name:
            by_hand += f" --region {region}"
        if self.endpoint_url:
            by_hand += f" --endpoint-url {self.endpoint_url}"
        try:
            with self._doing(f"removing the probe's item from table {self.request.table}"):
                answer = self.dynamodb.delete_item(TableName=self.request.table, Key=event.key, ReturnValues="ALL_OLD")
        except AwsError as error:
            note = f"its item could not be removed ({error.message}) Remove it with: {by_hand}"
            return {"deleted": False, "late_arrival_possible": not certain, "note": note}
        # In an emulator that doesn't return the old item a removal that succeeded is enough, if the item was seen.
        deleted = certain or bool(answer.get("Attributes"))
        if deleted:
            return {"deleted": True, "late_arrival_possible": False, "note": "Its item was removed."}
        note = f"It may still arrive later; then remove its item with: {by_hand}"
        return {"deleted": False, "late_arrival_possible": True, "note": note}

    def _diagnose(self, result: Json) -> probe.Diagnosis:
        if not self.queue:
            return probe.NO_QUEUE
        try:
            with self._doing("looking why the event did not arrive"):
                evidence = self._evidence(self.queue)
        except AwsError as error:
            return probe.Diagnosis("unknown", "Why cannot be said", error.message.rstrip("."))
        result["evidence"] = {
            "subscriptions": evidence.subscriptions,
            "depth": evidence.depth,
            "policy_allows": probe.policy_allows(evidence.policy, evidence.topic_arn, evidence.queue_arn),
            "dead_letter_queue": evidence.dead_letter_queue,
            "new_dead_letters": evidence.new_dead_letters,
        }
        return probe.diagnose(evidence)

    def _evidence(self, queue: Queue) -> probe.Evidence:
        attributes = self._attributes(queue.url)
        arn = attributes.get("QueueArn", "")
        dead_letter_queue, dead_letters = self._dead_letters()
        return probe.Evidence(
            topic=facts.name_of(self.topic_arn),
            queue=queue.name,
            table=self.request.table,
            subscriptions=[
                one
                for one in reader.subscriptions(self.sns, self.topic_arn)
                if one["protocol"] == "sqs" and one["endpoint"] == arn
            ],
            depth=facts.queue_depth(attributes),
            policy=facts.parse_document(attributes.get("Policy")),
            topic_arn=self.topic_arn,
            queue_arn=arn,
            dead_letter_queue=dead_letter_queue,
            new_dead_letters=None if dead_letters is None else max(0, dead_letters - (self._dead_before or 0)),
        )

    def _dead_letters(self) -> tuple[str | None, int | None]:
        """The dead-letter queue's name and how many messages it holds, as far as there is one."""
        redrive = facts.redrive_facts(self._attributes(self.queue.url)) if self.queue else None
        if redrive is None:
            return None, None
        name = redrive["dead_letter_queue"]
        answer = reader.existing(self.sqs, "get_queue_url", QueueName=name)
        return name, facts.queue_depth(self._attributes(answer["QueueUrl"]))["visible"] if answer else None

    def _attributes(self, queue_url: str) -> Json:
        answer = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        return t.cast("Json", answer.get("Attributes", {}))
