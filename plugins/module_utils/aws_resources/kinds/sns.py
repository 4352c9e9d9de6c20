# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SNS: topics, and the queues' subscriptions to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import is_true
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, existing_pages

from ..comparison import POLICY, TAGS, Rule
from ..entry import Context, Entry, Object, Problem, Sender, TaggedEntry, given
from ..fields import Flag, as_json, json_problems, named, short, text
from ..kind import Kind
from ..models import AfterValidator
from ..observe import Aws, tag_map
from ..target import object_name
from .kms import KeyName, key_id, key_problems

FIFO = ".fifo"
TopicName = Annotated[
    str,
    named(
        r"(?=.{1,256}$)[A-Za-z0-9_-]+(\.fifo)?",
        "1 to 256 letters, digits, '_' or '-', and '.fifo' at the end of a FIFO topic's",
    ),
]


class Topic(TaggedEntry):
    list_name: ClassVar[str] = "topics"
    described: ClassVar[str] = "SNS topics"
    notes: ClassVar[Mapping[str, str]] = {"name": "(with `.fifo`: a FIFO topic)"}

    name: TopicName
    display_name: Annotated[str, text(100)] | None = None
    content_based_deduplication: Flag | None = None
    kms_key: KeyName | None = None

    @property
    def fifo(self) -> bool:
        return self.name.endswith(FIFO)

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from key_problems("kms_key", self.kms_key, context)
        yield from fifo_problems(self.fifo, content_based_deduplication=self.content_based_deduplication)

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            **({"fifoTopic": True} if self.fifo else {}),
            **given(self, {"display_name": "displayName", "content_based_deduplication": "contentBasedDeduplication"}),
            **({"kmsMasterKeyId": key_id(self.kms_key, context)} if self.kms_key else {}),
            "tags": self.all_tags(context),
        }
        return [context.managed(self, "sns", "Topic", parameters, external=self.name)]


def fifo_problems(fifo: bool, **options: object) -> Iterable[Problem]:
    """Options that only FIFO topics and queues have."""
    for name, value in options.items():
        if value is not None and not fifo:
            yield name, "is for FIFO only, whose names end in '.fifo'"


# https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
MOST_FILTER_KEYS = 5
DEFAULT_SCOPE = "MessageAttributes"
MOST_COMBINATIONS = 150


def _check_filter(policy: dict[str, Any]) -> dict[str, Any]:
    if found := _filter_problems(policy):
        raise ValueError("; ".join(found))
    return policy


def _filter_problems(policy: Mapping[str, Any]) -> list[str]:
    """What SNS would refuse of a filter policy, be it of attributes or of the message's body.

    Of nested keys only the parents count as keys. Values that are combined are multiplied, each list's number by the depth at
    which it stands; alternatives of C($or) are added.
    """
    if not policy:
        return ["is empty; leave it out to get every message"]
    if found := json_problems(policy):
        return found
    found = [
        f"{short(path)} must have a list of values, not {short(value)}"
        for path, value in _leaves(policy)
        if not isinstance(value, list) or not value
    ]
    if len(policy) > MOST_FILTER_KEYS:
        found.append(f"has {len(policy)} keys; AWS takes {MOST_FILTER_KEYS}")
    combinations = _combinations(policy)
    if combinations > MOST_COMBINATIONS:
        found.append(f"has {combinations} combinations of values; AWS takes {MOST_COMBINATIONS}")
    return found


def _combinations(policy: Mapping[str, Any], depth: int = 1) -> int:
    """For example 3 x 4 x 2 x 3 for four values in a third level and three in a second one."""
    found = 1
    for key, value in policy.items():
        if isinstance(value, Mapping):
            found *= _combinations(value, depth + 1)
        elif _alternatives(key, value):
            found *= sum(_combinations(one, depth) for one in value)
        elif isinstance(value, list):
            found *= len(value) * depth
    return found


def _alternatives(key: str, value: object) -> bool:
    return key == "$or" and isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _leaves(policy: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, object]]:
    """The keys that have no maps below them."""
    for key, value in policy.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        elif isinstance(value, list) and value and _alternatives(key, value):
            for one in value:
                yield from _leaves(one, path)
        else:
            yield f"{path}{key}", value


FilterPolicy = Annotated[dict[str, Any], AfterValidator(_check_filter)]


class Subscription(Entry):
    """What a queue gets of a topic. The queues' policies follow from it."""

    list_name: ClassVar[str] = "subscriptions"
    described: ClassVar[str] = "What queues get of topics; the queues' policies follow from it"

    topic: str
    queue: str
    raw_message_delivery: Flag = False
    filter_policy: FilterPolicy | None = None
    filter_policy_scope: Literal["MessageAttributes", "MessageBody"] | None = None
    dead_letter_queue: str | None = None

    @property
    def title(self) -> str:
        return f"{self.topic}.{self.queue}"

    def base_name(self, context: Context) -> str:
        ends = (context.base_name("topics", self.topic), context.base_name("queues", self.queue))
        return self.object_name or object_name(".".join(ends))

    @classmethod
    def names_in(cls, raw: Mapping[str, Any]) -> list[str]:
        topic, queue = raw.get("topic"), raw.get("queue")
        return [f"{topic}.{queue}"] if isinstance(topic, str) and isinstance(queue, str) else []

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        if not context.knows("topics", self.topic):
            yield "topic", f"{short(self.topic)} is not in aws_resources_topics"
        for field, name in (("queue", self.queue), ("dead_letter_queue", self.dead_letter_queue)):
            if name is None:
                continue
            if not context.knows("queues", name):
                yield field, f"{short(name)} is not in aws_resources_queues"
            elif name.endswith(FIFO) and not self.topic.endswith(FIFO):
                yield (
                    field,
                    f"{short(name)} is a FIFO queue, to which only a FIFO topic can send; {short(self.topic)} is none",
                )
        if self.filter_policy_scope and not self.filter_policy:
            yield "filter_policy_scope", "is set, but there is no filter_policy"
        if self.filter_policy_scope != "MessageBody" and any(
            isinstance(one, Mapping) for one in (self.filter_policy or {}).values()
        ):
            yield "filter_policy", "has maps in maps, for which filter_policy_scope must be 'MessageBody'"

    def sends(self, context: Context) -> Iterable[Sender]:
        arn = context.target.arn("sns", self.topic)
        return [
            Sender(name, "sns.amazonaws.com", arn, "TopicsSend")
            for name in (self.queue, self.dead_letter_queue)
            if name
        ]

    def objects(self, context: Context) -> list[Object]:
        """The subscription. Its topic is a reference, as SNS refuses one to a topic that is not there yet.

        The queue is named by ARN: it exists long before it is Ready after its 25 s, for which a reference would wait.
        """
        parameters = {
            "protocol": "sqs",
            "topicArnRef": context.reference("topics", self.topic),
            "endpoint": context.target.arn("sqs", self.queue),
            "rawMessageDelivery": self.raw_message_delivery,
            **({"filterPolicy": as_json(self.filter_policy)} if self.filter_policy else {}),
            **given(self, {"filter_policy_scope": "filterPolicyScope"}),
        }
        if self.dead_letter_queue:
            arn = context.target.arn("sqs", self.dead_letter_queue)
            parameters["redrivePolicy"] = as_json({"deadLetterTargetArn": arn})
        return [context.managed(self, "sns", "TopicSubscription", parameters)]


def _topic(aws: Aws, resource: ExternalResource) -> Json | None:
    sns, name = aws.get("sns"), resource.external_name
    arn = name if name.startswith("arn:") else aws.arn("sns", name)
    answer = existing(sns, "get_topic_attributes", TopicArn=arn)
    if answer is None:
        return None
    known = answer["Attributes"]
    return {
        "contentBasedDeduplication": is_true(known.get("ContentBasedDeduplication")),
        "displayName": known.get("DisplayName"),
        "fifoTopic": is_true(known.get("FifoTopic")),
        "kmsMasterKeyId": known.get("KmsMasterKeyId"),
        "tags": tag_map((existing(sns, "list_tags_for_resource", ResourceArn=arn) or {}).get("Tags", [])),
    }


def _subscription(aws: Aws, resource: ExternalResource) -> Json | None:
    if not resource.external_name.startswith("arn:"):
        return {}
    answer = existing(aws.get("sns"), "get_subscription_attributes", SubscriptionArn=resource.external_name)
    if answer is None:
        return None
    known = answer["Attributes"]
    if resource.external_name not in _subscribed(aws, known["TopicArn"]):
        return None
    return {
        "endpoint": known.get("Endpoint"),
        "filterPolicy": known.get("FilterPolicy"),
        "filterPolicyScope": known.get("FilterPolicyScope") or DEFAULT_SCOPE,
        "protocol": known.get("Protocol"),
        "rawMessageDelivery": is_true(known.get("RawMessageDelivery")),
        "redrivePolicy": known.get("RedrivePolicy"),
        "topicArn": known.get("TopicArn"),
    }


def _subscribed(aws: Aws, topic: str) -> frozenset[str]:
    """The ARNs of a topic's subscriptions.

    One of a topic that was deleted still has attributes for a while, also where the topic is there again, which does not send to it.
    """

    def ask() -> frozenset[str]:
        listed = existing_pages(aws.get("sns"), "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
        return frozenset(one["SubscriptionArn"] for one in listed)

    return aws.once(f"subscriptions of {topic}", ask)


KINDS = (
    Kind(
        "sns",
        "Topic",
        Topic,
        _topic,
        immutable=frozenset({"name", "fifoTopic"}),
        named_by_us=True,
        refers_to=("kms/Key",),
        compare={
            "tags": TAGS,
            "policy": POLICY,
            "deliveryPolicy": Rule("json"),
            "displayName": Rule(cleared=""),
            "kmsMasterKeyId": Rule(cleared=""),
            "contentBasedDeduplication": Rule(cleared=False),
        },
    ),
    Kind(
        "sns",
        "TopicSubscription",
        Subscription,
        _subscription,
        immutable=frozenset({"topicArn", "protocol", "endpoint"}),
        replaced_when_gone=True,
        named_by_us=True,
        refers_to=("sns/Topic", "sqs/Queue"),
        compare={
            "filterPolicy": Rule("json", cleared="{}"),
            "filterPolicyScope": Rule(cleared=DEFAULT_SCOPE),
            "redrivePolicy": Rule("redrive", cleared=""),
            "deliveryPolicy": Rule("json", cleared=""),
            "rawMessageDelivery": Rule(cleared=False),
        },
    ),
    Kind(
        "sns",
        "TopicPolicy",
        compare={"policy": POLICY},
    ),
)
