"""What is promised of EventPipelines: the one that the stack consists of, and others beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.playbook_output import changed_tasks

KIND = "eventpipelines.localcloud.dev"
MANAGED = "topics.sns.aws.upbound.io,queues.sqs.aws.upbound.io,topicsubscriptions.sns.aws.upbound.io,tables.dynamodb.aws.upbound.io"
STACKS_OWN = "justtrack-t1"
NAME = "localcloud-test-orders"
FIFO = "localcloud-test-ordered"
LOST = "localcloud-test-lost"
FIRST = {
    "deadLetter": {"maxReceiveCount": 1},
    "visibilityTimeoutSeconds": 0,
    "rawMessageDelivery": True,
    "filterPolicy": {"kind": ["order"], "price": [{"numeric": [">=", 100]}]},
    "rangeKey": {"name": "At", "type": "N"},
    "tags": {"team": "first"},
}


def manifest(name: str, **spec: Any) -> str:
    """An EventPipeline whose topic, queue and table all have its own name."""
    return json.dumps(
        {
            "apiVersion": "localcloud.dev/v1alpha1",
            "kind": "EventPipeline",
            "metadata": {"name": name},
            "spec": {"region": "eu-central-1", "topic": name, "queue": name, "table": name, **spec},
        }
    )


def topic(name: str) -> str:
    """A topic by itself, as the lists of aws_resources declare it."""
    return json.dumps(
        {
            "apiVersion": "sns.aws.upbound.io/v1beta1",
            "kind": "Topic",
            "metadata": {"name": name, "annotations": {"crossplane.io/external-name": name}},
            "spec": {"forProvider": {"region": "eu-central-1"}, "providerConfigRef": {"name": "default"}},
        }
    )


def get(stack: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.kubectl("get", KIND, name, "-o", "json"))
    return found


def composed(stack: Any, name: str) -> list[dict[str, Any]]:
    selector = f"--selector=crossplane.io/composite={name}"
    found: list[dict[str, Any]] = json.loads(stack.kubectl("get", MANAGED, selector, "-o", "json"))["items"]
    return found


def receive(stack: Any, url: str) -> list[str]:
    answer = stack.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    return [one["Body"] for one in answer.get("Messages", [])]


def url_of(stack: Any, name: str) -> str:
    """The queue's URL from this machine; the status has it for the cluster."""
    url: str = stack.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return url


@pytest.fixture(scope="module")
def declared_before(stack: Any) -> str:
    """A topic that is there before the pipeline of the same name; its uid."""
    stack.kubectl("apply", "-f", "-", stdin=topic(NAME))
    uid: str = json.loads(stack.kubectl("get", "topics.sns.aws.upbound.io", NAME, "-o", "json"))["metadata"]["uid"]
    return uid


@pytest.fixture(scope="module")
def pipelines(stack: Any, declared_before: str) -> Iterator[None]:
    """Pipelines beside the stack's own, all made at once: a queue takes its 25 s."""
    stack.kubectl("apply", "-f", "-", stdin=manifest(NAME, **FIRST))
    stack.kubectl("apply", "-f", "-", stdin=manifest(FIFO, fifo=True, deadLetter={"name": "localcloud-test-unordered"}))
    stack.kubectl("apply", "-f", "-", stdin=manifest(LOST, account="123456789012"))
    stack.kubectl("wait", "--for=condition=Ready", f"{KIND}/{NAME}", f"{KIND}/{FIFO}", "--timeout=300s")
    yield
    stack.kubectl("delete", KIND, LOST, FIFO, NAME, "--ignore-not-found", "--cascade=foreground", "--timeout=300s")


def test_the_stacks_resources_belong_to_its_pipeline(stack: Any) -> None:
    pipeline = get(stack, STACKS_OWN)
    found = composed(stack, STACKS_OWN)
    assert sorted(one["kind"] for one in found) == ["Queue", "Queue", "Table", "Topic", "TopicSubscription"]
    assert {(one["kind"], one["metadata"]["name"]) for one in found} == {
        (one["kind"], one["name"]) for one in pipeline["spec"]["crossplane"]["resourceRefs"]
    }
    for one in found:
        (owner,) = one["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (pipeline["metadata"]["uid"], True)
        assert (
            one["metadata"]["labels"]["localcloud.dev/owner"] == pipeline["metadata"]["labels"]["localcloud.dev/owner"]
        )


def test_the_status_is_what_aws_has(stack: Any) -> None:
    pipeline = get(stack, STACKS_OWN)
    status, spec = pipeline["status"], pipeline["spec"]
    sqs = stack.client("sqs")
    topics = [one["TopicArn"] for one in stack.client("sns").list_topics()["Topics"]]
    subscriptions = [one["SubscriptionArn"] for one in stack.client("sns").list_subscriptions()["Subscriptions"]]
    assert status["topicArn"] in topics
    assert status["subscriptionArn"] in subscriptions
    assert status["tableArn"] == stack.client("dynamodb").describe_table(TableName=spec["table"])["Table"]["TableArn"]
    attributes = sqs.get_queue_attributes(QueueUrl=url_of(stack, spec["queue"]), AttributeNames=["All"])["Attributes"]
    assert status["queueArn"] == attributes["QueueArn"]
    assert status["queueUrl"].endswith(f"/000000000000/{spec['queue']}")
    assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"] == status["deadLetterQueueArn"]
    assert status["deadLetterQueueUrl"].endswith(f"/000000000000/{spec['queue']}-dlq")


def test_a_pipeline_filters_and_gives_up_on_what_nobody_deletes(
    stack: Any, pipelines: None, eventually: Callable[..., Any]
) -> None:
    sns, arn = stack.client("sns"), get(stack, NAME)["status"]["topicArn"]
    for text, kind, price in (("wanted", "order", "100"), ("cheap", "order", "99"), ("other", "refund", "100")):
        attributes = {
            "kind": {"DataType": "String", "StringValue": kind},
            "price": {"DataType": "Number", "StringValue": price},
        }
        sns.publish(TopicArn=arn, Message=text, MessageAttributes=attributes)
    queue, dead = url_of(stack, NAME), url_of(stack, f"{NAME}-dlq")
    assert eventually(lambda: receive(stack, queue)) == ["wanted"]

    def given_up() -> list[str]:
        assert receive(stack, queue) == []  # which would have been the second time
        return receive(stack, dead)

    assert eventually(given_up) == ["wanted"]


def test_a_resource_that_was_declared_by_itself_is_taken_over(
    stack: Any, declared_before: str, pipelines: None
) -> None:
    (found,) = [one for one in composed(stack, NAME) if one["kind"] == "Topic"]
    assert found["metadata"]["uid"] == declared_before
    assert [owner["kind"] for owner in found["metadata"]["ownerReferences"]] == ["EventPipeline"]


def test_kubectl_tells_what_there_is_and_what_can_be_said(stack: Any, pipelines: None) -> None:
    listed = stack.kubectl("get", "eventpipelines", "-o", "wide")
    assert {"REGION", "TOPIC", "QUEUE", "TABLE", "SYNCED", "READY"} <= set(listed.split())
    assert "-dlq" in stack.kubectl("explain", "eventpipelines.spec.deadLetter").lower()


def test_a_table_has_both_keys(stack: Any, pipelines: None) -> None:
    table = stack.client("dynamodb").describe_table(TableName=NAME)["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("Id", "HASH"), ("At", "RANGE")]


def test_a_fifo_pipeline_keeps_the_order(stack: Any, pipelines: None, eventually: Callable[..., Any]) -> None:
    arn = get(stack, FIFO)["status"]["topicArn"]
    assert arn.endswith(f":{FIFO}.fifo")
    texts = [str(number) for number in range(3)]
    for text in texts:
        stack.client("sns").publish(TopicArn=arn, Message=text, MessageGroupId="one")
    bodies: list[str] = []
    queue = url_of(stack, f"{FIFO}.fifo")
    eventually(lambda: bodies.extend(receive(stack, queue)) or len(bodies) >= len(texts))
    assert [json.loads(body)["Message"] for body in bodies] == texts


def test_a_changed_tag_reaches_aws(stack: Any, pipelines: None, eventually: Callable[..., Any]) -> None:
    stack.kubectl("patch", KIND, NAME, "--type=merge", "--patch", '{"spec": {"tags": {"team": "second"}}}')
    sns, sqs, dynamodb = (stack.client(service) for service in ("sns", "sqs", "dynamodb"))
    status = get(stack, NAME)["status"]

    def everywhere() -> bool:
        topic = {tag["Key"]: tag["Value"] for tag in sns.list_tags_for_resource(ResourceArn=status["topicArn"])["Tags"]}
        table = dynamodb.list_tags_of_resource(ResourceArn=status["tableArn"])["Tags"]
        queues = [sqs.list_queue_tags(QueueUrl=url_of(stack, one))["Tags"] for one in (NAME, f"{NAME}-dlq")]
        tags = [topic, {tag["Key"]: tag["Value"] for tag in table}, *queues]
        return [one.get("team") for one in tags] == ["second"] * len(tags)

    eventually(everywhere)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"region": "Frankfurt"}, "spec.region: Invalid value"),
        ({"table": "ab"}, "spec.table: Invalid value"),
        ({"deadLetter": {"maxReceiveCount": 0}}, "spec.deadLetter.maxReceiveCount: Invalid value"),
        ({"deadLetter": {"name": "localcloud-test-bad"}}, "spec.deadLetter: .*its own dead-letter queue"),
        ({"hashKey": {"name": "Id", "type": "X"}}, "spec.hashKey.type: Unsupported value"),
        ({"tags": {"aws:mine": "no"}}, "spec.tags: .*aws:"),
        ({"queue": "q" * 76, "fifo": True}, "spec.fifo: .*longer than it allows"),
        ({"tpoic": "typing error"}, "unknown field .*spec.tpoic"),
    ],
)
def test_a_bad_value_is_refused_with_its_path(stack: Any, spec: dict[str, Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        stack.kubectl("apply", "-f", "-", stdin=manifest("localcloud-test-bad", **spec))


def test_what_aws_would_make_anew_can_not_be_changed(stack: Any, pipelines: None) -> None:
    for change in ({"topic": "other"}, {"region": "us-east-1"}, {"hashKey": {"name": "Other"}}, {"rangeKey": None}):
        with pytest.raises(AssertionError, match=f"spec.{next(iter(change))}: .*can't be"):
            stack.kubectl("patch", KIND, NAME, "--type=merge", "--patch", json.dumps({"spec": change}))


def test_the_function_says_what_is_wrong_by_its_path(
    stack: Any, pipelines: None, eventually: Callable[..., Any]
) -> None:
    def complaint() -> str:
        conditions = get(stack, LOST)["status"]["conditions"]
        return next(
            (one.get("message", "") for one in conditions if (one["type"], one["status"]) == ("Synced", "False")), ""
        )

    assert "spec.account: '123456789012' is declared, but the provider made the topic in '000000000000'" in eventually(
        complaint
    )


def test_a_deleted_pipeline_takes_everything_along(stack: Any, pipelines: None) -> None:
    stack.kubectl("delete", KIND, NAME, "--cascade=foreground", "--timeout=300s")
    assert composed(stack, NAME) == []
    topics = stack.client("sns").list_topics()["Topics"]
    assert not [one for one in topics if one["TopicArn"].endswith(f":{NAME}")]
    assert not stack.client("sqs").list_queues(QueueNamePrefix=NAME).get("QueueUrls")
    assert NAME not in stack.client("dynamodb").list_tables()["TableNames"]


def test_a_topic_that_was_deleted_by_hand_comes_back_with_its_subscription(
    stack: Any, playbook: Callable[..., Any]
) -> None:
    """SNS may go on answering for the subscription, so its object is deleted, and Crossplane declares it again."""
    sns, arn = stack.client("sns"), get(stack, STACKS_OWN)["status"]["topicArn"]
    sns.delete_topic(TopicArn=arn)
    mended = playbook("site.yml", localstack_service_engine="ministack", stack_pipeline="object")
    assert mended.returncode == 0, mended.stdout[-3000:]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert get(stack, STACKS_OWN)["status"]["subscriptionArn"] == subscription["SubscriptionArn"]
    again = playbook("site.yml", localstack_service_engine="ministack", stack_pipeline="object")
    assert changed_tasks(again.stdout) == []
