"""Both programs as they run in a pod: as processes, against an emulator over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.server import ThreadedMotoServer

APPS = ("localcloud_producer", "localcloud_consumer")
# What localstack_service_faults puts before an emulator.
PROXY = Path(__file__).resolve().parents[3] / "plugins/module_utils/emulators/fault_proxy.py"
COUNT = 100
# With its seed each comes within the first ten requests to its service.
FAULTS = [
    {"service": "sns", "fault": "throttle", "rate": 0.1},
    {"service": "sns", "fault": "error", "rate": 0.1},
    {"service": "sns", "fault": "timeout", "rate": 0.05, "milliseconds": 200},
    {"service": "sns", "fault": "duplicate", "rate": 0.2},
    {"service": "sqs", "fault": "throttle", "rate": 0.1},
    {"service": "sqs", "fault": "error", "rate": 0.05},
    {"service": "sqs", "fault": "latency", "rate": 0.2, "milliseconds": 50},
    {"service": "sqs", "fault": "reorder", "rate": 0.5},
    {"service": "dynamodb", "fault": "throttle", "rate": 0.2},
    {"service": "dynamodb", "fault": "error", "rate": 0.1},
    {"service": "dynamodb", "fault": "timeout", "rate": 0.05, "milliseconds": 200},
]


class Program:
    """A running program and its probes."""

    def __init__(self, module: str, **environment: str) -> None:
        with socket.create_server(("", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**os.environ, "HTTP_PORT": str(self.port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, path: str) -> tuple[int, str]:
        """Give the answer's status and text, 0 and nothing where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def live(self) -> bool:
        return self.ask("/healthz")[0] == 200

    def ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def misses_its_resource(self) -> bool:
        status, text = self.ask("/readyz")
        return status == 503 and "does not exist" in text

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the program from running meanwhile: SNS drops what is published before there is a subscription."""
        self.process.send_signal(signal.SIGSTOP)
        yield
        self.process.send_signal(signal.SIGCONT)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float, list[str]]:
        """Give exit code, seconds to the end, and what was logged."""
        started = time.monotonic()
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=60)
        lines = [json.loads(line) for line in output.splitlines()]
        return self.process.returncode, time.monotonic() - started, [line["event"] for line in lines]


def wait_for(what: Callable[[], object], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while not what():
        assert time.monotonic() < end, "did not happen within the limit"
        time.sleep(0.05)


@pytest.fixture
def emulator() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What moto keeps is the process's, not the server's.
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def launch(emulator: str) -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def start(module: str, **environment: str) -> Program:
        running.append(Program(module, **{"CLOUD_AWS_DEFAULTS_ENDPOINT": emulator, **environment}))
        return running[-1]

    yield start
    for program in running:
        program.process.kill()
        program.process.communicate()


def test_events_go_their_way_once_the_resources_are_there(
    emulator: str, launch: Callable[..., Program], make: SimpleNamespace
) -> None:
    clients = make.clients(emulator)
    producer = launch("localcloud_producer", PRODUCER_RATE="20", PRODUCER_COUNT="30")
    consumer = launch("localcloud_consumer")
    for program in (producer, consumer):
        wait_for(program.misses_its_resource)
        assert program.live()
    assert clients.sns.list_topics()["Topics"] == []
    with producer.paused():
        stack = make.stack(clients)
    wait_for(lambda: producer.ready() and consumer.ready())
    wait_for(lambda: clients.dynamodb.scan(TableName=stack.table)["Count"] == 30)
    items = clients.dynamodb.scan(TableName=stack.table)["Items"]
    assert sorted(int(item["Number"]["N"]) for item in items) == list(range(1, 31))
    assert all(item.keys() == {"Id", "Number", "CreatedAt"} for item in items)
    assert producer.ready()
    code, _, events = producer.end()
    assert code == 0
    assert events[0] == "started"
    assert "waiting" in events
    assert events[-2:] == ["done, idling", "stopped"]
    code, seconds, events = consumer.end()
    assert (code, events[-1]) == (0, "stopped")
    assert seconds < 15, "a stop waited for the long poll"


@pytest.mark.parametrize("module", APPS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_at_once_while_waiting_for_its_emulator(
    module: str, number: signal.Signals, launch: Callable[..., Program]
) -> None:
    program = launch(module, CLOUD_AWS_DEFAULTS_ENDPOINT="http://127.0.0.1:9")
    wait_for(program.live)
    assert program.ask("/readyz")[0] == 503
    code, seconds, events = program.end(number)
    assert (code, events[-1]) == (0, "stopped")
    assert seconds < 15


@pytest.mark.parametrize("module", APPS)
def test_bad_settings_are_one_line_and_exit_code_two(module: str, launch: Callable[..., Program]) -> None:
    program = launch(module, CLOUD_AWS_DEFAULTS_ENDPOINT="https://x/")
    output, errors = program.process.communicate(timeout=15)
    assert program.process.returncode == 2
    assert output == ""
    assert errors == (
        f"{module}: CLOUD_AWS_DEFAULTS_ENDPOINT: should be http://host:port with no path, or empty for real AWS\n"
    )


@pytest.fixture
def proxy(emulator: str) -> Iterator[str]:
    """The emulator's address behind the proxy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    own = [
        "--address=127.0.0.1",
        f"--port={port}",
        f"--upstream={emulator}",
        "--seed=79",
        f"--faults={json.dumps(FAULTS)}",
    ]
    process = subprocess.Popen([sys.executable, str(PROXY), *own])
    try:
        wait_for(lambda: process.poll() is not None or counts(f"http://127.0.0.1:{port}") is not None)
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def counts(proxy: str) -> dict[str, int] | None:
    """What the proxy did, None as long as it does not answer."""
    try:
        with urllib.request.urlopen(f"{proxy}/_faults", timeout=5) as answer:
            return dict(json.loads(answer.read()))
    except OSError:
        return None


def test_nothing_is_lost_and_nothing_is_stored_twice(
    emulator: str, proxy: str, launch: Callable[..., Program], make: SimpleNamespace
) -> None:
    stack = make.stack(make.clients(emulator))
    consumer = launch("localcloud_consumer", CLOUD_AWS_DEFAULTS_ENDPOINT=proxy)
    producer = launch(
        "localcloud_producer", CLOUD_AWS_DEFAULTS_ENDPOINT=proxy, PRODUCER_RATE="40", PRODUCER_COUNT=str(COUNT)
    )

    def numbers() -> list[int]:
        items = stack.dynamodb.scan(TableName=stack.table, ConsistentRead=True)["Items"]
        return sorted(int(one["Number"]["N"]) for one in items)

    wait_for(lambda: len(numbers()) >= COUNT, limit=120)
    # What came twice has been stored again by then, under the same key.
    wait_for(lambda: depth(stack) == {"0"}, limit=60)
    assert numbers() == list(range(1, COUNT + 1))
    assert [one.process.poll() for one in (consumer, producer)] == [None, None]
    wait_for(lambda: consumer.ready() and producer.ready())
    done = counts(proxy) or {}
    assert {f"{one['service']}.{one['fault']}" for one in FAULTS} == done.keys(), done


def depth(stack: SimpleNamespace) -> set[str]:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return set(stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=list(names))["Attributes"].values())
