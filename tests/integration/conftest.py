"""Tests against a stack that runs: give its state folder with --stack."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node import host
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.test_stack import TOPIC, envelope

LIMIT = 60.0
PROMETHEUS_PORT = 30990
# How many times as long as a look takes is waited until the next one.
SHARE = 4
PROJECT = Path(__file__).resolve().parents[2]

# How `make molecule-…` wants its own output; playbooks that tests run print what a user sees.
for variable in ("ANSIBLE_CALLBACK_RESULT_FORMAT", "COLUMNS"):
    os.environ.pop(variable, None)


# Says whether an address lets itself be connected to; a policy needs a moment to be in force for a new pod.
CLIENT = """
import socket, sys, time
host, port, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for _ in range(30):
    try:
        socket.create_connection((host, port), timeout=2).close()
        seen = "answered"
    except OSError:
        seen = "refused"
    if seen == wanted:
        break
    time.sleep(0.5)
print(seen, end="")
"""


class Stack:
    """What a stack's state folder says of it, and clients for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "cluster.json").read_text())
        lines = [line for line in (folder / "env").read_text().splitlines() if line.startswith("export ")]
        self.env = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        core = botocore.session.get_session()
        # By itself it waits a minute for a pod that went away with the connection.
        core.set_default_client_config(Config(connect_timeout=3, read_timeout=10))
        self.session = boto3.Session("test", "test", region_name=self.env["AWS_REGION"], botocore_session=core)

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.env["AWS_ENDPOINT_URL"])

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints. Raises subprocess.CalledProcessError with its error output shown."""
        command = [self.facts["kubectl"], "--kubeconfig", self.facts["kubeconfig"], *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", required=True, type=Path, help="the state folder of a running stack")
    parser.addoption(
        "--scope", default="cluster", choices=["cluster", "namespaced"], help="of the kinds that the stack serves"
    )


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.config.getoption("--stack"))


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of the playbooks that tests run."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="session")
def kinds_files(stack: Stack, temporary: Path) -> set[Path]:
    """Those in there that kubernetes.core keeps of the cluster; the node's removal counts on these names."""
    (cluster,) = yaml.safe_load(Path(stack.facts["kubeconfig"]).read_text())["clusters"]
    return {temporary / path.name for path in host.kinds_files(cluster["cluster"]["server"])}


@pytest.fixture(scope="session")
def playbook(stack: Stack, temporary: Path, kinds_files: set[Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a playbook of the project on the stack, with these settings; what became of it. It leaves no temporary files."""

    def run(path: str, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["ansible-playbook", path, "-e", json.dumps(settings), *arguments],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "LOCALCLOUD_DIR": str(stack.folder.parent),
                "TMPDIR": str(temporary),
                "NO_COLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert set(temporary.iterdir()) <= kinds_files
        return done

    return run


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Call a function until it returns something true; return that, or fail after so many seconds with what there is."""

    def wait(look: Callable[[], Any], limit: float = LIMIT, state: Callable[[], Any] = lambda: "") -> Any:
        deadline = time.monotonic() + limit
        while True:
            begin = time.monotonic()
            if found := look():
                return found
            assert time.monotonic() < deadline, f"Still not after {limit:.0f} s: {look} {state()}"
            # A program that looks takes from what is waited for, the more so on a busy machine.
            time.sleep(max(0.2, SHARE * (time.monotonic() - begin)))

    return wait


@pytest.fixture(scope="session")
def ask(stack: Any) -> Callable[[str], list[dict[str, Any]]]:
    """The result of a PromQL expression, by the Prometheus of a stack that is monitored."""

    def query(expression: str) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": expression})
        url = f"http://{stack.facts['address']}:{PROMETHEUS_PORT}/api/v1/query?{parameters}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    return query


@pytest.fixture
def load(stack: Any) -> Iterator[list[str]]:
    """Publishes events until told to stop; the identifiers of those that were accepted."""
    sns = stack.client("sns")
    (arn,) = [one["TopicArn"] for one in sns.list_topics()["Topics"] if one["TopicArn"].endswith(f":{TOPIC}")]
    accepted: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.05):
            identifier = f"test-{uuid.uuid4()}"
            try:
                sns.publish(TopicArn=arn, Message=envelope(identifier))
            except (ClientError, BotoCoreError):
                continue
            accepted.append(identifier)

    thread = threading.Thread(target=publish)
    thread.start()
    yield accepted
    stop.set()
    thread.join()


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"localcloud-test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def later() -> Iterator[Callable[..., Any]]:
    """Do something when the test ends, the last thing first."""
    with ExitStack() as stack:
        yield stack.callback


@pytest.fixture
def namespace(stack: Stack, name: str) -> Iterator[str]:
    """An empty namespace that nobody uses after the test."""
    stack.kubectl("create", "namespace", name)
    yield name
    stack.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def outside(stack: Any) -> Iterator[tuple[str, int]]:
    """A listener on this machine, in the place of real AWS: an address outside of the cluster."""
    with socket.create_server((stack.facts["gateway"], 0)) as server:
        yield server.getsockname()


@pytest.fixture
def client(stack: Any) -> Iterator[Any]:
    """Start a pod with these labels that tries to connect; what it saw."""
    pods: list[tuple[str, str]] = []

    def start(namespace: str, labels: dict[str, str], *arguments: object, script: str = CLIENT) -> str:
        name = f"localcloud-test-{uuid.uuid4().hex[:8]}"
        spec = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "client",
                        "image": stack.facts["images"]["producer"],
                        "command": ["python3", "-c", script, *map(str, arguments)],
                        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    }
                ],
            },
        }
        pods.append((namespace, name))
        stack.kubectl("apply", "-f", "-", stdin=json.dumps(spec))
        return name

    def finish(namespace: str, name: str) -> str:
        stack.kubectl(
            "-n", namespace, "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=240s"
        )
        return str(stack.kubectl("-n", namespace, "logs", name))

    def run(namespace: str, labels: dict[str, str], *arguments: object, script: str = CLIENT) -> str:
        return finish(namespace, start(namespace, labels, *arguments, script=script))

    run.start, run.finish = start, finish  # type: ignore[attr-defined]
    yield run
    for namespace, name in pods:
        stack.kubectl("-n", namespace, "delete", "pod", name, "--ignore-not-found", "--wait=false")
