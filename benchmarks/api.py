"""Measure what the users API costs beside boto3 alone: the same work, at the same concurrency, on the same emulator.

    api.py [--api-url URL] [--concurrency N] [--rounds N] [--requests N]

Without --api-url it starts a MiniStack and three processes of the service, and measures one of them and all. With it,
AWS_ENDPOINT_URL, AWS_REGION, DYNAMODB_TABLE and S3_BUCKET must name what that service works on, and credentials be in
the environment.
Blocks of both kinds take turns, so that a change of the machine's load meets both. Prints a Markdown table; `cost` is
the median of the rounds' ratios of time per request. Removes what it made.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
from botocore.config import Config
from PIL import Image
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "apps/users_api/tests"))
import running  # noqa: E402

FOLDER = PROJECT / ".localcloud/bench"
AVATAR_BYTES = 50_000
USERS = 50
REPLICAS = 3
BOUNDARY = "bench"


@dataclass
class Cloud:
    """What service and bare loop both work on."""

    endpoint: str
    region: str
    table: str
    bucket: str
    concurrency: int
    services: tuple[int, ...] = ()
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = Config(max_pool_connections=self.concurrency, s3={"addressing_style": "path"})
        session = boto3.Session(region_name=self.region)
        self.dynamodb = session.client("dynamodb", endpoint_url=self.endpoint, config=config)
        self.s3 = session.client("s3", endpoint_url=self.endpoint, config=config)

    def list(self, _number: int) -> None:
        self.dynamodb.scan(TableName=self.table, Limit=USERS)

    def get(self, number: int) -> None:
        email = self.made[number % USERS]
        self.dynamodb.get_item(TableName=self.table, Key={"email": {"S": email}}, ConsistentRead=True)

    def create(self, _number: int) -> None:
        email, key = address(), f"avatars/{self.table}/{uuid.uuid4()}.jpg"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=AVATAR, ContentType="image/jpeg")
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "email": {"S": email},
                "name": {"S": "Bench"},
                "avatar_key": {"S": key},
                "created_at": {"S": "2026-01-01T00:00:00.000Z"},
            },
            ConditionExpression="attribute_not_exists(email)",
        )
        self.made.append(email)

    def clean(self) -> None:
        """Remove what was made, avatars included."""
        with ThreadPoolExecutor(self.concurrency) as pool:
            list(pool.map(self._remove, self.made))

    def _remove(self, email: str) -> None:
        answer = self.dynamodb.delete_item(TableName=self.table, Key={"email": {"S": email}}, ReturnValues="ALL_OLD")
        if "Attributes" in answer:
            self.s3.delete_object(Bucket=self.bucket, Key=answer["Attributes"]["avatar_key"]["S"])


class Api:
    """The same work through the service; a connection for each thread, to the replicas in turn."""

    def __init__(self, urls: Sequence[str], cloud: Cloud) -> None:
        self._hosts, self._cloud, self._thread = cycle(urlsplit(url).netloc for url in urls), cloud, local()

    def list(self, _number: int) -> None:
        self._ask("GET", f"/users?limit={USERS}", 200)

    def get(self, number: int) -> None:
        self._ask("GET", f"/user/{self._cloud.made[number % USERS]}", 200)

    def create(self, _number: int) -> None:
        email = address()
        self._ask("POST", "/user", 201, upload(email), {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        self._cloud.made.append(email)

    def _ask(self, method: str, path: str, wanted: int, body: bytes | None = None, headers: Any = None) -> None:
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = HTTPConnection(next(self._hosts), timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != wanted:
            sys.exit(f"{method} {path} gave {answer.status} instead of {wanted}: {text[:300]!r}")


@dataclass
class Timing:
    """Seconds of each request, of each block from its begin to its end, and of CPU (without the emulator's)."""

    requests: list[float] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)
    cpu: float = 0

    def row(self, block: int) -> list[str]:
        """Requests per second (median of the blocks), p50, p95, p99 and CPU of a request in ms."""
        cuts = statistics.quantiles(self.requests, n=100)
        return [
            f"{block / statistics.median(self.blocks):.0f}",
            *(f"{cuts[percentile - 1] * 1000:.1f}" for percentile in (50, 95, 99)),
            f"{self.cpu / len(self.requests) * 1000:.1f}",
        ]


def address() -> str:
    """An address that no user has."""
    return f"bench-{uuid.uuid4()}@example.com"


def avatar() -> bytes:
    """A JPEG of AVATAR_BYTES: noise, so that its size is a picture's own, then bytes that viewers ignore."""
    file = io.BytesIO()
    Image.effect_noise((180, 180), 100).save(file, "JPEG", quality=90)
    assert file.tell() <= AVATAR_BYTES
    return file.getvalue().ljust(AVATAR_BYTES, b"\0")


def upload(email: str) -> bytes:
    """The body of a POST."""
    texts = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("name", "Bench"), ("email", email))
    )
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="avatar"; filename="a.jpg"\r\n\r\n'
    return texts.encode() + head.encode() + AVATAR + f"\r\n--{BOUNDARY}--\r\n".encode()


AVATAR = avatar()


def cpu_seconds(services: Sequence[int]) -> float:
    """CPU that this process and the service's, if they are ours, have used."""
    times = [psutil.Process(pid).cpu_times() for pid in services]
    return time.process_time() + sum(one.user + one.system for one in times)


def measure(
    call: Callable[[int], None], pool: ThreadPoolExecutor, requests: int, timing: Timing, services: Sequence[int]
) -> None:
    """Make a block of requests and note their times."""

    def one(number: int) -> float:
        begin = time.perf_counter()
        call(number)
        return time.perf_counter() - begin

    begin, used = time.perf_counter(), cpu_seconds(services)
    timing.requests += pool.map(one, range(requests))
    timing.blocks.append(time.perf_counter() - begin)
    timing.cpu += cpu_seconds(services) - used


def compare(name: str, bare: Cloud, apis: dict[str, Api], rounds: int, requests: int) -> list[list[str]]:
    """Measure one kind of work by boto3 alone and by each API, taking turns; give the rows of the table."""
    calls = {by: getattr(one, name) for by, one in {"boto3 alone": bare, **apis}.items()}
    timings = {by: Timing() for by in calls}
    with ThreadPoolExecutor(bare.concurrency) as pool:
        for call in calls.values():
            measure(call, pool, bare.concurrency * 2, Timing(), bare.services)
        for turn in range(rounds):
            for by in list(calls)[:: -1 if turn % 2 else 1]:
                measure(calls[by], pool, requests, timings[by], bare.services)
    alone = timings["boto3 alone"].blocks
    rows = []
    for by, timing in timings.items():
        cost = statistics.median(ours / theirs for ours, theirs in zip(timing.blocks, alone, strict=True)) - 1
        rows.append([name, by, *timing.row(requests), f"{cost * 100:+.0f} %" if by in apis else ""])
    return rows


@contextlib.contextmanager
def ministack() -> Iterator[str]:
    """Run a MiniStack of our own; give its endpoint."""
    python = FOLDER / "ministack/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", FOLDER / "ministack"], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
         "-r", PROJECT / "requirements/ministack.txt"], check=True,
    )  # fmt: skip
    port = running.free_port()
    environment = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_REGION": running.REGION}
    log = (FOLDER / "ministack.log").open("w")
    process = subprocess.Popen(
        [python, "-m", "ministack.app"], env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        running.wait_until("MiniStack answers", lambda: running.status(f"{endpoint}/_ministack/health") == 200, process)
        yield endpoint
    finally:
        process.terminate()
        process.wait()
        log.close()


@contextlib.contextmanager
def own(concurrency: int) -> Iterator[tuple[dict[str, Sequence[str]], Cloud]]:
    """Replicas of the service before a MiniStack, all only for us."""
    os.environ.update(running.CREDENTIALS)
    with ministack() as endpoint, contextlib.ExitStack() as stack:
        running.make_table(running.client("dynamodb", endpoint))
        running.make_bucket(running.client("s3", endpoint))
        replicas = [stack.enter_context(running.service(endpoint)) for _replica in range(REPLICAS)]
        urls, pids = [one.url for one in replicas], tuple(one.process.pid for one in replicas)
        yield (
            {"users API": urls[:1], f"{REPLICAS} replicas": urls},
            Cloud(endpoint, running.REGION, running.TABLE, running.BUCKET, concurrency, pids),
        )


@contextlib.contextmanager
def given(url: str, concurrency: int) -> Iterator[tuple[dict[str, Sequence[str]], Cloud]]:
    """A service that runs already, and what it works on."""
    names = ("AWS_ENDPOINT_URL", "AWS_REGION", "DYNAMODB_TABLE", "S3_BUCKET")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        sys.exit(f"Not in the environment: {', '.join(missing)}. They should name what {url} works on.")
    yield {"users API": [url]}, Cloud(*(os.environ[name] for name in names), concurrency)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api-url", default="")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--requests", type=int, default=300, help="requests in a block")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    place = given(arguments.api_url, arguments.concurrency) if arguments.api_url else own(arguments.concurrency)
    rows = []
    with place as (urls, cloud):
        apis = {by: Api(each, cloud) for by, each in urls.items()}
        try:
            for number in range(USERS):
                apis["users API"].create(number)
            for name in ("list", "get", "create"):
                rows += compare(name, cloud, apis, arguments.rounds, arguments.requests)
        finally:
            cloud.clean()
    headers = ["request", "by", "requests/s", "p50, ms", "p95, ms", "p99, ms", "CPU, ms", "cost"]
    print(tabulate(rows, headers, tablefmt="github"))
    print(
        f"\n{arguments.concurrency} callers at a time, {arguments.rounds} rounds of {arguments.requests} requests each."
    )


if __name__ == "__main__":
    main()
