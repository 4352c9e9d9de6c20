"""SNS: topics, subscriptions of queues, filter policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "sns/latest/dg/"
API = "sns/latest/api/"
FILTERS = GUIDE + "string-value-matching.html"
NUMBERS = GUIDE + "numeric-value-matching.html"
Attributes = Mapping[str, Any]


def _typed(attributes: Attributes) -> dict[str, Any]:
    """Attributes as SNS takes them: texts, numbers, lists, bytes."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, bytes):
            found[name] = {"DataType": "Binary", "BinaryValue": value}
        elif isinstance(value, list):
            found[name] = {"DataType": "String.Array", "StringValue": json.dumps(value)}
        elif isinstance(value, str):
            found[name] = {"DataType": "String", "StringValue": value}
        else:
            found[name] = {"DataType": "Number", "StringValue": str(value)}
    return found


def _filtered(aws: Aws, policy: Mapping[str, Any], passes: Attributes, fails: Attributes) -> str | None:
    """Publish a message that is to be kept back and then one that is to pass; both orders of arrival are told apart by their bodies."""
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, FilterPolicy=policy, RawMessageDelivery="true")
    aws.sns.publish(TopicArn=topic, Message="fails", MessageAttributes=_typed(fails))
    aws.sns.publish(TopicArn=topic, Message="passes", MessageAttributes=_typed(passes))
    return _told(aws.take(url, 1, 6) + aws.take(url, 1, 1))


def _body_filtered(aws: Aws, policy: Mapping[str, Any], passes: Any, fails: Any) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, FilterPolicy=policy, FilterPolicyScope="MessageBody", RawMessageDelivery="true")
    for body in (fails, passes):
        aws.sns.publish(TopicArn=topic, Message=json.dumps(body))
    names = {json.dumps(passes): "passes", json.dumps(fails): "fails"}
    return _told([names.get(one, "other") for one in aws.take(url, 1, 6) + aws.take(url, 1, 1)])


def _told(bodies: list[str]) -> str | None:
    if "fails" in bodies:
        return "a message that does not match is delivered"
    return is_met(bodies == ["passes"], "a message that matches is not delivered")


@behaviour(
    "sns.deliver.envelope",
    "A queue gets the envelope with Type, MessageId, TopicArn, Message, Timestamp and attributes",
    source=GUIDE + "sns-sqs-as-subscriber.html",
    hurts="wrong",
    without="consumers read another envelope than on AWS",
    features=["subscriptions"],
)
def envelope(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url)
    sent = aws.sns.publish(TopicArn=topic, Message="a", Subject="s", MessageAttributes=_typed({"kind": "made"}))
    told = json.loads(aws.take(url)[0])
    wanted = {"Type": "Notification", "MessageId": sent["MessageId"], "TopicArn": topic, "Message": "a", "Subject": "s"}
    wrong = [name for name, value in wanted.items() if told.get(name) != value]
    wrong += (
        []
        if told.get("MessageAttributes", {}).get("kind") == {"Type": "String", "Value": "made"}
        else ["MessageAttributes"]
    )
    wrong += [
        name
        for name in ("Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL")
        if name not in told
    ]
    return is_met(not wrong, f"{', '.join(wrong)} differ")


@behaviour(
    "sns.deliver.raw",
    "Raw delivery gives the message itself, with its attributes as the queue's",
    source=GUIDE + "sns-large-payload-raw-message-delivery.html",
    hurts="wrong",
    without="consumers of raw messages read an envelope or lose the attributes",
    features=["subscriptions.raw_message_delivery"],
)
def raw(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    aws.sns.publish(TopicArn=topic, Message="a", MessageAttributes=_typed({"kind": "made"}))
    (message,) = aws.receive(url)
    found = message["Body"], message.get("MessageAttributes", {}).get("kind", {}).get("StringValue")
    return is_met(found == ("a", "made"), "body or attributes differ")


@behaviour(
    "sns.deliver.binary",
    "A binary attribute is in the envelope as Base64",
    source=GUIDE + "sns-message-attributes.html",
    hurts="lost",
    without="binary attributes are lost in the envelope",
)
def binary(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url)
    aws.sns.publish(TopicArn=topic, Message="a", MessageAttributes=_typed({"data": b"\x00\xff"}))
    told = json.loads(aws.take(url)[0]).get("MessageAttributes", {}).get("data", {})
    return is_met(told.get("Value") == "AP8=", f"the value is {told.get('Value')!r}")


@behaviour(
    "sns.deliver.fan_out",
    "Each of a topic's subscriptions gets each message",
    source=GUIDE + "sns-common-scenarios.html",
    hurts="lost",
    without="one of several consumers misses messages",
    features=["subscriptions"],
)
def fan_out(aws: Aws) -> str | None:
    topic, urls = aws.topic(), [aws.queue("a"), aws.queue("b")]
    for url in urls:
        aws.subscribe(topic, url, RawMessageDelivery="true")
    aws.sns.publish(TopicArn=topic, Message="a")
    return is_met([aws.take(url) for url in urls] == [["a"], ["a"]], "a queue misses the message")


@behaviour(
    "sns.deliver.without_permission",
    "A queue whose policy does not let the topic send gets nothing",
    source=GUIDE + "subscribe-sqs-queue-to-sns-topic.html",
    hurts="open",
    without="a queue without a policy gets messages here and none on AWS",
    features=["queues.policy"],
)
def without_permission(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=aws.queue_arn(url))
    aws.sns.publish(TopicArn=topic, Message="a")
    return is_met(aws.quiet(url, 3), "the message is delivered")


@behaviour(
    "sns.deliver.too_large",
    "A message that the queue does not take goes to the subscription's dead-letter queue",
    source=GUIDE + "sns-dead-letter-queues.html",
    hurts="lost",
    without="a message that a queue does not take is lost",
    features=["subscriptions.dead_letter_queue"],
)
def too_large(aws: Aws) -> str | None:
    topic, dead = aws.topic(), aws.queue("dead")
    url = aws.queue(MaximumMessageSize="1024")
    aws.let_send(dead, topic)
    aws.subscribe(topic, url, RedrivePolicy={"deadLetterTargetArn": aws.queue_arn(dead)})
    aws.sns.publish(TopicArn=topic, Message="x" * 2000)
    return is_met(aws.take(dead), "the message does not come to the dead-letter queue")


@behaviour(
    "sns.dead_letter.queue_gone",
    "A message to a queue that is gone goes to the subscription's dead-letter queue",
    source=GUIDE + "sns-dead-letter-queues.html",
    hurts="lost",
    without="a message to a queue that is gone is lost",
    features=["subscriptions.dead_letter_queue"],
)
def queue_gone(aws: Aws) -> str | None:
    topic, dead, url = aws.topic(), aws.queue("dead"), aws.queue()
    aws.let_send(dead, topic)
    aws.subscribe(topic, url, RedrivePolicy={"deadLetterTargetArn": aws.queue_arn(dead)})
    aws.sqs.delete_queue(QueueUrl=url)
    aws.sns.publish(TopicArn=topic, Message="a")
    return is_met(aws.take(dead), "the message does not come to the dead-letter queue")


@behaviour(
    "sns.filter.exact",
    "A filter policy delivers messages whose attribute has one of the values, others not",
    source=FILTERS,
    hurts="lost",
    without="filtered messages are lost, or unfiltered ones come",
    features=["subscriptions.filter_policy"],
)
def exact(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": ["made", "changed"]}, {"kind": "changed"}, {"kind": "gone"})


@behaviour(
    "sns.filter.all_keys",
    "All keys of a filter policy must match",
    source=GUIDE + "and-or-logic.html",
    hurts="wrong",
    without="messages that match a part of the policy come",
    features=["subscriptions.filter_policy"],
)
def all_keys(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": ["made"], "size": ["s"]}, {"kind": "made", "size": "s"}, {"kind": "made"})


@behaviour(
    "sns.filter.or",
    "$or delivers messages that match one of its policies",
    source=GUIDE + "and-or-logic.html",
    hurts="lost",
    without="messages that match one of several policies are lost",
    features=["subscriptions.filter_policy.$or"],
)
def either(aws: Aws) -> str | None:
    policy = {"$or": [{"kind": ["made"]}, {"size": ["s"]}]}
    return _filtered(aws, policy, {"kind": "gone", "size": "s"}, {"kind": "gone", "size": "l"})


@behaviour(
    "sns.filter.array",
    "An attribute of type String.Array matches if one of its elements does",
    source=GUIDE + "sns-message-attributes.html",
    hurts="lost",
    without="messages with lists in attributes are lost",
    features=["subscriptions.filter_policy"],
)
def array(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": ["made"]}, {"kind": ["x", "made"]}, {"kind": ["x"]})


@behaviour(
    "sns.filter.prefix",
    "prefix delivers texts that begin so",
    source=FILTERS,
    hurts="lost",
    without="messages that match by prefix are lost",
    features=["subscriptions.filter_policy.prefix"],
)
def prefix(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"prefix": "or"}]}, {"kind": "order"}, {"kind": "for"})


@behaviour(
    "sns.filter.suffix",
    "suffix delivers texts that end so",
    source=FILTERS,
    hurts="lost",
    without="messages that match by suffix are lost",
    features=["subscriptions.filter_policy.suffix"],
)
def suffix(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"suffix": "er"}]}, {"kind": "order"}, {"kind": "orders"})


@behaviour(
    "sns.filter.wildcard",
    "wildcard delivers texts that match a pattern with *",
    source=FILTERS,
    hurts="missing",
    without="a filter policy with wildcard can't be used",
    features=["subscriptions.filter_policy.wildcard"],
)
def wildcard(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"wildcard": "or*r"}]}, {"kind": "order"}, {"kind": "orders"})


@behaviour(
    "sns.filter.ignore_case",
    "equals-ignore-case delivers texts in any case",
    source=FILTERS,
    hurts="lost",
    without="messages that differ in case only are lost",
    features=["subscriptions.filter_policy.equals_ignore_case"],
)
def ignore_case(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"equals-ignore-case": "ORDER"}]}, {"kind": "Order"}, {"kind": "orders"})


@behaviour(
    "sns.filter.exists",
    "exists delivers messages that have an attribute, or that lack it",
    source=GUIDE + "attribute-key-matching.html",
    hurts="lost",
    without="messages that match by an attribute's presence are lost",
    features=["subscriptions.filter_policy.exists"],
)
def exists(aws: Aws) -> str | None:
    policy = {"kind": [{"exists": True}], "test": [{"exists": False}]}
    return _filtered(aws, policy, {"kind": "made"}, {"kind": "made", "test": "yes"})


@behaviour(
    "sns.filter.anything_but",
    "anything-but delivers all other texts",
    source=FILTERS,
    hurts="lost",
    without="messages that match by anything-but are lost",
    features=["subscriptions.filter_policy.anything_but"],
)
def anything_but(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"anything-but": ["test", "probe"]}]}, {"kind": "order"}, {"kind": "probe"})


@behaviour(
    "sns.filter.anything_but_prefix",
    "anything-but with prefix delivers texts that begin otherwise",
    source=FILTERS,
    hurts="missing",
    without="a filter policy with anything-but and prefix can't be used",
    features=["subscriptions.filter_policy.anything_but_prefix"],
)
def anything_but_prefix(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"anything-but": {"prefix": "te"}}]}, {"kind": "order"}, {"kind": "test"})


@behaviour(
    "sns.filter.anything_but_suffix",
    "anything-but with suffix delivers texts that end otherwise",
    source=FILTERS,
    hurts="missing",
    without="a filter policy with anything-but and suffix can't be used",
    features=["subscriptions.filter_policy.anything_but_suffix"],
)
def anything_but_suffix(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"anything-but": {"suffix": "st"}}]}, {"kind": "order"}, {"kind": "test"})


@behaviour(
    "sns.filter.anything_but_wildcard",
    "anything-but with wildcard delivers texts that do not match the pattern",
    source=FILTERS,
    hurts="missing",
    without="a filter policy with anything-but and wildcard can't be used",
    features=["subscriptions.filter_policy.anything_but_wildcard"],
)
def anything_but_wildcard(aws: Aws) -> str | None:
    return _filtered(aws, {"kind": [{"anything-but": {"wildcard": "t*t"}}]}, {"kind": "order"}, {"kind": "test"})


@behaviour(
    "sns.filter.cidr",
    "cidr delivers IP addresses of a network",
    source=FILTERS,
    hurts="missing",
    without="a filter policy with cidr can't be used",
    features=["subscriptions.filter_policy.cidr"],
)
def cidr(aws: Aws) -> str | None:
    return _filtered(aws, {"from": [{"cidr": "10.0.0.0/24"}]}, {"from": "10.0.0.9"}, {"from": "10.0.1.9"})


@behaviour(
    "sns.filter.numeric_range",
    "numeric delivers numbers of a range",
    source=NUMBERS,
    hurts="lost",
    without="messages that match by a number's range are lost",
    features=["subscriptions.filter_policy.numeric"],
)
def numeric(aws: Aws) -> str | None:
    return _filtered(aws, {"price": [{"numeric": [">", 0, "<=", 150]}]}, {"price": 150}, {"price": 151})


@behaviour(
    "sns.filter.number_equal",
    "A number in a policy matches an equal number however it is written",
    source=NUMBERS,
    hurts="lost",
    without="a number that is written as 5.0 does not match 5",
    features=["subscriptions.filter_policy.number"],
)
def number_equal(aws: Aws) -> str | None:
    return _filtered(aws, {"size": [5]}, {"size": 5.0}, {"size": 6})


@behaviour(
    "sns.filter.number_not_text",
    "A number in a policy does not match a text of the same digits",
    source=NUMBERS,
    hurts="wrong",
    without="texts pass for numbers",
    features=["subscriptions.filter_policy.number"],
)
def number_not_text(aws: Aws) -> str | None:
    return _filtered(aws, {"size": [5]}, {"size": 5}, {"size": "5"})


@behaviour(
    "sns.filter.body",
    "With the scope MessageBody the policy is about the message's JSON, objects in objects included",
    source=GUIDE + "sns-message-filtering-scope.html",
    hurts="lost",
    without="messages that match by their body are lost",
    features=["subscriptions.filter_policy.scope_body"],
)
def body(aws: Aws) -> str | None:
    return _body_filtered(aws, {"order": {"kind": ["made"]}}, {"order": {"kind": "made"}}, {"order": {"kind": "gone"}})


@behaviour(
    "sns.filter.body_list",
    "A list of objects in the body matches if one of them does",
    source=GUIDE + "string-value-matching.html",
    hurts="lost",
    without="messages whose body has a list of objects are lost",
    features=["subscriptions.filter_policy.scope_body"],
)
def body_list(aws: Aws) -> str | None:
    policy = {"items": {"kind": ["book"]}}
    return _body_filtered(aws, policy, {"items": [{"kind": "pen"}, {"kind": "book"}]}, {"items": [{"kind": "pen"}]})


@behaviour(
    "sns.filter.body_null",
    "null in a policy matches null in the body",
    source=GUIDE + "string-value-matching.html",
    hurts="lost",
    without="messages with null in their body are lost",
    features=["subscriptions.filter_policy.null"],
)
def body_null(aws: Aws) -> str | None:
    return _body_filtered(aws, {"end": [None]}, {"end": None}, {"end": "now"})


@behaviour(
    "sns.filter.refused",
    "A filter policy with an operator that does not exist is refused",
    source=API + "API_SetSubscriptionAttributes.html",
    hurts="accepted",
    without="a mistake in a filter policy is noticed on AWS only",
)
def filter_refused(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    arn = aws.subscribe(topic, url)
    policy = json.dumps({"kind": [{"begins-with": "a"}]})
    given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": policy}
    return refused(aws.sns.set_subscription_attributes, "InvalidParameter", **given)


@behaviour(
    "sns.filter.read",
    "A subscription without a filter policy has no FilterPolicyScope of its own",
    source=API + "API_GetSubscriptionAttributes.html",
    hurts="differs",
    without="a subscription never becomes Ready, as the provider takes the scope over without a policy",
    features=["subscriptions"],
)
def filter_read(aws: Aws) -> str | None:
    arn = aws.subscribe(aws.topic(), aws.queue())
    found = aws.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return is_met("FilterPolicyScope" not in found, "FilterPolicyScope is told without a policy")


@behaviour(
    "sns.publish.limit",
    "A message above 256 KiB is refused",
    source=API + "API_Publish.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def publish_limit(aws: Aws) -> str | None:
    return refused(aws.sns.publish, "InvalidParameter", TopicArn=aws.topic(), Message="x" * (256 * 1024 + 1))


@behaviour(
    "sns.publish.batch",
    "PublishBatch delivers all of its entries and refuses the same id twice",
    source=API + "API_PublishBatch.html",
    hurts="lost",
    without="messages of a batch are lost",
)
def publish_batch(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    entries = [{"Id": one, "Message": one} for one in "abc"]
    aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    found = sorted(aws.take(url, 3))
    if found != ["a", "b", "c"]:
        return f"{found} come"
    twice = [{"Id": "a", "Message": "a"}] * 2
    return refused(aws.sns.publish_batch, "BatchEntryIdsNotDistinct", TopicArn=topic, PublishBatchRequestEntries=twice)


@behaviour(
    "sns.publish.absent",
    "Publishing to a topic that does not exist is refused",
    source=API + "API_Publish.html",
    hurts="accepted",
    without="messages to a wrong name vanish",
)
def publish_absent(aws: Aws) -> str | None:
    return refused(aws.sns.publish, "NotFound", TopicArn=aws.topic() + "-absent", Message="a")


@behaviour(
    "sns.publish.structure",
    "MessageStructure json gives each protocol its own message",
    source=API + "API_Publish.html",
    hurts="wrong",
    without="consumers get the message of another protocol",
)
def structure(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, RawMessageDelivery="true")
    aws.sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "d", "sqs": "q"}))
    found = aws.take(url)
    return is_met(found == ["q"], f"{found} come")


@behaviour(
    "sns.fifo.order",
    "A FIFO topic gives a FIFO queue a group's messages in their order, each once",
    source=GUIDE + "fifo-topic-message-ordering.html",
    hurts="wrong",
    without="a group's messages come in another order or twice",
    features=["topics.fifo"],
)
def fifo_order(aws: Aws) -> str | None:
    topic = aws.topic("t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    url = aws.fifo(ContentBasedDeduplication="true")
    aws.subscribe(topic, url, RawMessageDelivery="true")
    for one in "abac":
        aws.sns.publish(TopicArn=topic, Message=one, MessageGroupId="g")
    found = aws.take(url, 3)
    return is_met(found == ["a", "b", "c"], f"{found} come")


@behaviour(
    "sns.fifo.standard_topic",
    "A standard topic can't have a FIFO queue",
    source=GUIDE + "fifo-topic-message-delivery.html",
    hurts="accepted",
    without="a subscription that AWS refuses passes",
)
def standard_topic(aws: Aws) -> str | None:
    arn = aws.queue_arn(aws.fifo())
    return refused(aws.sns.subscribe, "InvalidParameter", TopicArn=aws.topic(), Protocol="sqs", Endpoint=arn)


@behaviour(
    "sns.fifo.group_required",
    "A FIFO topic refuses a message without MessageGroupId",
    source=API + "API_Publish.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def fifo_group(aws: Aws) -> str | None:
    topic = aws.topic("t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    return refused(aws.sns.publish, "InvalidParameter", TopicArn=topic, Message="a")


@behaviour(
    "sns.subscribe.again",
    "Subscribing a queue again with the same attributes gives the same subscription",
    source=API + "API_Subscribe.html",
    hurts="wrong",
    without="messages come twice after a repeated Subscribe",
)
def subscribe_again(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": aws.queue_arn(url), "ReturnSubscriptionArn": True}
    arns = {aws.sns.subscribe(**given)["SubscriptionArn"] for _time in range(2)}
    return is_met(len(arns) == 1, "there are two subscriptions")


@behaviour(
    "sns.subscribe.attributes",
    "Subscribing again with other attributes is refused",
    source=API + "API_Subscribe.html",
    hurts="accepted",
    without="a changed filter policy is silently not taken",
)
def subscribe_attributes(aws: Aws) -> str | None:
    topic, url = aws.topic(), aws.queue()
    aws.subscribe(topic, url, FilterPolicy={"kind": ["a"]})
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": aws.queue_arn(url)}
    other = {"FilterPolicy": json.dumps({"kind": ["b"]})}
    return refused(aws.sns.subscribe, "InvalidParameter", Attributes=other, **given)
