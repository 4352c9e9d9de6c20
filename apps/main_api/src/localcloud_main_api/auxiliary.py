"""What the auxiliary service is asked, and what its answers are worth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

# Seconds to reach it. A request that does not get through at once does so with the retry, or not at all.
CONNECT = 1.0
# A page of 1,000 names of 1,011 characters fits.
MOST_BYTES = 4 * 2**20
# A request that changes nothing may be sent a second time where the connection broke. One that is not answered in time
# is not: it would only wait twice.
BROKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)
PROBLEM = "application/problem+json"
# What it says on purpose. Any other is a fault of its.
PASSED_ON = {400, 403, 404, 422, 502, 503, 504}


class GoneError(Exception):
    """It can't be reached, or broke the connection twice."""


class SlowError(Exception):
    """It has not answered in time."""


class GarbageError(Exception):
    """Its answer is none of the auxiliary service."""


class Said(BaseModel):
    """What every answer of it has. Numbers are no texts."""

    model_config = ConfigDict(strict=True)

    auxiliary_service_version: str


class Buckets(Said):
    """A page of buckets."""

    buckets: list[str]
    next: str | None = None


class Parameters(Said):
    """A page of parameters."""

    parameters: list[str]
    next: str | None = None


class Parameter(Said):
    """A parameter's value."""

    value: str


class Refusal(Said):
    """A problem that it tells."""

    status: int
    detail: str


SaidT = TypeVar("SaidT", bound=Said)


class RefusedError(Exception):
    """It tells a problem, which is passed on."""

    def __init__(self, refusal: Refusal, retry_after: str | None) -> None:
        super().__init__(refusal.detail)
        self.refusal, self.retry_after = refusal, retry_after


def parameter_path(name: str) -> str:
    """Give the path of a parameter, whose slashes are no parts of it: what is asked for is always a parameter."""
    return f"/parameter/{quote('/' + name.lstrip('/'), safe='')}"


class Auxiliary:
    """The auxiliary service. retried: is called for each request that is sent a second time."""

    def __init__(self, client: httpx.AsyncClient, patience: float, retried: Callable[[], None]) -> None:
        self._client, self._patience, self._retried = client, patience, retried

    async def get(
        self, kind: type[SaidT], path: str, parameters: Mapping[str, str | int | None], request_id: str
    ) -> SaidT:
        """Ask; raises GoneError, SlowError, GarbageError or RefusedError."""
        given = {name: value for name, value in parameters.items() if value is not None}
        request = self._client.build_request("GET", path, params=given, headers={"X-Request-ID": request_id})
        try:
            async with asyncio.timeout(self._patience):
                status, headers, content = await self._twice(request)
        except (TimeoutError, httpx.TimeoutException):
            raise SlowError(f"no answer within {self._patience:g} s") from None
        except httpx.TransportError as error:
            raise GoneError(f"{type(error).__name__}: {error}") from None
        return _read(kind, status, headers, content)

    async def _twice(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        try:
            return await self._once(request)
        except BROKEN:
            self._retried()
        try:
            return await self._once(request)
        except httpx.ConnectTimeout as error:
            # No service is there to be slow.
            raise httpx.ConnectError(str(error) or f"no connection within {CONNECT:g} s") from None

    async def _once(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        answer = await self._client.send(request, stream=True)
        try:
            content = bytearray()
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise GarbageError(f"more than {MOST_BYTES} bytes")
            return answer.status_code, answer.headers, bytes(content)
        except httpx.DecodingError as error:
            raise GarbageError(str(error)) from None
        finally:
            await answer.aclose()


def _read(kind: type[SaidT], status: int, headers: httpx.Headers, content: bytes) -> SaidT:
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    try:
        if status == httpx.codes.OK and media_type == "application/json":
            return kind.model_validate_json(content)
        if status in PASSED_ON and media_type == PROBLEM:
            raise RefusedError(Refusal.model_validate_json(content), headers.get("retry-after"))
    except ValidationError as error:
        # What is wrong, without what it is: a value may be secret.
        reasons = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise GarbageError(f"status {status}, {reasons}") from None
    raise GarbageError(f"status {status} with {media_type or 'no media type'}")


def build_client(url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Make the client. The time of a whole request is bounded by its callers."""
    return httpx.AsyncClient(
        base_url=url,
        timeout=httpx.Timeout(None, connect=CONNECT),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
        follow_redirects=False,
        # Neither a proxy nor credentials of the environment.
        trust_env=False,
        transport=transport,
    )
