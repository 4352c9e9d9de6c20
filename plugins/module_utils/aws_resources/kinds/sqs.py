# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SQS: queues with their dead-letter queues and policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ADOPTED_AS, ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import is_true, name_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, TaggedEntry, given
from ..fields import Flag, Model, Whole, as_json, named, number, policy_document, short
from ..kind import Kind
from ..observe import Aws, Reader, to_int
from .kms import KeyName, key_id, key_problems
from .sns import FIFO, fifo_problems

QueueName = Annotated[
    str,
    named(
        r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?",
        "1 to 80 letters, digits, '_' or '-', and '.fifo' at the end of a FIFO queue's",
    ),
]
LONGEST_NAME = 80
# As long as SQS keeps messages: what has failed must outlive the queue that it failed in.
LONGEST_RETENTION = 1209600
# Each of our names and Crossplane's.
FIELDS = {
    "visibility_timeout_seconds": "visibilityTimeoutSeconds",
    "message_retention_seconds": "messageRetentionSeconds",
    "delay_seconds": "delaySeconds",
    "receive_wait_time_seconds": "receiveWaitTimeSeconds",
    "max_message_size": "maxMessageSize",
    "content_based_deduplication": "contentBasedDeduplication",
    "deduplication_scope": "deduplicationScope",
    "fifo_throughput_limit": "fifoThroughputLimit",
}


class DeadLetter(Model):
    """Where messages go that were received too often: a queue made for them, or a declared one."""

    max_receive_count: Annotated[Whole, number(1, 1000)] = 5
    queue: str | None = None
    message_retention_seconds: Annotated[Whole, number(60, LONGEST_RETENTION)] = LONGEST_RETENTION


class Queue(TaggedEntry):
    list_name: ClassVar[str] = "queues"
    described: ClassVar[str] = "SQS queues"
    notes: ClassVar[Mapping[str, str]] = {"name": "(with `.fifo`: a FIFO queue)"}

    name: QueueName
    visibility_timeout_seconds: Annotated[Whole, number(0, 43200)] | None = None
    message_retention_seconds: Annotated[Whole, number(60, LONGEST_RETENTION)] | None = None
    delay_seconds: Annotated[Whole, number(0, 900)] | None = None
    receive_wait_time_seconds: Annotated[Whole, number(0, 20)] | None = None
    max_message_size: Annotated[Whole, number(1024, 1048576)] | None = None
    content_based_deduplication: Flag | None = None
    deduplication_scope: Literal["queue", "messageGroup"] | None = None
    fifo_throughput_limit: Literal["perQueue", "perMessageGroupId"] | None = None
    dead_letter: DeadLetter | None = None
    policy: Annotated[dict[str, Any], policy_document(10240, principal=True)] | None = None
    kms_key: KeyName | None = None

    @property
    def fifo(self) -> bool:
        return self.name.endswith(FIFO)

    @classmethod
    def names_in(cls, raw: Mapping[str, Any]) -> list[str]:
        names = super().names_in(raw)
        made = isinstance(raw.get("dead_letter"), Mapping) and not raw["dead_letter"].get("queue")
        return [*names, *(dead_letter_name(name) for name in names if made)]

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from key_problems("kms_key", self.kms_key, context)
        yield from fifo_problems(
            self.fifo,
            content_based_deduplication=self.content_based_deduplication,
            deduplication_scope=self.deduplication_scope,
            fifo_throughput_limit=self.fifo_throughput_limit,
        )
        if self.fifo_throughput_limit == "perMessageGroupId" and self.deduplication_scope != "messageGroup":
            yield "fifo_throughput_limit", "'perMessageGroupId' needs deduplication_scope 'messageGroup'"
        if self.dead_letter and self.dead_letter.queue:
            yield from self._shared_problems(self.dead_letter.queue, context)
        elif self.dead_letter and len(made := dead_letter_name(self.name)) > LONGEST_NAME:
            yield (
                "name",
                f"leaves no room for the dead-letter queue's: {short(made)} has {len(made)} characters; AWS takes 80",
            )

    def _shared_problems(self, name: str, context: Context) -> Iterable[Problem]:
        if name == self.name:
            yield "dead_letter.queue", "is the queue itself"
        elif not context.knows("queues", name):
            yield "dead_letter.queue", f"{short(name)} is not in aws_resources_queues"
        elif name.endswith(FIFO) != self.fifo:
            yield (
                "dead_letter.queue",
                f"{short(name)} must be {'a FIFO' if self.fifo else 'no FIFO'} queue, as the queue itself",
            )

    @property
    def dead_letter_target(self) -> str | None:
        """The name of the queue that takes what has failed."""
        if self.dead_letter is None:
            return None
        return self.dead_letter.queue or dead_letter_name(self.name)

    def objects(self, context: Context) -> list[Object]:
        """The queue, and the dead-letter queue before it that is made for it: SQS refuses a queue whose own one is missing."""
        made = self._made_dead_letter()
        return [*(queue(one, context) for one in made), queue(self, context)]

    def _made_dead_letter(self) -> list[Queue]:
        if self.dead_letter is None or self.dead_letter.queue:
            return []
        return [
            # Not checked again: its name may be too long, which is reported where the entry stands.
            Queue.model_construct(
                name=dead_letter_name(self.name),
                object_name=dead_letter_name(self.object_name) if self.object_name else None,
                adopt=self.adopt,
                message_retention_seconds=self.dead_letter.message_retention_seconds,
                kms_key=self.kms_key,
                tags=self.tags,
            )
        ]


def dead_letter_name(name: str) -> str:
    """The name of the dead-letter queue that is made for a queue; a FIFO queue's must be FIFO, too."""
    return f"{name.removesuffix(FIFO)}-dlq{FIFO if name.endswith(FIFO) else ''}"


def queue(entry: Queue, context: Context) -> Object:
    """The managed resource of a queue.

    All policies are the queue's own fields: a separate QueuePolicy would take another 25 s of the provider's waiting.
    Queues are named by ARN, which is known before they exist.
    """
    target = context.target
    sources = sorted(one.name for one in context.grouped(Queue, _given_up_to).get(entry.name, ()))
    parameters: Object = {
        "name": entry.name,
        **({"fifoQueue": True} if entry.fifo else {}),
        **given(entry, FIELDS),
        **({"kmsMasterKeyId": key_id(entry.kms_key, context)} if entry.kms_key else {}),
        "tags": entry.all_tags(context),
    }
    if statements := _statements(entry, context):
        parameters["policy"] = as_json({**(entry.policy or {"Version": "2012-10-17"}), "Statement": statements})
    if entry.dead_letter and entry.dead_letter_target:
        parameters["redrivePolicy"] = as_json(
            {
                "deadLetterTargetArn": target.arn("sqs", entry.dead_letter_target),
                "maxReceiveCount": entry.dead_letter.max_receive_count,
            }
        )
    if sources:
        parameters["redriveAllowPolicy"] = as_json(
            {"redrivePermission": "byQueue", "sourceQueueArns": [target.arn("sqs", one) for one in sources]}
        )
    return context.managed(entry, "sqs", "Queue", parameters)


def _given_up_to(entry: Queue) -> tuple[str | None, ...]:
    return (entry.dead_letter_target,)


def _statements(entry: Queue, context: Context) -> list[Any]:
    """Let exactly those send that are to, such as the topics that are subscribed to; then what the queue's own policy says."""
    own = (entry.policy or {}).get("Statement", [])
    senders: dict[tuple[str, str], list[str]] = {}
    for one in context.senders.get(entry.name, ()):
        senders.setdefault((one.sid, one.service), []).append(one.arn)
    derived = [_lets_send(entry.name, *sender, sorted(arns), context) for sender, arns in sorted(senders.items())]
    return [*derived, *(own if isinstance(own, list) else [own])]


def _lets_send(name: str, sid: str, service: str, arns: Sequence[str], context: Context) -> Object:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": context.target.arn("sqs", name),
        "Condition": {"ArnEquals": {"aws:SourceArn": arns}},
    }


def _queue_attributes(aws: Aws, name: str) -> tuple[str, Json] | None:
    """A queue's URL and attributes, by its name or the last part of its URL."""
    sqs = aws.get("sqs")
    url = existing(sqs, "get_queue_url", QueueName=name.rsplit("/", 1)[-1])
    answer = url and existing(sqs, "get_queue_attributes", QueueUrl=url["QueueUrl"], AttributeNames=["All"])
    return (url["QueueUrl"], answer.get("Attributes", {})) if url and answer else None


def _queue(aws: Aws, resource: ExternalResource) -> Json | None:
    found = _queue_attributes(aws, str(resource.parameters.get("name") or resource.external_name))
    if found is None:
        return None
    url, known = found
    return {
        ADOPTED_AS: url,
        "contentBasedDeduplication": is_true(known.get("ContentBasedDeduplication")),
        "deduplicationScope": known.get("DeduplicationScope"),
        "delaySeconds": to_int(known.get("DelaySeconds")),
        "fifoQueue": is_true(known.get("FifoQueue")),
        "fifoThroughputLimit": known.get("FifoThroughputLimit"),
        "kmsMasterKeyId": known.get("KmsMasterKeyId"),
        "maxMessageSize": to_int(known.get("MaximumMessageSize")),
        "messageRetentionSeconds": to_int(known.get("MessageRetentionPeriod")),
        "name": name_of(url),
        "policy": known.get("Policy"),
        "receiveWaitTimeSeconds": to_int(known.get("ReceiveMessageWaitTimeSeconds")),
        "redriveAllowPolicy": known.get("RedriveAllowPolicy"),
        "redrivePolicy": known.get("RedrivePolicy"),
        "tags": (existing(aws.get("sqs"), "list_queue_tags", QueueUrl=url) or {}).get("Tags", {}),
        "visibilityTimeoutSeconds": to_int(known.get("VisibilityTimeout")),
    }


def _queue_part(field: str, attribute: str) -> Reader:
    """One of a queue's attributes that is a managed resource of its own."""

    def read(aws: Aws, resource: ExternalResource) -> Json | None:
        found = _queue_attributes(aws, resource.parameters["queueUrl"])
        return {field: found[1][attribute]} if found and found[1].get(attribute) else None

    return read


_QUEUE_POLICIES = {
    "policy": Rule("policy"),
    "redrivePolicy": Rule("redrive"),
    "redriveAllowPolicy": Rule("json", cleared='{"redrivePermission":"allowAll"}'),
}

KINDS = (
    Kind(
        "sqs",
        "Queue",
        Queue,
        _queue,
        immutable=frozenset({"name", "fifoQueue"}),
        looked_for=20,  # queueReadTimeout
        named_by_us=True,
        refers_to=("kms/Key",),
        compare={
            "tags": TAGS,
            **_QUEUE_POLICIES,
            "visibilityTimeoutSeconds": Rule(cleared=30),
            "messageRetentionSeconds": Rule(cleared=345600),
            "delaySeconds": Rule(cleared=0),
            "receiveWaitTimeSeconds": Rule(cleared=0),
            "maxMessageSize": Rule(cleared=262144),
            "contentBasedDeduplication": Rule(cleared=False),
            "deduplicationScope": Rule(cleared="queue"),
            "fifoThroughputLimit": Rule(cleared="perQueue"),
            "kmsMasterKeyId": Rule(cleared=""),
        },
    ),
    Kind(
        "sqs",
        "QueuePolicy",
        observe=_queue_part("policy", "Policy"),
        found_by=("queueUrl",),
        compare=_QUEUE_POLICIES,
    ),
    Kind(
        "sqs",
        "QueueRedrivePolicy",
        observe=_queue_part("redrivePolicy", "RedrivePolicy"),
        found_by=("queueUrl",),
        compare=_QUEUE_POLICIES,
    ),
    Kind(
        "sqs",
        "QueueRedriveAllowPolicy",
        observe=_queue_part("redriveAllowPolicy", "RedriveAllowPolicy"),
        found_by=("queueUrl",),
        compare=_QUEUE_POLICIES,
    ),
)
