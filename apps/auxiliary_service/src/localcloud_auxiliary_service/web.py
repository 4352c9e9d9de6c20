"""The HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from localcloud_auxiliary_service import __version__, errors
from localcloud_auxiliary_service.cloud import LONGEST_TOKEN, Cloud
from localcloud_auxiliary_service.model import Buckets, Parameter, Parameters
from localcloud_auxiliary_service.settings import Settings
from localcloud_events.problems import PROBLEMS
from localcloud_web.observe import Metrics
from localcloud_web.outages import explain
from localcloud_web.pool import Pool
from localcloud_web.readiness import Readiness
from localcloud_web.routes import complete, json_response, problems

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

PAGE, LARGEST_PAGE = 100, 1000
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Names in a page, at most.")]
Next = Annotated[str | None, Query(max_length=LONGEST_TOKEN, description="`next` of the page before.")]
SECRET = {"Cache-Control": "no-store"}


def build_app(settings: Settings, cloud: Cloud, readiness: Readiness, log: FilteringBoundLogger) -> FastAPI:
    """Make the ASGI application."""
    pool = Pool(settings.aws_concurrency)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        look = asyncio.create_task(
            readiness.watch(cloud.check, PROBLEMS, lambda error: explain(error, settings.endpoint), log)
        )
        try:
            yield
        finally:
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
            pool.close()

    app = FastAPI(
        title="Auxiliary service",
        version=__version__,
        description="Buckets and parameters of one environment, for the Main API. Errors are problems (RFC 9457).",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _add_routes(app, settings, cloud, pool)
    errors.add_handlers(app, settings, log)
    complete(app, readiness, Metrics("localcloud_auxiliary_service"), log)
    return app


def _add_routes(app: FastAPI, settings: Settings, cloud: Cloud, pool: Pool) -> None:
    version = settings.version

    @app.get("/s3-buckets", response_model=Buckets, responses=problems(400, 422, 502, 503, 504), tags=["configuration"])
    async def list_buckets(limit: Limit = LARGEST_PAGE, next: Next = None) -> Response:
        """List the environment's buckets, a page at a time."""
        page = await pool.run(cloud.buckets, limit, next)
        return _json(Buckets(buckets=page.names, auxiliary_service_version=version, next=page.token))

    @app.get(
        "/parameters", response_model=Parameters, responses=problems(400, 422, 502, 503, 504), tags=["configuration"]
    )
    async def list_parameters(limit: Limit = PAGE, next: Next = None) -> Response:
        """List the names of the environment's parameters, a page at a time."""
        page = await pool.run(cloud.parameters, limit, next)
        return _json(Parameters(parameters=page.names, auxiliary_service_version=version, next=page.token))

    @app.get(
        "/parameter/{name:path}",
        response_model=Parameter,
        responses=problems(403, 404, 422, 502, 503, 504),
        tags=["configuration"],
    )
    async def get_parameter(
        name: str,
        decrypt: Annotated[bool, Query(description="Asks for the value of a SecureString.")] = False,
    ) -> Response:
        """Get a parameter's value, by its whole name or by its last part alone."""
        value = await pool.run(cloud.parameter, name, decrypt=decrypt)
        return _json(Parameter(value=value, auxiliary_service_version=version), SECRET)


def _json(answer: Buckets | Parameters | Parameter, headers: dict[str, str] | None = None) -> Response:
    return json_response(answer.model_dump_json(exclude_none=True), headers=headers)
