# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the probe's events and looks where they end; leaves nothing behind that it can help."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils import aws_facts as facts
from ansible_collections.localcloud.stack.plugins.module_utils import aws_readers as readers
from ansible_collections.localcloud.stack.plugins.module_utils import aws_reading as reading
from ansible_collections.localcloud.stack.plugins.module_utils import probe_event as probe
from ansible_collections.localcloud.stack.plugins.module_utils import probe_figures as figures
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.probe_ends import End, QueueEnd, TableEnd

Json = dict[str, t.Any]
FIRST_INTERVAL = 0.05
LAST_INTERVAL = 0.5
GROWTH = 1.2
# SNS takes no more at once.
EVENTS_AT_ONCE = 10
# Others' messages that the probe is ready to hold while it looks for its own.
MOST_WAITING = 1000


class Services(t.Protocol):
    """Where clients come from; aws_client.Clients is one."""

    def get(self, service: str) -> t.Any: ...


@dataclasses.dataclass(frozen=True)
class Request:
    """What to probe. C(rate) is in events per second, None for all at once; C(timeout) in seconds."""

    topic: str
    table: str | None = None
    queue: str | None = None
    timeout: float = 30
    until: str = "table"
    count: int = 1
    rate: float | None = None
    message_attributes: Json | None = None
    message_group_id: str | None = None


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


class Way:
    """The events of one run and how far they got."""

    def __init__(self, events: list[probe.Event]) -> None:
        self.events = events
        self.tried = 0  # how many may be under way: an error can come after SNS took an event
        self.sent: dict[str, Sent] = {}
        self.traces: dict[str, Json] = {}
        self.seen: dict[str, float] = {}

    def pending(self) -> list[probe.Event]:
        return [event for event in self.events if event.id in self.sent and event.id not in self.seen]

    def missing(self) -> list[probe.Event]:
        """Those that may still arrive."""
        return [event for event in self.events[: self.tried] if event.id not in self.seen]

    def arrived(self) -> list[probe.Event]:
        return [event for event in self.events if event.id in self.seen]

    def journeys(self) -> list[figures.Journey]:
        return [self._journey(event.id) for event in self.events]

    def _journey(self, event_id: str) -> figures.Journey:
        sent = self.sent.get(event_id)
        if sent is None:
            return figures.Journey()
        seen = self.seen.get(event_id)
        total = None if seen is None else seen - sent.start
        return figures.Journey(sent.took, sent.wall, total, self.traces.get(event_id))


class Prober:
    def __init__(
        self, services: Services, request: Request, endpoint_url: str | None, clock: Time | None = None
    ) -> None:
        self.request = request
        self.endpoint_url = endpoint_url
        self.clock = clock or Time()
        self.given = request.message_attributes or {}
        if problems := probe.request_problems(
            request.until, request.table, request.queue, request.count, request.rate, request.timeout, self.given
        ):
            raise AwsError(" ".join(problems))
        self.sns = services.get("sns")
        self.dynamodb = services.get("dynamodb") if request.until == "table" else None
        self.sqs: t.Any = services.get("sqs") if request.queue else None
        self.topic_arn = ""
        self.queue: Queue | None = None
        self.attributes: Json = {}
        self._dead_before: int | None = None

    def check(self) -> Json:
        """Finds topic, table and queue, and whether an event can get from the first to the last; else says why not."""
        with self._doing("looking for the topic"):
            self.topic_arn = self._find_topic(self.request.topic)
        found: Json = {"topic_arn": self.topic_arn, "table": None, "queue_url": None}
        if self.request.until == "table":
            found["table"] = self.request.table
            with self._doing("looking at the table"):
                self._check_table(t.cast("str", self.request.table))
        subscriptions: list[Json] = []
        if self.request.queue:
            with self._doing("looking for the queue"):
                self.queue = self._find_queue(self.request.queue)
            with self._doing("looking at the topic's subscriptions"):
                subscriptions = self._subscriptions(self.queue)
            found["queue_url"] = self.queue.url
        self.attributes = probe.attributes_for(subscriptions[0] if subscriptions else None, self.given)
        found["message_attributes"] = self.attributes
        if self.queue:
            self._check_way(self.queue, subscriptions, found)
        return found

    def run(self) -> Json:
        """Publishes the events and waits until all have arrived; what they leave is removed whatever happens."""
        result = self.check()
        way = Way(self._make_events())
        result |= {"id": way.events[0].id, "published": False}
        if len(way.events) > 1:
            result["id"] = way.events[0].id.rpartition("-")[0]
        end = self._end()
        with self._doing("looking at the queue"):
            self._dead_before = self._dead_letters()[1]
        diagnosis: probe.Diagnosis | None = None
        repeated: int | None = None
        failure: AwsError | None = None
        try:
            self._travel(way, end)
            repeated = end.repeated(way.arrived())
            if way.pending():  # before cleaning up: what's found in the queue is then still as it was
                diagnosis = self._diagnose(way, result)
        except AwsError as error:
            failure = error
        finally:
            cleanup = end.clean_up(way.arrived(), way.missing())
        result |= {
            "published": bool(way.sent),
            "latency_ms": figures.hops(way.journeys()),
            "statistics": figures.statistics(way.journeys(), repeated, end.out_of_order(way.events)),
            "cleanup": cleanup,
        }
        if failure:
            raise AwsError(f"{failure.message} {cleanup['note']}", **result)
        self._judge(way, end, diagnosis, result)
        return result

    def _judge(self, way: Way, end: End, diagnosis: probe.Diagnosis | None, result: Json) -> None:
        """Raises an AwsError unless all events arrived and nothing of them is left."""
        cleanup = result["cleanup"]
        who = f"Event {result['id']}" if len(way.events) == 1 else f"The {len(way.events)} events {result['id']}-…"
        if missing := len(way.pending()):
            if len(way.events) > 1:
                who = f"{missing} of the {len(way.events)} events {result['id']}-…"
            result["lost_at"] = diagnosis.lost_at if diagnosis else "unknown"
            places = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in result["stations"].items())
            raise AwsError(
                f"{who}, sent to topic {facts.name_of(self.topic_arn)}, did not reach {end.name} within "
                f"{self.request.timeout:g} s. Stations: {places}. {diagnosis} {cleanup['note']}",
                **result,
            )
        if not cleanup["deleted"]:
            raise AwsError(f"{who} reached {end.name}, but {cleanup['note']}", **result)

    def _doing(self, what: str) -> t.Any:
        return aws_errors(what, self.endpoint_url)

    def _make_events(self) -> list[probe.Event]:
        return probe.make_events(self.request.count, self.attributes, datetime.datetime.now(datetime.UTC))

    def _end(self) -> End:
        if self.request.until == "table":
            return TableEnd(self.dynamodb, t.cast("str", self.request.table), self.endpoint_url)
        queue = t.cast("Queue", self.queue)
        seconds = self.request.timeout + self.request.count / (self.request.rate or self.request.count)
        return QueueEnd(self.sqs, queue.name, queue.url, seconds, self.endpoint_url)

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
        if problem := probe.key_problem(table, facts.key_schema(answer["Table"])):
            raise AwsError(problem)
        status = answer["Table"].get("TableStatus", "ACTIVE")
        if status not in ("ACTIVE", "UPDATING"):
            raise AwsError(
                f"Table {table} is {status}, so nothing can be stored in it. Wait until it is ACTIVE and try again."
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
        if self.request.until == "queue":
            with self._doing("looking at the queue"):
                depth = facts.queue_depth(self._attributes(queue.url))
            if depth["in_flight"] or depth["visible"] > MOST_WAITING:
                raise AwsError(
                    f"Queue {queue.name} has {depth['visible']} waiting messages and {depth['in_flight']} that "
                    f"somebody works on; until: queue wants a queue that nobody else reads, with at most "
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

    def _travel(self, way: Way, end: End) -> None:
        """Sends events when they are due and looks for those under way, until all have arrived or time is up."""
        start = self.clock.now()
        interval, next_look = FIRST_INTERVAL, start + FIRST_INTERVAL
        while True:
            if due := self._due(way, start):
                self._publish(way, due)
            unsent = len(way.sent) < len(way.events)
            if self._due(way, start) and self.clock.now() < next_look:
                continue
            found = self._look(way, end, patient=not unsent)
            left = max(one.start for one in way.sent.values()) + self.request.timeout - self.clock.now()
            if not unsent and (not way.pending() or left <= 0):
                return
            interval = FIRST_INTERVAL if found else interval
            if not (found and end.gives_portions):
                self.clock.sleep(max(0.0, min(interval, self._until_next(way, start) if unsent else left)))
            next_look = self.clock.now() + FIRST_INTERVAL
            interval = min(LAST_INTERVAL, interval * GROWTH)

    def _due(self, way: Way, start: float) -> list[probe.Event]:
        """The next events to send, as many as SNS takes at once."""
        done, rate = len(way.sent), self.request.rate
        by_now = len(way.events) if rate is None else int((self.clock.now() - start) * rate) + 1
        return way.events[done : min(done + EVENTS_AT_ONCE, by_now)]

    def _until_next(self, way: Way, start: float) -> float:
        return start + len(way.sent) / self.request.rate - self.clock.now() if self.request.rate else 0.0

    def _look(self, way: Way, end: End, patient: bool) -> bool:
        """Whether any of those under way has arrived."""
        pending = way.pending()
        found = end.arrived(pending, patient) if pending else {}
        now = self.clock.now()
        for event_id, trace in found.items():
            way.seen.setdefault(event_id, now)
            way.traces.setdefault(event_id, trace)
        return bool(found)

    def _publish(self, way: Way, events: list[probe.Event]) -> None:
        start, wall = self.clock.now(), self.clock.wall() * 1000
        way.tried += len(events)
        with self._doing(f"publishing to topic {facts.name_of(self.topic_arn)}"):
            refused = self._send(events)
        took = self.clock.now() - start
        for event in events:
            if event.id not in refused:
                way.sent[event.id] = Sent(start, wall, took)
        if refused:
            raise AwsError(
                f"Topic {facts.name_of(self.topic_arn)} refused {len(refused)} of {len(events)} events sent at once "
                f"({next(iter(refused.values()))}). Correct what it names, or send fewer by count and rate."
            )

    def _send(self, events: list[probe.Event]) -> dict[str, str]:
        """Publishes; what SNS refused and why, by the event's identifier."""
        requests = [
            {"Message": event.message, "MessageAttributes": event.attributes, **self._fifo(event)} for event in events
        ]
        if len(requests) == 1:
            self.sns.publish(TopicArn=self.topic_arn, **requests[0])
            return {}
        entries = [{"Id": str(number), **one} for number, one in enumerate(requests)]
        answer = self.sns.publish_batch(TopicArn=self.topic_arn, PublishBatchRequestEntries=entries)
        return {
            events[int(one["Id"])].id: f"{one.get('Code')}: {one.get('Message') or 'no message'}"
            for one in answer.get("Failed", [])
        }

    def _fifo(self, event: probe.Event) -> dict[str, str]:
        """A group for each event, unless one is given: then none waits for another."""
        group = self.request.message_group_id
        if self.topic_arn.endswith(".fifo"):
            return {"MessageGroupId": group or event.id, "MessageDeduplicationId": event.id}
        return {"MessageGroupId": group} if group else {}

    def _diagnose(self, way: Way, result: Json) -> probe.Diagnosis:
        """Why events are missing; adds to the result how many are where."""
        diagnosis, evidence = probe.NO_QUEUE, None
        if self.queue:
            try:
                with self._doing("looking why the event did not arrive"):
                    evidence = self._evidence(self.queue, way)
                diagnosis = probe.diagnose(evidence)
            except AwsError as error:
                diagnosis = probe.Diagnosis("unknown", "Why cannot be said", error.message.rstrip("."))
        to_table = self.request.until == "table"
        result["stations"] = probe.stations(len(way.sent), len(way.seen), evidence, to_table)
        if evidence:
            result["evidence"] = {
                "subscriptions": evidence.subscriptions,
                "depth": evidence.depth,
                "policy_allows": probe.policy_allows(evidence.policy, evidence.topic_arn, evidence.queue_arn),
                "dead_letter_queue": evidence.dead_letter_queue,
                "new_dead_letters": evidence.new_dead_letters,
            }
        return diagnosis

    def _evidence(self, queue: Queue, way: Way) -> probe.Evidence:
        attributes = self._attributes(queue.url)
        dead_letter_queue, dead_letters = self._dead_letters()
        return probe.Evidence(
            topic=facts.name_of(self.topic_arn),
            queue=queue.name,
            table=self.request.table if self.request.until == "table" else None,
            subscriptions=self._subscriptions(queue),
            depth=facts.queue_depth(attributes),
            policy=facts.parse_document(attributes.get("Policy")),
            topic_arn=self.topic_arn,
            queue_arn=queue.arn,
            dead_letter_queue=dead_letter_queue,
            new_dead_letters=None if dead_letters is None else max(0, dead_letters - (self._dead_before or 0)),
            attributes=self.attributes,
            message=way.events[0].message,
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
