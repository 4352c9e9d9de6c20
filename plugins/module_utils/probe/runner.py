# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the probe's events and looks where they arrive; leaves nothing behind that it can help."""

from __future__ import annotations

import datetime
import difflib
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws import facts
from ansible_collections.localcloud.stack.plugins.module_utils.aws import requests as reading
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info import readers
from ansible_collections.localcloud.stack.plugins.module_utils.probe import diagnosis as probe
from ansible_collections.localcloud.stack.plugins.module_utils.probe import sources, statistics
from ansible_collections.localcloud.stack.plugins.module_utils.probe.bucket import BucketDestination
from ansible_collections.localcloud.stack.plugins.module_utils.probe.destinations import (
    Destination,
    QueueDestination,
    TableDestination,
    key_problem,
)
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import Event, attributes_for, make_events
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request, problems
from ansible_collections.localcloud.stack.plugins.module_utils.probe.sources import QueueSource, Source, TopicSource

Json = dict[str, t.Any]
FIRST_INTERVAL = 0.05
LAST_INTERVAL = 0.5
GROWTH = 1.2
# Others' messages that the probe is ready to hold while it looks for its own.
MOST_WAITING = 1000


class Services(t.Protocol):
    """Where clients come from; aws_client.Clients is one."""

    def get(self, service: str) -> t.Any: ...


class Time(t.NamedTuple):
    """Clock and sleep, so that tests need neither."""

    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep
    wall: t.Callable[[], float] = time.time


class Queue(t.NamedTuple):
    name: str
    url: str
    arn: str


class Sent(t.NamedTuple):
    """When an event was sent: by our own clock, in ms since the epoch, and the seconds that it took."""

    start: float
    wall: float
    took: float


class Run:
    """The events of one run and how far they got."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.tried = 0  # how many may be under way: an error can come after SNS took an event
        self.sent: dict[str, Sent] = {}
        self.traces: dict[str, Json] = {}
        self.seen: dict[str, float] = {}

    def pending(self) -> list[Event]:
        return [event for event in self.events if event.id in self.sent and event.id not in self.seen]

    def missing(self) -> list[Event]:
        """Those that may still arrive."""
        return [event for event in self.events[: self.tried] if event.id not in self.seen]

    def arrived(self) -> list[Event]:
        return [event for event in self.events if event.id in self.seen]

    def journeys(self) -> list[statistics.Journey]:
        return [self._journey(event.id) for event in self.events]

    def _journey(self, event_id: str) -> statistics.Journey:
        sent = self.sent.get(event_id)
        if sent is None:
            return statistics.Journey()
        seen = self.seen.get(event_id)
        total = None if seen is None else seen - sent.start
        return statistics.Journey(sent.took, sent.wall, total, self.traces.get(event_id))


class Prober:
    """Sends events, and looks for them where they are to arrive."""

    def __init__(
        self, services: Services, request: Request, endpoint_url: str | None, clock: Time | None = None
    ) -> None:
        self.request = request
        self.endpoint_url = endpoint_url
        self.clock = clock or Time()
        self.given = request.message_attributes or {}
        if wrong := problems(request):
            raise AwsError(" ".join(wrong))
        until = request.until
        self.sns: t.Any = services.get("sns") if request.topic else None
        self.sqs: t.Any = services.get("sqs") if request.queue or until == "queue" else None
        self.dynamodb: t.Any = services.get("dynamodb") if until == "table" else None
        self.s3: t.Any = services.get("s3") if until == "bucket" else None
        self.topic_arn = ""
        self.queue: Queue | None = None  # that events go through
        self.arrives_in: Queue | None = None  # with until: queue
        self.attributes: Json = {}
        self._dead_before: int | None = None

    def check(self) -> Json:
        """Finds all that events go through, and whether an event can get into the queue; else says why not."""
        found: Json = {"topic_arn": None, "table": None, "queue_url": None}
        if self.request.topic:
            with self._doing("looking for the topic"):
                self.topic_arn = found["topic_arn"] = self._find_topic(self.request.topic)
        found |= self._check_destination()
        subscriptions: list[Json] = []
        if self.request.queue:
            with self._doing("looking for the queue"):
                self.queue = self._find_queue(self.request.queue)
            if self.topic_arn:
                with self._doing("looking at the topic's subscriptions"):
                    subscriptions = self._subscriptions(self.queue)
            found["queue_url"] = self.queue.url
        if self.request.until == "queue":
            self.arrives_in = self.queue if self.request.direct else self._arrives_in(found)
        gosoline = self.request.body is None
        self.attributes = attributes_for(subscriptions[0] if subscriptions else None, self.given, gosoline)
        found["message_attributes"] = self.attributes
        if self.queue and self.topic_arn:
            self._check_way(self.queue, subscriptions, found)
        if self.arrives_in:
            self._check_unread(self.arrives_in, found)
        return found

    def run(self) -> Json:
        """Sends the events and waits until all have arrived; what they leave is removed whatever happens."""
        result = self.check()
        run = Run(self._make_events())
        result |= {"id": run.events[0].id, "published": False}
        if len(run.events) > 1:
            result["id"] = run.events[0].id.rpartition("-")[0]
        source, destination = self._source(), self._destination()
        with self._doing("looking at the queue"):
            self._dead_before = self._dead_letters()[1]
        diagnosis: probe.Diagnosis | None = None
        repeated: int | None = None
        failure: AwsError | None = None
        try:
            self._travel(run, source, destination)
            repeated = destination.repeated(run.arrived())
            if run.pending():  # before cleaning up: what's found in the queue is then still as it was
                diagnosis = self._diagnose(run, result)
        except AwsError as error:
            failure = error
        finally:
            cleanup = destination.clean_up(run.arrived(), run.missing())
        place = self._place()
        result |= {
            "published": bool(run.sent),
            "latency_ms": statistics.hops(
                run.journeys(), place.hop if (place := self._place()) else statistics.LAST_HOP
            ),
            "statistics": statistics.statistics(run.journeys(), repeated, destination.out_of_order(run.events)),
            "cleanup": cleanup,
        }
        if failure:
            raise AwsError(f"{failure.message} {cleanup['note']}", **result)
        self._evaluate(run, source, destination, diagnosis, result)
        return result

    def _evaluate(
        self, run: Run, source: Source, destination: Destination, diagnosis: probe.Diagnosis | None, result: Json
    ) -> None:
        """Raises an AwsError unless all events arrived and nothing of them is left."""
        cleanup = result["cleanup"]
        who = f"Event {result['id']}" if len(run.events) == 1 else f"The {len(run.events)} events {result['id']}-…"
        if missing := len(run.pending()):
            if len(run.events) > 1:
                who = f"{missing} of the {len(run.events)} events {result['id']}-…"
            result["lost_at"] = diagnosis.lost_at if diagnosis else "unknown"
            places = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in result["stations"].items())
            raise AwsError(
                f"{who}, sent to {source.name}, did not reach {destination.name} within "
                f"{self.request.timeout:g} s. Stations: {places}. {diagnosis} {cleanup['note']}",
                **result,
            )
        if not cleanup["deleted"] and not cleanup.get("kept"):
            raise AwsError(f"{who} reached {destination.name}, but {cleanup['note']}", **result)

    def _doing(self, what: str) -> t.Any:
        return aws_errors(what, self.endpoint_url)

    def _make_events(self) -> list[Event]:
        now = datetime.datetime.now(datetime.UTC)
        return make_events(self.request.count, self.attributes, now, self.request.body)

    def _source(self) -> Source:
        if self.topic_arn:
            return TopicSource(self.sns, self.topic_arn)
        queue = t.cast("Queue", self.queue)
        return QueueSource(self.sqs, queue.name, queue.url)

    def _destination(self) -> Destination:
        asked = self.request
        if asked.until == "table":
            return TableDestination(self.dynamodb, t.cast("str", asked.table), asked.key, self.endpoint_url)
        if asked.until == "bucket":
            return BucketDestination(self.s3, t.cast("str", asked.bucket), asked.prefix, self.endpoint_url)
        queue = t.cast("Queue", self.arrives_in)
        seconds = asked.timeout + asked.count / (asked.rate or asked.count)
        return QueueDestination(self.sqs, queue.name, queue.url, seconds, self.endpoint_url, asked.direct)

    def _place(self) -> probe.Place | None:
        """Where the consumer puts what it makes of an event; None where the probe itself reads the queue."""
        asked = self.request
        if asked.direct:
            return None
        names = {"table": asked.table, "bucket": asked.bucket, "queue": facts.name_of(asked.arrives_in or "")}
        return probe.Place(asked.until, names[asked.until] or "")

    def _check_destination(self) -> Json:
        asked = self.request
        if asked.until == "table":
            with self._doing("looking at the table"):
                self._check_table(t.cast("str", asked.table))
            return {"table": asked.table}
        if asked.until == "bucket":
            with self._doing("looking for the bucket"):
                self._check_bucket(t.cast("str", asked.bucket))
            BucketDestination(self.s3, t.cast("str", asked.bucket), asked.prefix, self.endpoint_url)
            return {"bucket": asked.bucket}
        return {}

    def _arrives_in(self, found: Json) -> Queue:
        with self._doing("looking for the queue where events arrive"):
            queue = self._find_queue(t.cast("str", self.request.arrives_in))
        found["destination_queue_url"] = queue.url
        return queue

    def _find_topic(self, topic: str) -> str:
        arns = [one["TopicArn"] for one in reading.pages(self.sns, "list_topics", "Topics")]
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
        answer = reading.existing(self.dynamodb, "describe_table", TableName=table)
        if answer is None:
            near = self._near(table, reading.pages(self.dynamodb, "list_tables", "TableNames"))
            raise AwsError(
                f"Table {table} does not exist{self._here()}{near}; likely it is not made yet or lies in another "
                f"region or account. "
                "Create it, or correct table and region."
            )
        if problem := key_problem(table, facts.key_schema(answer["Table"]), self.request.key):
            raise AwsError(problem)
        status = answer["Table"].get("TableStatus", "ACTIVE")
        if status not in ("ACTIVE", "UPDATING"):
            raise AwsError(
                f"Table {table} is {status}, so nothing can be stored in it. Wait until it is ACTIVE and try again."
            )

    def _check_bucket(self, bucket: str) -> None:
        if reading.existing(self.s3, "head_bucket", Bucket=bucket) is not None:
            return
        names = [one["Name"] for one in reading.pages(self.s3, "list_buckets", "Buckets")]
        raise AwsError(
            f"Bucket {bucket} does not exist{self._here()}{self._near(bucket, names)}; likely it is not made yet or belongs to "
            "another account. Create it, or correct bucket."
        )

    def _find_queue(self, queue: str) -> Queue:
        name = facts.name_of(queue)
        answer = reading.existing(self.sqs, "get_queue_url", QueueName=name)
        if answer is None:
            names = [
                facts.name_of(url)
                for url in reading.pages(self.sqs, "list_queues", "QueueUrls", PaginationConfig={"PageSize": 1000})
            ]
            raise AwsError(
                f"Queue {name} does not exist{self._here()}{self._near(name, names)}; likely it is not made yet or "
                f"lies in another region "
                "or account. Create it, or correct queue and region."
            )
        url = answer["QueueUrl"]
        return Queue(name, url, self._attributes(url).get("QueueArn", ""))

    def _subscriptions(self, queue: Queue) -> list[Json]:
        found = readers.subscriptions(self.sns, self.topic_arn)
        return [one for one in found if one["protocol"] == "sqs" and one["endpoint"] == queue.arn]

    def _check_way(self, queue: Queue, subscriptions: list[Json], found: Json) -> None:
        topic = facts.name_of(self.topic_arn)
        message = self._make_events()[0].message
        if obstacle := probe.no_way(topic, queue.name, subscriptions, self.attributes, message):
            raise AwsError(f"{obstacle} Nothing was published.", **found, lost_at=obstacle.lost_at)

    def _check_unread(self, queue: Queue, found: Json) -> None:
        """Whether the probe may receive from a queue."""
        with self._doing("looking at the queue"):
            depth = facts.queue_depth(self._attributes(queue.url))
        if depth["in_flight"] or depth["visible"] > MOST_WAITING:
            raise AwsError(
                f"Queue {queue.name} has {depth['visible']} waiting messages and {depth['in_flight']} in flight; "
                f"until: queue needs a queue without other consumers, with at most "
                f"{MOST_WAITING} waiting. Nothing was published. Probe with until: table, or give another queue.",
                **found,
                lost_at="queue_to_consumer",
            )

    def _here(self) -> str:
        return f" at {self.endpoint_url}" if self.endpoint_url else ""

    @staticmethod
    def _near(name: str, names: list[str]) -> str:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if close:
            return f" (there is {', '.join(close)})"
        return "" if names else " (there is none at all)"

    def _travel(self, run: Run, source: Source, destination: Destination) -> None:
        """Sends events when they are due and looks for those under way, until all have arrived or time is up."""
        start = self.clock.now()
        interval, next_look = FIRST_INTERVAL, start + FIRST_INTERVAL
        while True:
            if due := self._due(run, start):
                self._publish(run, source, due)
            unsent = len(run.sent) < len(run.events)
            if self._due(run, start) and self.clock.now() < next_look:
                continue
            found = self._look(run, destination, patient=not unsent)
            left = max(one.start for one in run.sent.values()) + self.request.timeout - self.clock.now()
            if not unsent and (not run.pending() or left <= 0):
                return
            interval = FIRST_INTERVAL if found else interval
            if not (found and destination.gives_portions):
                self.clock.sleep(max(0.0, min(interval, self._until_next(run, start) if unsent else left)))
            next_look = self.clock.now() + FIRST_INTERVAL
            interval = min(LAST_INTERVAL, interval * GROWTH)

    def _due(self, run: Run, start: float) -> list[Event]:
        """The next events to send, as many as go into one request."""
        done, rate = len(run.sent), self.request.rate
        by_now = len(run.events) if rate is None else int((self.clock.now() - start) * rate) + 1
        return run.events[done : min(done + sources.at_once(run.events[0].message), by_now)]

    def _until_next(self, run: Run, start: float) -> float:
        return start + len(run.sent) / self.request.rate - self.clock.now() if self.request.rate else 0.0

    def _look(self, run: Run, destination: Destination, patient: bool) -> bool:
        """Whether any of those under way has arrived."""
        pending = run.pending()
        found = destination.arrived(pending, patient) if pending else {}
        now = self.clock.now()
        for event_id, trace in found.items():
            run.seen.setdefault(event_id, now)
            run.traces.setdefault(event_id, trace)
        return bool(found)

    def _publish(self, run: Run, source: Source, events: list[Event]) -> None:
        start, wall = self.clock.now(), self.clock.wall() * 1000
        run.tried += len(events)
        with self._doing(f"{'publishing' if self.topic_arn else 'sending'} to {source.name}"):
            refused = source.send(events, self.request.message_group_id)
        took = self.clock.now() - start
        for one in events:
            if one.id not in refused:
                run.sent[one.id] = Sent(start, wall, took)
        if refused:
            raise AwsError(
                f"{source.name.capitalize()} refused {len(refused)} of {len(events)} events sent at once "
                f"({next(iter(refused.values()))}). Correct what it names, or send fewer by count and rate."
            )

    def _diagnose(self, run: Run, result: Json) -> probe.Diagnosis:
        """Why events are missing; adds to the result how many are where."""
        diagnosis, evidence = probe.NO_QUEUE, None
        if self.queue:
            try:
                with self._doing("looking why the event did not arrive"):
                    evidence = self._evidence(self.queue, run)
                diagnosis = probe.diagnose(evidence)
            except AwsError as error:
                diagnosis = probe.Diagnosis("unknown", "Why cannot be said", error.message.rstrip("."))
        result["stations"] = probe.stations(len(run.sent), len(run.seen), evidence, self.request.until)
        if evidence:
            result["evidence"] = {
                "subscriptions": evidence.subscriptions,
                "depth": evidence.depth,
                "policy_allows": probe.policy_allows(evidence),
                "dead_letter_queue": evidence.dead_letter_queue,
                "new_dead_letters": evidence.new_dead_letters,
            }
        return diagnosis

    def _evidence(self, queue: Queue, run: Run) -> probe.Evidence:
        attributes = self._attributes(queue.url)
        dead_letter_queue, dead_letters = self._dead_letters()
        return probe.Evidence(
            topic=facts.name_of(self.topic_arn) if self.topic_arn else None,
            queue=queue.name,
            place=self._place(),
            subscriptions=self._subscriptions(queue) if self.topic_arn else [],
            depth=facts.queue_depth(attributes),
            policy=facts.parse_document(attributes.get("Policy")),
            topic_arn=self.topic_arn,
            queue_arn=queue.arn,
            dead_letter_queue=dead_letter_queue,
            new_dead_letters=None if dead_letters is None else max(0, dead_letters - (self._dead_before or 0)),
            attributes=self.attributes,
            message=run.events[0].message,
            gosoline=self.request.body is None,
        )

    def _dead_letters(self) -> tuple[str | None, int | None]:
        """The dead-letter queue's name and how many messages it holds, as far as there is one."""
        redrive = facts.redrive_facts(self._attributes(self.queue.url)) if self.queue else None
        if redrive is None:
            return None, None
        name = redrive["dead_letter_queue"]
        answer = reading.existing(self.sqs, "get_queue_url", QueueName=name)
        return name, facts.queue_depth(self._attributes(answer["QueueUrl"]))["visible"] if answer else None

    def _attributes(self, queue_url: str) -> Json:
        answer = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        return t.cast("Json", answer.get("Attributes", {}))
