import json
from types import SimpleNamespace

import pytest
from botocore.stub import Stubber

from localcloud_events.message import Event, decode
from localcloud_events.problems import ResourceMissingError
from localcloud_producer.topic import Topic

EVENTS = [Event(Id=f"e{number}", Number=number, CreatedAt="2026-01-02T03:04:05Z") for number in range(3)]
NAME = "justtrack-dev-devops-producer-events"


def test_finds_the_topic_on_a_later_page_by_its_whole_name(clients: SimpleNamespace) -> None:
    for number in range(105):
        clients.sns.create_topic(Name=f"other-{number}-{NAME}")
    clients.sns.create_topic(Name=NAME)
    clients.sqs.create_queue(QueueName="q")
    arn = f"arn:aws:sqs:{clients.sqs.meta.region_name}:123456789012:q"
    topic_arn = f"arn:aws:sns:{clients.sns.meta.region_name}:123456789012:{NAME}"
    clients.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    topic = Topic(clients.sns, NAME)
    topic.find()
    assert topic.publish(EVENTS[:1]) == []
    url = clients.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    assert len(clients.sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_a_missing_topic_is_told_and_not_made(clients: SimpleNamespace) -> None:
    with pytest.raises(ResourceMissingError, match=f"SNS topic '{NAME}' does not exist in eu-central-1"):
        Topic(clients.sns, NAME).find()
    assert clients.sns.list_topics()["Topics"] == []


def test_published_events_arrive_with_their_attributes(stack: SimpleNamespace) -> None:
    topic = Topic(stack.sns, NAME)
    topic.find()
    assert topic.publish(EVENTS) == []
    bodies = [
        message["Body"]
        for message in stack.sqs.receive_message(QueueUrl=stack.queue, MaxNumberOfMessages=10)["Messages"]
    ]
    assert sorted(decode(body).event.id for body in bodies) == ["e0", "e1", "e2"]
    assert decode(bodies[0]).published_at
    envelope = json.loads(bodies[0])
    assert envelope["MessageAttributes"] == {"encoding": {"Type": "String", "Value": "application/json"}}
    assert json.loads(envelope["Message"])["attributes"] == {"encoding": "application/json"}


def test_refused_events_are_given_back(clients: SimpleNamespace) -> None:
    failed = [{"Id": "1", "Code": "InternalError", "Message": "later", "SenderFault": False}]
    with Stubber(clients.sns) as stub:
        stub.add_response("publish_batch", {"Successful": [], "Failed": failed})
        refusals = Topic(clients.sns, NAME).publish(EVENTS)
    assert [(one.event, one.reason) for one in refusals] == [(EVENTS[1], "InternalError: later")]
