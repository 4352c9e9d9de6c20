"""An AWS in memory, and the application before it. No test can reach real AWS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from moto import mock_aws
from pictures import picture
from running import BUCKET, CREDENTIALS, REGION, TABLE, client, make_bucket, make_table
from starlette.testclient import TestClient

from localcloud_users_api.clients import build_store
from localcloud_users_api.settings import Settings, load
from localcloud_users_api.store import Store
from localcloud_users_api.web import build_app
from localcloud_web.readiness import Readiness

LOG = structlog.get_logger()
ENVIRONMENT = {**CREDENTIALS, "AWS_REGION": REGION, "DYNAMODB_TABLE": TABLE, "S3_BUCKET": BUCKET}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the service its settings, and drop what the developer's shell says about AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """Clients, which take long to make: ours, and those of a store."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        return SimpleNamespace(dynamodb=client("dynamodb"), s3=client("s3"), store=build_store(load(), LOG))


@pytest.fixture
def aws(made: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """An AWS in memory with table and bucket, and clients of it."""
    with mock_aws():
        clients = SimpleNamespace(dynamodb=made.dynamodb, s3=made.s3)
        make_table(clients.dynamodb)
        make_bucket(clients.s3)
        clients.keys = lambda: [one["Key"] for one in clients.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        clients.emails = lambda: sorted(item["email"]["S"] for item in clients.dynamodb.scan(TableName=TABLE)["Items"])
        yield clients


@pytest.fixture
def store(aws: SimpleNamespace, made: SimpleNamespace) -> Store:
    """A store before the AWS in memory."""
    return made.store


@pytest.fixture
def serve(store: Store) -> Iterator[Callable[..., TestClient]]:
    """Serve the application with other settings than the default, and other parts."""
    opened = []

    def start(store: Any = store, readiness: Readiness | None = None, **settings: Any) -> TestClient:
        app = build_app(load().model_copy(update=settings), store, readiness or Readiness(), LOG)
        opened.append(TestClient(app, raise_server_exceptions=False).__enter__())
        return opened[-1]

    yield start
    for one in opened:
        one.__exit__(None, None, None)


@pytest.fixture
def api(serve: Callable[..., TestClient]) -> TestClient:
    """The application with its default settings."""
    return serve()


@pytest.fixture
def settings() -> Settings:
    """The default settings."""
    return load()


@pytest.fixture
def post() -> Callable[..., Any]:
    """POST a user; every field has a default."""

    def send(api: Any, email: str = "ann@example.com", name: str = "Ann", avatar: bytes | None = None) -> Any:
        content = picture() if avatar is None else avatar
        return api.post("/user", data={"name": name, "email": email}, files={"avatar": ("a.bin", content)})

    return send
