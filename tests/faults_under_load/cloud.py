"""A stack with the pipeline and the users API on MiniStack: what runs in its node, and whether all of it works."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.faults.conftest import Stack
from tests.faults_under_load.load import Load, RefusedError

NAMESPACE = "devopstest"
# The program of a pod's sandbox (toolchain/pause).
PAUSE = "catatonit"
TOPIC = "justtrack-dev-devops-producer-events"
TABLE = "justtrack-dev-devops-consumer-events"
EMULATOR = "app.kubernetes.io/component=emulator"
WITNESS = "localcloud-faults"
NUMBERS_OF_MESSAGES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
# Without the autoscaler the number of pods stays the same.
SETTINGS = {"localstack_service_engine": "ministack", "stack_users_autoscaling": False}
# Asks a nameserver for an address, within the node's network.
RESOLVE = """
import socket, sys
question = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[2].split(".")) + b"\\0\\0\\1\\0\\1"
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.sendto(b"\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + question, (sys.argv[1], 53))
answer = client.recv(512)
assert answer[3] & 15 == 0 and answer[7] > 0, answer
"""
DNS_ADDRESS = "10.96.0.10"


class Cloud(Stack):
    """The stack, clients for it, and the processes of its node. `whole`: whether all is known to work."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.whole = False

    def bring_up(self) -> None:
        """Bring both blueprints up, each with its proof, and what the tests look at."""
        for blueprint in ("pipeline", "users-api"):
            self.heal(blueprint)
        self.make_witness()

    def heal(self, blueprint: str = "pipeline") -> str:
        """What a person does when something is wrong: `make up`. Returns what it says."""
        code, output = self.run("site.yml", stack_blueprint=blueprint, **SETTINGS)
        assert code == 0, output[-6000:]
        return " ".join(output.split())

    @property
    def environment(self) -> dict[str, str]:
        """What `.localcloud/env` exports."""
        lines = (self.state / "env").read_text().splitlines()
        return dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))

    def client(self, service: str) -> Any:
        """A client of the emulator that asks each thing once."""
        config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
        session: Any = boto3.Session("test", "test", region_name=self.environment["AWS_REGION"])
        return session.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"], config=config)

    def load(self) -> Load:
        """A load that has not begun."""
        sns = self.client("sns")
        (topic,) = [one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(f":{TOPIC}")]
        return Load(sns, topic, self.client("dynamodb"), TABLE, self.environment["USERS_API_URL"])

    def declared(self) -> dict[str, list[str]]:
        """What is in AWS, by kind, but items and objects: nothing of it may be missing, or there twice."""
        sns, sqs, dynamodb, s3 = map(self.client, ("sns", "sqs", "dynamodb", "s3"))
        return {
            "topics": sorted(one["TopicArn"] for one in sns.list_topics()["Topics"]),
            "subscriptions": sorted(one["SubscriptionArn"] for one in sns.list_subscriptions()["Subscriptions"]),
            "queues": sorted(sqs.list_queues().get("QueueUrls", [])),
            "tables": sorted(dynamodb.list_tables()["TableNames"]),
            "buckets": sorted(one["Name"] for one in s3.list_buckets()["Buckets"]),
        }

    def waiting(self) -> int:
        """How many messages the queues have, those that nobody may receive yet included."""
        sqs = self.client("sqs")
        numbers = [
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            for url in sqs.list_queues().get("QueueUrls", [])
        ]
        return sum(int(text) for one in numbers for name, text in one.items() if name in NUMBERS_OF_MESSAGES)

    # The node's processes

    @property
    def node_folder(self) -> Path:
        return self.state / "node/state"

    @property
    def node(self) -> psutil.Process:
        """The node's first process on the host."""
        record = json.loads((self.state / "node/node.json").read_text())
        return psutil.Process(record["process"][0])

    @property
    def name(self) -> str:
        """The node's name, which is also its cgroup's."""
        name: str = json.loads((self.state / "cluster.json").read_text())["context"]
        return name

    def processes(self, name: str) -> list[psutil.Process]:
        """The node's processes of this name, whatever container they are in."""
        found = [one for one in self.node.children(recursive=True) if _name(one) == name]
        assert found, f"no process {name} runs in the node"
        return found

    def pod_process(self, selector: str, namespace: str = NAMESPACE) -> tuple[psutil.Process, Path]:
        """The first process of one pod's program, and the folder /proc/… of its cgroups' file. The pause container is left out."""
        pods = json.loads(self.kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "json"))["items"]
        uid = pods[0]["metadata"]["uid"]
        for process in self.node.children(recursive=True):
            try:
                inside = uid in Path(f"/proc/{process.pid}/cgroup").read_text()
            except OSError:
                continue
            if inside and _name(process) != PAUSE:
                return process, Path(f"/proc/{process.pid}/cgroup")
        raise AssertionError(f"no process of a pod {selector} runs")

    def inside(self, process: psutil.Process, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the host in the network of a process."""
        words = ["nsenter", "--target", str(process.pid), "--net", "--", *map(str, command)]
        return subprocess.run(words, capture_output=True, text=True, check=True)

    # Whether all of it works

    def problem(self, load: Load) -> str | None:
        """What does not work yet; the load's client sends what proves it."""
        for look in (self._api, self._pods, self._kubelet, self._dns, self._crossplane):
            if state := look():
                return state
        return self._data_plane(load)

    def _ask(self, *arguments: str) -> str:
        """kubectl's answer; raises AssertionError with what it says."""
        command = [self.facts["kubectl"], "--kubeconfig", self.facts["kubeconfig"], "--request-timeout=5s", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"kubectl {' '.join(arguments)} does not end") from None
        assert done.returncode == 0, done.stderr.strip()[-300:]
        return done.stdout

    def _api(self) -> str | None:
        try:
            self._ask("get", "--raw=/readyz")
        except AssertionError as error:
            return f"API server: {error}"
        return None

    def _pods(self) -> str | None:
        try:
            pods = json.loads(self._ask("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        except AssertionError as error:
            return f"pods: {error}"
        waiting = [pod["metadata"]["name"] for pod in pods if not _is_ready(pod)]
        return f"not ready: {', '.join(waiting)}" if waiting else None

    def _kubelet(self) -> str | None:
        """By way of the API server, as logs and exec go."""
        try:
            self._ask("get", f"--raw=/api/v1/nodes/{self.name}/proxy/healthz")
        except AssertionError as error:
            return f"kubelet: {error}"
        return None

    def _dns(self) -> str | None:
        name = f"localstack.{NAMESPACE}.svc.cluster.local"
        try:
            self.inside(self.node.children()[0], sys.executable, "-c", RESOLVE, DNS_ADDRESS, name)
        except subprocess.CalledProcessError as error:
            return f"DNS: {error.stderr.strip().splitlines()[-1]}"
        return None

    def _crossplane(self) -> str | None:
        """A change of a managed resource is made in AWS: etcd, API server, provider and emulator work together."""
        wanted = uuid.uuid4().hex[:8]
        patch = json.dumps({"spec": {"forProvider": {"displayName": wanted}}})
        try:
            self._ask("patch", f"topics.sns.aws.upbound.io/{WITNESS}", "--type=merge", f"--patch={patch}")
        except AssertionError as error:
            return f"Crossplane: {error}"

        def made() -> str | None:
            sns = self.client("sns")
            try:
                arn = next(one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(WITNESS))
                seen = sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("DisplayName")
            except (ClientError, BotoCoreError, StopIteration) as error:
                return repr(error)
            return None if seen == wanted else f"the topic is called {seen!r}, not {wanted!r}"

        return _within("the provider to change a topic", made, 30)

    def _data_plane(self, load: Load) -> str | None:
        identifier = f"{load.run}-proof-{uuid.uuid4().hex[:8]}"
        try:
            load.publish(identifier)
        except RefusedError as error:
            return f"SNS: {error}"
        if state := _within(
            "an event to arrive", lambda: None if load.arrived(identifier) else "it is not in the table", 5
        ):
            return state
        try:
            load.make_user(identifier)
        except RefusedError as error:
            load.users.refused.append(identifier)
            return f"users API: {error}"
        load.users.accepted.append(identifier)
        return None

    def make_witness(self) -> None:
        """A topic of our own that Crossplane looks after."""
        topic = {
            "apiVersion": "sns.aws.upbound.io/v1beta1",
            "kind": "Topic",
            "metadata": {"name": WITNESS},
            "spec": {"forProvider": {"region": self.environment["AWS_REGION"], "displayName": "new"}},
        }
        command = [self.facts["kubectl"], "--kubeconfig", self.facts["kubeconfig"], "apply", "-f", "-"]
        subprocess.run(command, input=json.dumps(topic), text=True, check=True, capture_output=True)

    def until_whole(self, load: Load, limit: float) -> None:
        """Wait until all works; prints what did not, for pytest to show. Raises WaitError with what does not."""
        begin, last = time.monotonic(), ""

        def look() -> str | None:
            nonlocal last
            state = self.problem(load)
            if state is not None and state != last:
                print(f"after {time.monotonic() - begin:.1f} s: {state}")
                last = state
            return state

        wait_for("the whole cloud to work", look, limit, interval=0.2)


def _within(what: str, look: Any, limit: float) -> str | None:
    deadline = time.monotonic() + limit
    while state := look():
        if time.monotonic() > deadline:
            return f"waited {limit:.0f} s for {what}: {state}"
        time.sleep(0.1)
    return None


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def _is_ready(pod: dict[str, Any]) -> bool:
    if pod["status"].get("phase") == "Succeeded":
        return True
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
