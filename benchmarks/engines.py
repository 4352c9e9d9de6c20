"""Measure what each engine costs and gives: a fresh stack on the embedded node for each, one after the other.

Prints a Markdown table: seconds of `site.yml`, seconds from the emulator's start until it answers, its memory after the
load, its image, and events per second (publishes of one client, and all the way into the table).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import psutil
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / ".localcloud/bench"
ENGINES: dict[str, dict[str, Any]] = {
    "LocalStack 4.14.0": {"localstack_service_engine": "localstack"},
    "MiniStack 1.5.33": {"localstack_service_engine": "ministack"},
    "MiniStack outside": {"localstack_service_engine": "outside", "localstack_service_outside_start": True},
}
EVENTS = 500
CLIENTS = 4
LIMIT_SECONDS = 120
NAME = "justtrack-dev-devops-consumer-events"
TOPIC = "justtrack-dev-devops-producer-events"


def play(playbook: str, settings: dict[str, Any]) -> float:
    """Run a playbook for the benchmark's folder; the seconds it took."""
    begin = time.monotonic()
    subprocess.run(
        ["ansible-playbook", playbook, "-e", json.dumps({"apps_producer_count": 1, **settings})],
        cwd=PROJECT,
        env={
            **os.environ,
            "LOCALCLOUD_DIR": str(FOLDER),
            "KUBECONFIG": "/nonexistent",
            "DOCKER_HOST": "unix:///nonexistent",
        },
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - begin


class Stack:
    """The running stack of the benchmark."""

    def __init__(self) -> None:
        self.state = FOLDER / ".localcloud"
        self.facts = json.loads((self.state / "cluster.json").read_text())
        self.cloud = json.loads((self.state / "cloud.json").read_text())
        self.session = boto3.Session("test", "test", region_name="eu-central-1")

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.cloud["host_endpoint"])

    def kubectl(self, *arguments: str) -> Any:
        command = [self.facts["kubectl"], "--kubeconfig", self.facts["kubeconfig"], *arguments]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def pod(self) -> Any:
        return self.kubectl("-n", "devopstest", "get", "pod", "localstack-0", "-o", "json")

    def start_seconds(self) -> str:
        """From the start of the container to its readiness, as Kubernetes says in whole seconds."""
        if self.cloud["engine"] == "outside":
            return ""
        status = self.pod()["status"]
        started = status["containerStatuses"][0]["state"]["running"]["startedAt"]
        ready = next(one for one in status["conditions"] if one["type"] == "Ready")["lastTransitionTime"]
        return f"{(datetime.fromisoformat(ready) - datetime.fromisoformat(started)).total_seconds():.0f}"

    def memory(self) -> float:
        """MiB that the emulator holds."""
        if self.cloud["engine"] == "outside":
            record = json.loads((self.state / "emulator/program.json").read_text())
            family = psutil.Process(record["pid"]).children(recursive=True)
            return float(sum(process.memory_info().rss for process in family)) / 2**20
        summary = self.kubectl("get", "--raw", f"/api/v1/nodes/{self.facts['stack']}/proxy/stats/summary")
        (pod,) = [one for one in summary["pods"] if one["podRef"]["name"] == "localstack-0"]
        return float(pod["memory"]["workingSetBytes"]) / 2**20

    def image(self) -> str:
        """MB of the image, its layers as they are unpacked."""
        if self.cloud["engine"] == "outside":
            return "none"
        path = Path(self.facts["parts"][self.cloud["engine"]]["path"]) / "image.tar"
        return f"{path.stat().st_size / 1e6:.0f}"


def events_per_second(stack: Stack) -> tuple[float, float]:
    """Publishes of several clients a second, and events a second until the last one is in the table."""
    arn = next(
        one["TopicArn"] for one in stack.client("sns").list_topics()["Topics"] if one["TopicArn"].endswith(TOPIC)
    )
    table = stack.session.resource("dynamodb", endpoint_url=stack.cloud["host_endpoint"]).Table(NAME)
    before = table.scan(Select="COUNT")["Count"]
    clients = [stack.client("sns") for _number in range(CLIENTS)]

    def publish(number: int) -> None:
        body = json.dumps({"Id": f"bench-{uuid.uuid4()}", "Number": number, "CreatedAt": "2026-01-01T00:00:00Z"})
        message = json.dumps({"attributes": {"encoding": "application/json"}, "body": body})
        clients[number % CLIENTS].publish(TopicArn=arn, Message=message)

    begin = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(publish, range(EVENTS)))
    published = time.monotonic() - begin
    while table.scan(Select="COUNT")["Count"] < before + EVENTS:
        if time.monotonic() - begin > LIMIT_SECONDS:
            sys.exit(
                f"After {LIMIT_SECONDS} s only {table.scan(Select='COUNT')['Count'] - before} of {EVENTS} events are in the table."
            )
        time.sleep(0.1)
    return EVENTS / published, EVENTS / (time.monotonic() - begin)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, settings in ENGINES.items():
        play("playbooks/teardown.yml", {})
        took = play("site.yml", settings)
        stack = Stack()
        published, through = events_per_second(stack)
        rows.append(
            [
                name,
                f"{took:.0f}",
                stack.start_seconds(),
                f"{stack.memory():.0f}",
                stack.image(),
                f"{published:.0f}",
                f"{through:.0f}",
            ]
        )
        print(rows[-1], flush=True)
    play("playbooks/teardown.yml", {})
    headers = [
        "engine",
        "`make up`, s",
        "start, s",
        "memory, MiB",
        "image, MB",
        "publishes/s",
        "events/s into the table",
    ]
    print(tabulate(rows, headers, tablefmt="github"))


if __name__ == "__main__":
    main()
