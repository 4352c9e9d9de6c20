"""The HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from prometheus_client import Counter
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

from localcloud_main_api import __version__, auxiliary, errors
from localcloud_main_api.auxiliary import Auxiliary, Said, build_client, parameter_path
from localcloud_main_api.settings import Settings
from localcloud_web.observe import Metrics
from localcloud_web.readiness import Readiness
from localcloud_web.routes import complete, json_response, problems

if TYPE_CHECKING:
    import httpx
    from structlog.typing import FilteringBoundLogger

PAGE, LARGEST_PAGE, LONGEST_TOKEN = 100, 1000, 8192
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Names in a page, at most.")]
Next = Annotated[str | None, Query(max_length=LONGEST_TOKEN, description="`next` of the page before.")]
SECRET = {"Cache-Control": "no-store"}


class Versions(BaseModel):
    """What every answer has."""

    auxiliary_service_version: str = Field(examples=["v1.2.3"])
    main_api_version: str = Field(examples=["v1.2.3"])


class Buckets(Versions):
    """A page of the environment's buckets."""

    buckets: list[str] = Field(examples=[["kantox-challenge-dev-bucket"]])
    next: str | None = Field(default=None, description="Given where there are more.")


class Parameters(Versions):
    """A page of the environment's parameters."""

    parameters: list[str] = Field(examples=[["/kantox-challenge/dev/param1"]])
    next: str | None = Field(default=None, description="Given where there are more.")


class Parameter(Versions):
    """A parameter's value."""

    value: str


class MainMetrics(Metrics):
    """Those of requests, and of the auxiliary service."""

    def __init__(self) -> None:
        super().__init__("localcloud_main_api")
        self.retries = Counter(
            "localcloud_main_api_auxiliary_retries", "Requests sent a second time.", registry=self.registry
        )


def build_app(
    settings: Settings,
    readiness: Readiness,
    log: FilteringBoundLogger,
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Make the ASGI application. transport: instead of the network's."""
    metrics = MainMetrics()
    client = build_client(settings.auxiliary, transport)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Ready without the auxiliary service: callers are to get a 503 that says what is wrong.
        readiness.ready()
        async with client:
            yield

    app = FastAPI(
        title="Main API",
        version=__version__,
        description="Buckets and parameters of one environment. Errors are problems (RFC 9457).",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _add_routes(app, settings, Auxiliary(client, settings.patience, metrics.retries.inc))
    errors.add_handlers(app, settings, log)
    complete(app, readiness, metrics, log)
    return app


def _add_routes(app: FastAPI, settings: Settings, service: Auxiliary) -> None:
    paged: dict[str, Any] = {"responses": problems(400, 422, 502, 503, 504), "tags": ["configuration"]}

    def answer(said: Said, headers: dict[str, str] | None = None) -> Response:
        mine = {**said.model_dump(exclude_none=True), "main_api_version": settings.version}
        return json_response(_json(mine), headers=headers)

    @app.get("/s3-buckets", response_model=Buckets, **paged)
    async def list_buckets(request: Request, limit: Limit = LARGEST_PAGE, next: Next = None) -> Response:
        """List the environment's buckets, a page at a time."""
        asked = {"limit": limit, "next": next}
        return answer(await service.get(auxiliary.Buckets, "/s3-buckets", asked, request.state.request_id))

    @app.get("/parameters", response_model=Parameters, **paged)
    async def list_parameters(request: Request, limit: Limit = PAGE, next: Next = None) -> Response:
        """List the names of the environment's parameters, a page at a time."""
        asked = {"limit": limit, "next": next}
        return answer(await service.get(auxiliary.Parameters, "/parameters", asked, request.state.request_id))

    @app.get(
        "/parameter/{name:path}",
        response_model=Parameter,
        responses=problems(403, 404, 422, 502, 503, 504),
        tags=["configuration"],
    )
    async def get_parameter(
        request: Request,
        name: str,
        decrypt: Annotated[bool, Query(description="Asks for the value of a SecureString.")] = False,
    ) -> Response:
        """Get a parameter's value, by its whole name or by its last part alone."""
        asked = {"decrypt": "true" if decrypt else None}
        said = await service.get(auxiliary.Parameter, parameter_path(name), asked, request.state.request_id)
        return answer(said, SECRET)


def _json(content: dict[str, Any]) -> bytes:
    return to_json(dict(sorted(content.items())))
