from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from localcloud_consumer.batch import read
from localcloud_consumer.queue import Queue
from localcloud_events.message import Event, encode
from localcloud_events.problems import ResourceMissingError

NAME = "justtrack-dev-devops-consumer-events"


def send(stack: SimpleNamespace, count: int) -> None:
    for number in range(count):
        event = Event(Id=f"e{number}", Number=number, CreatedAt="2026-01-02T03:04:05Z")
        stack.sns.publish(TopicArn=stack.topic, Message=encode(event))


def test_receives_with_the_time_of_queueing_and_deletes(stack: SimpleNamespace) -> None:
    send(stack, 12)
    queue = Queue(stack.sqs, NAME)
    queue.find()
    seen = set()
    for wanted in (10, 2):
        deliveries, rejections = read(queue.receive(0), 0)
        assert (len(deliveries), rejections) == (wanted, [])
        assert all(one.queued_at and one.decoded.published_at for one in deliveries)
        assert queue.delete(deliveries) == {}
        seen |= {one.event.id for one in deliveries}
    assert len(seen) == 12
    assert queue.receive(0) == []
    attributes = stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_more_than_a_batch_is_deleted_at_once(stack: SimpleNamespace) -> None:
    send(stack, 17)
    queue = Queue(stack.sqs, NAME)
    queue.find()
    deliveries, _ = read([*queue.receive(0), *queue.receive(0)], 0)
    assert len(deliveries) == 17
    assert queue.delete(deliveries) == {}
    attributes = stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_failed_deletes_are_told_by_message(stack: SimpleNamespace) -> None:
    send(stack, 2)
    queue = Queue(stack.sqs, NAME)
    queue.find()
    deliveries, _ = read(queue.receive(0), 0)
    failed = [{"Id": "1", "Code": "ReceiptHandleIsInvalid", "Message": "old", "SenderFault": True}]
    with Stubber(stack.sqs) as stub:
        stub.add_response("delete_message_batch", {"Successful": [], "Failed": failed})
        assert queue.delete(deliveries) == {deliveries[1].message_id: "ReceiptHandleIsInvalid: old"}


def test_a_missing_queue_is_told_and_not_made(clients: SimpleNamespace) -> None:
    with pytest.raises(ResourceMissingError, match=f"SQS queue '{NAME}' does not exist in eu-central-1"):
        Queue(clients.sqs, NAME).find()
    assert "QueueUrls" not in clients.sqs.list_queues()


def test_a_refused_look_is_no_missing_queue(clients: SimpleNamespace) -> None:
    with Stubber(clients.sqs) as stub:
        stub.add_client_error("get_queue_url", "AccessDenied")
        with pytest.raises(ClientError, match="AccessDenied"):
            Queue(clients.sqs, NAME).find()
