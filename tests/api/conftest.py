"""The address of a running users API: `--api-url=http://…`, or `--api-url=local` to start one before moto's server."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "apps/users_api/tests"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--api-url", required=True, help="address of a running users API, or `local` to start one")


@pytest.fixture(scope="session")
def api_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The service's address, without a slash at its end."""
    given = request.config.getoption("--api-url")
    if given != "local":
        yield given.rstrip("/")
        return
    import running

    with running.aws() as endpoint, running.service(endpoint) as service:
        yield service.url


@pytest.fixture(scope="session")
def api(api_url: str) -> Iterator[httpx2.Client]:
    """A client of the service; it must be ready."""
    with httpx2.Client(base_url=api_url, timeout=30) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200, f"{api_url} is not ready: {ready.text}"
        yield client


@pytest.fixture
def unused() -> Callable[[], str]:
    """Addresses that no user has."""
    return lambda: f"test-{uuid.uuid4()}@example.com"


@pytest.fixture
def create(api: httpx2.Client, unused: Callable[[], str]) -> Iterator[Callable[..., Any]]:
    """POST a user; who was made is deleted at the end."""
    from pictures import picture

    made = []

    def post(email: str | None = None, name: str = "Ann", avatar: bytes | None = None) -> httpx2.Response:
        content = picture() if avatar is None else avatar
        fields = {"name": name, "email": email or unused()}
        answer = api.post("/user", data=fields, files={"avatar": ("avatar", content)})
        if answer.status_code == 201:
            made.append(answer.json()["email"])
        return answer

    yield post
    for email in made:
        assert api.delete(f"/user/{quote(email)}").status_code in {204, 404}
