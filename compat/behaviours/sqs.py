"""SQS: standard and FIFO queues, dead letters, retention."""

from __future__ import annotations

import json
import time

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "AWSSimpleQueueService/latest/SQSDeveloperGuide/"
API = "AWSSimpleQueueService/latest/APIReference/"


@behaviour(
    "sqs.receive.roundtrip",
    "A message comes with its body, its attributes and its MD5",
    source=API + "API_ReceiveMessage.html",
    hurts="lost",
    without="messages do not come as they were sent",
    features=["queues"],
)
def roundtrip(aws: Aws) -> str | None:
    url = aws.queue()
    attributes = {"kind": {"DataType": "String", "StringValue": "made"}}
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="héllo <&>", MessageAttributes=attributes)
    (message,) = aws.receive(url) or [{}]
    same = (
        message.get("Body") == "héllo <&>"
        and message.get("MessageAttributes", {}).get("kind", {}).get("StringValue") == "made"
    )
    return is_met(same and message.get("MD5OfBody") == sent["MD5OfMessageBody"], "body, attributes or MD5 differ")


@behaviour(
    "sqs.visibility.hides",
    "A received message is hidden for the visibility timeout, then comes again",
    source=GUIDE + "sqs-visibility-timeout.html",
    hurts="wrong",
    without="a message that is being processed comes a second time, or never again after a crash",
    features=["queues.visibility_timeout_seconds"],
)
def visibility(aws: Aws) -> str | None:
    url = aws.queue(VisibilityTimeout="4")
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    if len(aws.receive(url)) != 1:
        return "the message does not come"
    if not aws.quiet(url, 1):
        return "the message comes while it is hidden"
    return is_met(aws.receive(url), "the message does not come again")


@behaviour(
    "sqs.visibility.change",
    "ChangeMessageVisibility to 0 gives a message back at once",
    source=API + "API_ChangeMessageVisibility.html",
    hurts="wrong",
    without="a message that a consumer gives back stays hidden",
)
def change_visibility(aws: Aws) -> str | None:
    url = aws.queue(VisibilityTimeout="60")
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    (message,) = aws.receive(url)
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return is_met(aws.receive(url), "the message stays hidden")


@behaviour(
    "sqs.receive.count",
    "ApproximateReceiveCount counts how often a message was received",
    source=API + "API_ReceiveMessage.html",
    hurts="wrong",
    without="a consumer can't tell the first attempt from the last",
)
def receive_count(aws: Aws) -> str | None:
    url = aws.queue(VisibilityTimeout="0")
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    counts = [aws.receive(url)[0]["Attributes"]["ApproximateReceiveCount"] for _time in range(3)]
    return is_met(counts == ["1", "2", "3"], f"the counts are {counts}")


@behaviour(
    "sqs.long_poll.wakes",
    "A long poll returns as soon as a message is there, and empty after its time",
    source=GUIDE + "sqs-short-and-long-polling.html",
    hurts="wrong",
    without="consumers wait although a message is there, or poll in a busy loop",
    features=["queues.receive_wait_time_seconds"],
)
def long_poll(aws: Aws) -> str | None:
    url = aws.queue(ReceiveMessageWaitTimeSeconds="2")
    begin = time.monotonic()
    if aws.sqs.receive_message(QueueUrl=url).get("Messages"):
        return "a message arrives that was never sent"
    if time.monotonic() - begin < 1.5:
        return "the queue's own wait time is not waited"
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    begin = time.monotonic()
    found = aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages")
    return is_met(found and time.monotonic() - begin < 15, "the message does not wake the poll")


@behaviour(
    "sqs.delay.queue",
    "A queue's DelaySeconds hides new messages for that time",
    source=GUIDE + "sqs-delay-queues.html",
    hurts="wrong",
    without="a delayed message comes at once",
    features=["queues.delay_seconds"],
)
def delay(aws: Aws) -> str | None:
    url = aws.queue(DelaySeconds="4")
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    if not aws.quiet(url, 1):
        return "the message comes at once"
    return is_met(aws.receive(url), "the message never comes")


@behaviour(
    "sqs.delay.message",
    "A message's own DelaySeconds goes before the queue's",
    source=GUIDE + "sqs-message-timers.html",
    hurts="wrong",
    without="a message with a timer comes at once",
)
def message_timer(aws: Aws) -> str | None:
    url = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="a", DelaySeconds=4)
    if not aws.quiet(url, 1):
        return "the message comes at once"
    return is_met(aws.receive(url), "the message never comes")


@behaviour(
    "sqs.retention.expires",
    "A message older than MessageRetentionPeriod is removed",
    source=GUIDE + "sqs-queue-lifecycle.html",
    hurts="lost",
    without="messages stay for ever, so that a consumer that is down for long loses nothing here and everything on AWS",
    features=["queues.message_retention_seconds"],
    aws=False,
    slow=True,
)
def retention(aws: Aws) -> str | None:
    url = aws.queue(MessageRetentionPeriod="60", VisibilityTimeout="0")
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    gone = aws.until(
        lambda: aws.attributes(url)["ApproximateNumberOfMessages"] == "0" or not aws.receive(url, 1, 1), 80
    )
    return is_met(gone, "the message stays")


@behaviour(
    "sqs.dead_letter.moves",
    "A message received more often than maxReceiveCount moves to the dead-letter queue",
    source=GUIDE + "sqs-dead-letter-queues.html",
    hurts="lost",
    without="a message that fails again and again does not reach the dead-letter queue",
    features=["queues.dead_letter"],
)
def dead_letter(aws: Aws) -> str | None:
    url, dead = _with_dead_letters(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="bad")
    aws.receive(url)
    aws.receive(url, 1, 2)
    return is_met(aws.take(dead) == ["bad"], "the message does not come to the dead-letter queue")


@behaviour(
    "sqs.dead_letter.keeps_attributes",
    "A message keeps its attributes and id in the dead-letter queue",
    source=GUIDE + "sqs-dead-letter-queues.html",
    hurts="wrong",
    without="dead letters lose what tells where they come from",
    features=["queues.dead_letter"],
)
def dead_letter_attributes(aws: Aws) -> str | None:
    url, dead = _with_dead_letters(aws)
    kind = {"kind": {"DataType": "String", "StringValue": "made"}}
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="bad", MessageAttributes=kind)
    aws.receive(url)
    aws.receive(url, 1, 2)
    found = aws.receive(dead)
    same = found and found[0]["MessageId"] == sent["MessageId"] and "kind" in found[0].get("MessageAttributes", {})
    return is_met(same, "id or attributes differ" if found else "the message does not come to the dead-letter queue")


@behaviour(
    "sqs.dead_letter.sources",
    "ListDeadLetterSourceQueues names the queues that use a dead-letter queue",
    source=API + "API_ListDeadLetterSourceQueues.html",
    hurts="missing",
    without="tools can't find where dead letters come from",
)
def dead_letter_sources(aws: Aws) -> str | None:
    url, dead = _with_dead_letters(aws)
    found = aws.sqs.list_dead_letter_source_queues(QueueUrl=dead).get("queueUrls", [])
    return is_met(
        [one.rsplit("/", 1)[-1] for one in found] == [url.rsplit("/", 1)[-1]], f"{len(found)} queues are named"
    )


@behaviour(
    "sqs.dead_letter.redrive",
    "A redrive task moves dead letters back to their source",
    source=API + "API_StartMessageMoveTask.html",
    hurts="missing",
    without="dead letters can't be given back, so that a recovery can't be rehearsed",
    features=["queues.dead_letter"],
)
def redrive(aws: Aws) -> str | None:
    url, dead = _with_dead_letters(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="bad")
    aws.receive(url)
    aws.receive(url, 1, 2)
    aws.until(lambda: aws.attributes(dead)["ApproximateNumberOfMessages"] == "1", 5)
    aws.sqs.start_message_move_task(SourceArn=aws.queue_arn(dead))
    return is_met(aws.take(url) == ["bad"], "the message does not come back")


@behaviour(
    "sqs.dead_letter.missing_queue",
    "A redrive policy with a queue that does not exist is refused",
    source=API + "API_SetQueueAttributes.html",
    hurts="accepted",
    without="a dead-letter queue's wrong name is not noticed until messages are lost",
)
def dead_letter_missing(aws: Aws) -> str | None:
    url = aws.queue()
    arn = aws.queue_arn(url) + "-absent"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    codes = ("InvalidParameterValue", "InvalidAttributeValue", "QueueDoesNotExist", "NonExistentQueue")
    return refused(aws.sqs.set_queue_attributes, codes, QueueUrl=url, Attributes={"RedrivePolicy": policy})


@behaviour(
    "sqs.dead_letter.allow_policy",
    "RedriveAllowPolicy denyAll refuses to be a dead-letter queue",
    source=API + "API_SetQueueAttributes.html",
    hurts="accepted",
    without="a queue takes dead letters that AWS refuses",
)
def allow_policy(aws: Aws) -> str | None:
    dead = aws.queue("dead", RedriveAllowPolicy={"redrivePermission": "denyAll"})
    url = aws.queue()
    policy = json.dumps({"deadLetterTargetArn": aws.queue_arn(dead), "maxReceiveCount": 3})
    codes = ("InvalidParameterValue", "InvalidAttributeValue", "AccessDenied")
    return refused(aws.sqs.set_queue_attributes, codes, QueueUrl=url, Attributes={"RedrivePolicy": policy})


@behaviour(
    "sqs.dead_letter.allow_policy_read",
    "RedriveAllowPolicy is read back as it was written",
    source=API + "API_GetQueueAttributes.html",
    hurts="differs",
    without="a dead-letter queue never becomes Ready",
    features=["queues.dead_letter"],
)
def allow_policy_read(aws: Aws) -> str | None:
    wanted = {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:eu-central-1:000000000000:a"]}
    url = aws.queue(RedriveAllowPolicy=wanted)
    return is_met(json.loads(aws.attributes(url).get("RedriveAllowPolicy", "{}")) == wanted, "it is not stored")


@behaviour(
    "sqs.delete.twice",
    "Deleting a message a second time by the same receipt handle succeeds",
    source=API + "API_DeleteMessage.html",
    hurts="missing",
    without="a consumer that repeats a deletion after a timeout fails",
)
def delete_twice(aws: Aws) -> str | None:
    url = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="a")
    (message,) = aws.receive(url)
    for _time in range(2):
        aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return None


@behaviour(
    "sqs.send.limit",
    "A message above the queue's MaximumMessageSize is refused",
    source=API + "API_SendMessage.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def message_limit(aws: Aws) -> str | None:
    url = aws.queue(MaximumMessageSize="1024")
    return refused(
        aws.sqs.send_message, ("InvalidParameterValue", "InvalidMessageContents"), QueueUrl=url, MessageBody="x" * 1025
    )


@behaviour(
    "sqs.send.characters",
    "A message with a character outside of XML's is refused",
    source=API + "API_SendMessage.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def message_characters(aws: Aws) -> str | None:
    return refused(aws.sqs.send_message, "InvalidMessageContents", QueueUrl=aws.queue(), MessageBody="a\x01b")


@behaviour(
    "sqs.batch.partial",
    "A batch with one wrong entry sends the others and names the failed one",
    source=API + "API_SendMessageBatch.html",
    hurts="lost",
    without="producers can't tell which messages of a batch were lost",
)
def batch_partial(aws: Aws) -> str | None:
    url = aws.queue()
    entries = [{"Id": "good", "MessageBody": "a"}, {"Id": "bad", "MessageBody": "b", "DelaySeconds": 901}]
    answer = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    split = [one["Id"] for one in answer.get("Successful", [])], [one["Id"] for one in answer.get("Failed", [])]
    return is_met(split == (["good"], ["bad"]), f"sent are {split[0]}, failed are {split[1]}")


@behaviour(
    "sqs.batch.ids",
    "A batch with the same id twice is refused",
    source=API + "API_SendMessageBatch.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def batch_ids(aws: Aws) -> str | None:
    entries = [{"Id": "a", "MessageBody": "a"}, {"Id": "a", "MessageBody": "b"}]
    return refused(aws.sqs.send_message_batch, "BatchEntryIdsNotDistinct", QueueUrl=aws.queue(), Entries=entries)


@behaviour(
    "sqs.batch.limit",
    "A batch of more than ten entries is refused",
    source=API + "API_SendMessageBatch.html",
    hurts="accepted",
    without="a batch that AWS refuses passes",
)
def batch_limit(aws: Aws) -> str | None:
    entries = [{"Id": str(number), "MessageBody": "a"} for number in range(11)]
    return refused(aws.sqs.send_message_batch, "TooManyEntriesInBatchRequest", QueueUrl=aws.queue(), Entries=entries)


@behaviour(
    "sqs.create.again",
    "CreateQueue with the same attributes gives the queue, with others QueueAlreadyExists",
    source=API + "API_CreateQueue.html",
    hurts="accepted",
    without="two owners of one name are not noticed",
)
def create_again(aws: Aws) -> str | None:
    url = aws.queue(DelaySeconds="1")
    if aws.queue(DelaySeconds="1") != url:
        return "another queue is made"
    codes = ("QueueNameExists", "QueueAlreadyExists")
    return refused(aws.sqs.create_queue, codes, QueueName=aws.name("q"), Attributes={"DelaySeconds": "2"})


@behaviour(
    "sqs.queue.absent",
    "Sending to a queue that does not exist is refused",
    source=API + "API_SendMessage.html",
    hurts="accepted",
    without="messages to a wrong name vanish",
)
def absent(aws: Aws) -> str | None:
    url = aws.queue() + "-absent"
    return refused(aws.sqs.send_message, ("QueueDoesNotExist", "NonExistentQueue"), QueueUrl=url, MessageBody="a")


@behaviour(
    "sqs.fifo.order",
    "A FIFO queue gives a group's messages in their order, and none while one before it is hidden",
    source=GUIDE + "FIFO-queues-understanding-logic.html",
    hurts="wrong",
    without="messages of a group come in another order",
    features=["queues.fifo"],
)
def fifo_order(aws: Aws) -> str | None:
    url = aws.fifo(ContentBasedDeduplication="true")
    for body in "abc":
        aws.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    begun = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=5)["Messages"]
    if begun[0]["Body"] != "a":
        return f"the first message is {begun[0]['Body']}"
    if not aws.quiet(url, 1):
        return "the group's next message comes while the first is hidden"
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=begun[0]["ReceiptHandle"])
    rest = aws.take(url, 2)
    return is_met(rest == ["b", "c"], f"the rest comes as {rest}")


@behaviour(
    "sqs.fifo.deduplication",
    "A FIFO queue drops a message with the same deduplication id within five minutes, even after the first was deleted",
    source=GUIDE + "using-messagededuplicationid-property.html",
    hurts="wrong",
    without="a repeated message is processed twice",
    features=["queues.fifo"],
)
def fifo_deduplication(aws: Aws) -> str | None:
    url = aws.fifo()
    more = {"QueueUrl": url, "MessageGroupId": "g", "MessageDeduplicationId": "one"}
    aws.sqs.send_message(MessageBody="a", **more)
    if aws.take(url) != ["a"]:
        return "the first message does not come"
    aws.sqs.send_message(MessageBody="a", **more)
    return is_met(aws.quiet(url), "the message comes again")


@behaviour(
    "sqs.fifo.scope_group",
    "With the scope messageGroup the same deduplication id counts once in each group",
    source=GUIDE + "high-throughput-fifo.html",
    hurts="wrong",
    without="messages of one group are dropped for those of another, or come twice",
    features=["queues.deduplication_scope"],
)
def fifo_scope(aws: Aws) -> str | None:
    url = aws.fifo(DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in ("g1", "g2", "g1"):
        aws.sqs.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group, MessageDeduplicationId="one")
    found = sorted(aws.receive(url, 3, 4), key=lambda one: str(one["Body"]))
    bodies = [one["Body"] for one in found]
    return is_met(bodies == ["g1", "g2"], f"{bodies} come")


@behaviour(
    "sqs.fifo.group_required",
    "A FIFO queue refuses a message without MessageGroupId",
    source=API + "API_SendMessage.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def fifo_group(aws: Aws) -> str | None:
    url = aws.fifo(ContentBasedDeduplication="true")
    codes = ("MissingParameter", "InvalidParameterValue")
    return refused(aws.sqs.send_message, codes, QueueUrl=url, MessageBody="a")


@behaviour(
    "sqs.fifo.delay",
    "A FIFO queue refuses a message's own DelaySeconds",
    source=API + "API_SendMessage.html",
    hurts="accepted",
    without="a message that AWS refuses passes",
)
def fifo_delay(aws: Aws) -> str | None:
    url = aws.fifo(ContentBasedDeduplication="true")
    more = {"MessageBody": "a", "MessageGroupId": "g", "DelaySeconds": 5}
    return refused(aws.sqs.send_message, "InvalidParameterValue", QueueUrl=url, **more)


@behaviour(
    "sqs.fifo.dead_letter_type",
    "A FIFO queue's dead-letter queue must be a FIFO queue",
    source=GUIDE + "sqs-dead-letter-queues.html",
    hurts="accepted",
    without="a dead-letter queue that AWS refuses passes",
)
def fifo_dead_letter(aws: Aws) -> str | None:
    policy = json.dumps({"deadLetterTargetArn": aws.queue_arn(aws.queue("dead")), "maxReceiveCount": 3})
    url = aws.fifo()
    codes = ("InvalidParameterValue", "InvalidAttributeValue")
    return refused(aws.sqs.set_queue_attributes, codes, QueueUrl=url, Attributes={"RedrivePolicy": policy})


@behaviour(
    "sqs.policy.enforced",
    "A queue's policy that denies sending refuses it",
    source=GUIDE + "sqs-customer-managed-policy-examples.html",
    hurts="open",
    without="a queue's policy is stored and not enforced",
    features=["queues.policy"],
)
def policy(aws: Aws) -> str | None:
    url = aws.queue()
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": aws.queue_arn(url)}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return refused(aws.sqs.send_message, ("AccessDenied", "OverLimit"), QueueUrl=url, MessageBody="a")


@behaviour(
    "sqs.purge.empties",
    "PurgeQueue removes all messages, hidden ones too",
    source=API + "API_PurgeQueue.html",
    hurts="lost",
    without="messages stay in a purged queue",
    aws=False,
)
def purge(aws: Aws) -> str | None:
    url = aws.queue(VisibilityTimeout="1")
    for body in "ab":
        aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    aws.sqs.purge_queue(QueueUrl=url)
    return is_met(aws.quiet(url, 3), "a message comes after the purge")


@behaviour(
    "sqs.depth.counts",
    "The queue's attributes count visible, hidden and delayed messages",
    source=API + "API_GetQueueAttributes.html",
    hurts="differs",
    without="scaling by the queue's depth can't be tried",
)
def depth(aws: Aws) -> str | None:
    url = aws.queue()
    for delay in (0, 0, 60):
        aws.sqs.send_message(QueueUrl=url, MessageBody="a", DelaySeconds=delay)
    aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=5)
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    aws.until(lambda: [aws.attributes(url).get(name) for name in names] == ["1", "1", "1"], 5)
    counts = [aws.attributes(url).get(name) for name in names]
    return is_met(counts == ["1", "1", "1"], f"the counts are {counts}")


@behaviour(
    "sqs.tags.roundtrip",
    "A queue's tags are read back and removed one by one",
    source=API + "API_TagQueue.html",
    hurts="differs",
    without="a queue's owner can't be read",
)
def tags(aws: Aws) -> str | None:
    url = aws.queue()
    aws.sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": ""})
    aws.sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    found = aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return is_met(found == {"b": ""}, f"the tags are {found}")


def _with_dead_letters(aws: Aws) -> tuple[str, str]:
    """A queue whose messages are received once, and its dead-letter queue."""
    dead = aws.queue("dead")
    redrive = {"deadLetterTargetArn": aws.queue_arn(dead), "maxReceiveCount": 1}
    return aws.queue(VisibilityTimeout="0", RedrivePolicy=redrive), dead
