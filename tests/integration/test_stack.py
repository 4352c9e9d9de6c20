"""The promises of a running stack that `make verify` does not look at."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest

TOPIC = "justtrack-dev-devops-producer-events"
NAME = "justtrack-dev-devops-consumer-events"
NAMESPACE = "devopstest"
EMULATOR = "app.kubernetes.io/component=emulator"
KINDS = ",".join(
    f"{kind}.aws.upbound.io" for kind in ("topics.sns", "queues.sqs", "topicsubscriptions.sns", "tables.dynamodb")
)

SERVER = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {may: call}}}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  # Python as a container's first process does not hear SIGTERM.
  terminationGracePeriodSeconds: 0
  containers:
    - {name: server, image: IMAGE, command: [python3, -m, http.server, "8000", --directory, /tmp], readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {selector: {app: server}, ports: [{port: 8000}]}
"""
CLIENT = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {may: MAY}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: client, image: IMAGE, command: [python3, -c, SCRIPT]}]
"""
# Tries until it sees what it is to see, for 30 s: a policy needs a moment to be in force for a new pod.
SCRIPT = """
import socket, time
for _ in range(60):
    try:
        socket.create_connection(("server", 8000), timeout=2).close()
        seen = "answered"
    except OSError:
        seen = "refused"
    if seen == "WANTED":
        break
    time.sleep(0.5)
print(seen, end="")
"""


def envelope(identifier: str) -> str:
    body = json.dumps({"Id": identifier, "Number": 1, "CreatedAt": "2026-01-01T00:00:00Z"})
    return json.dumps({"attributes": {"encoding": "application/json"}, "body": body})


def publish(stack: Any, *messages: str) -> None:
    sns = stack.client("sns")
    arn = next(one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(f":{TOPIC}"))
    for message in messages:
        sns.publish(TopicArn=arn, Message=message)


@pytest.fixture
def items(stack: Any) -> Any:
    """Find items by their id; what was found goes when the test ends."""
    table = stack.session.resource("dynamodb", endpoint_url=stack.env["AWS_ENDPOINT_URL"]).Table(NAME)
    asked: set[str] = set()

    def find(identifier: str) -> dict[str, Any] | None:
        asked.add(identifier)
        return table.get_item(Key={"Id": identifier}, ConsistentRead=True).get("Item")

    yield find
    for identifier in asked:
        table.delete_item(Key={"Id": identifier})


def queue_depth(stack: Any) -> int:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def test_the_three_pods_run(stack: Any) -> None:
    pods = json.loads(stack.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json"))["items"]
    running = {
        pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods if pod["status"]["phase"] == "Running"
    }
    assert {"producer", "consumer", "dynamodb-admin"} <= running


def test_every_resource_was_made_by_crossplane(stack: Any) -> None:
    found = json.loads(stack.kubectl("get", KINDS, "-o", "json"))["items"]
    assert sorted(one["kind"] for one in found) == ["Queue", "Table", "Topic", "TopicSubscription"]
    for one in found:
        conditions = {condition["type"]: condition["status"] for condition in one["status"]["conditions"]}
        assert (conditions["Synced"], conditions["Ready"]) == ("True", "True"), one["metadata"]["name"]


def test_a_node_begins_with_the_packages_that_are_declared(stack: Any) -> None:
    """Each has one revision: a base of other packages would have Crossplane install each provider twice."""
    revisions = json.loads(stack.kubectl("get", "providerrevisions.pkg.crossplane.io", "-o", "json"))["items"]
    providers = json.loads(stack.kubectl("get", "providers.pkg.crossplane.io", "-o", "json"))["items"]
    assert [one["spec"]["image"] for one in revisions] == [one["spec"]["package"] for one in providers]


def test_exactly_the_topic_may_send_to_the_queue(stack: Any) -> None:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [f"arn:aws:sns:eu-central-1:000000000000:{TOPIC}"]}
    }


def test_the_same_message_twice_makes_one_item(stack: Any, items: Any, eventually: Any) -> None:
    identifier = f"test-{uuid.uuid4()}"
    last = f"test-{uuid.uuid4()}"
    publish(stack, envelope(identifier), envelope(identifier), envelope(last))
    eventually(lambda: items(last))
    item = eventually(lambda: items(identifier))
    assert set(item) == {"Id", "Number", "CreatedAt"}


def test_a_foreign_message_holds_nothing_up(stack: Any, items: Any, eventually: Any) -> None:
    identifier = f"test-{uuid.uuid4()}"
    publish(stack, "not ours", "{}", '{"attributes": {}, "body": "[1, 2]"}', envelope(identifier))
    assert eventually(lambda: items(identifier))
    sqs = stack.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=NAME)["QueueUrl"])


def test_a_killed_consumer_loses_nothing(stack: Any, items: Any, eventually: Any) -> None:
    identifiers = [f"test-{uuid.uuid4()}" for _number in range(40)]
    publish(stack, *map(envelope, identifiers[:20]))
    stack.kubectl(
        "-n", NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/name=consumer", "--grace-period=0", "--force"
    )
    publish(stack, *map(envelope, identifiers[20:]))
    for identifier in identifiers:
        assert eventually(lambda wanted=identifier: items(wanted))


def test_dynamodb_admin_shows_the_table(stack: Any) -> None:
    service = json.loads(
        stack.kubectl("-n", NAMESPACE, "get", "service", "-l", "app.kubernetes.io/name=dynamodb-admin", "-o", "json")
    )
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{service['items'][0]['metadata']['name']}:8001/proxy/"
    assert NAME in stack.kubectl("get", "--raw", path)


def test_dynamodb_admin_shows_every_value_and_changes_nothing(stack: Any) -> None:
    (service,) = json.loads(
        stack.kubectl("-n", NAMESPACE, "get", "service", "-l", "app.kubernetes.io/name=dynamodb-admin", "-o", "json")
    )["items"]
    page = f"http://{stack.facts['address']}:{service['spec']['ports'][0]['nodePort']}/tables/{NAME}"
    dynamodb, big = stack.client("dynamodb"), "9007199254740993"
    key = {"Id": {"S": f"test-{uuid.uuid4()}"}}
    item = {**key, "Number": {"N": big}, "Set": {"SS": ["a", "b"]}, "Bytes": {"B": b"\x00\x01"}}
    dynamodb.put_item(TableName=NAME, Item=item)
    try:
        with urllib.request.urlopen(f"{page}/items?pageSize=10000", timeout=30) as answer:
            shown = [one for one in json.load(answer)["Items"] if one["Id"] == key["Id"]["S"]]
        assert [(one["Number"], one["Set"], one["Bytes"]) for one in shown] == [(big, ["a", "b"], "AAE=")]
        for method in ("PUT", "DELETE"):
            asked = urllib.request.Request(f"{page}/items/{key['Id']['S']}", b"{}", method=method)
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(asked, timeout=10)
        assert dynamodb.get_item(TableName=NAME, Key=key)["Item"] == item
    finally:
        dynamodb.delete_item(TableName=NAME, Key=key)


@pytest.mark.parametrize(("may", "wanted"), [("call", "answered"), ("not-call", "refused")])
def test_network_policies_are_enforced(stack: Any, namespace: str, eventually: Any, may: str, wanted: str) -> None:
    image = stack.facts["images"]["producer"]
    stack.kubectl("-n", namespace, "apply", "-f", "-", stdin=SERVER.replace("IMAGE", image))
    stack.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/server", "--timeout=60s")
    pod = CLIENT.replace("NAME", may).replace("MAY", may).replace("IMAGE", image)
    pod = pod.replace("SCRIPT", json.dumps(SCRIPT.replace("WANTED", wanted)))
    stack.kubectl("-n", namespace, "apply", "-f", "-", stdin=pod)
    stack.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{may}", "--timeout=90s")
    assert stack.kubectl("-n", namespace, "logs", may) == wanted


def test_the_emulator_answers_on_the_host(stack: Any) -> None:
    with urllib.request.urlopen(f"{stack.env['AWS_ENDPOINT_URL']}/_localstack/health", timeout=5) as answer:
        assert answer.status == 200
