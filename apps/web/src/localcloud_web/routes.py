"""Routes that every service has, and how problems are described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from localcloud_web import problem, swagger
from localcloud_web.errors import RETRY
from localcloud_web.observe import Metrics, Observe
from localcloud_web.problem import Problem, ProblemError
from localcloud_web.readiness import Readiness

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def complete(app: FastAPI, readiness: Readiness, metrics: Metrics, log: FilteringBoundLogger) -> None:
    """Add what every service has to an application with its routes: probes, metrics, the interactive page, logs."""
    _add_probes(app, readiness, metrics)
    app.include_router(swagger.router(app.title))
    _describe_problems(app)
    app.add_middleware(Observe, metrics=metrics, readiness=readiness, log=log)


def _add_probes(app: FastAPI, readiness: Readiness, metrics: Metrics) -> None:

    @app.get("/healthz", tags=["operation"])
    async def healthz() -> Response:
        """Whether the process works."""
        return json_response('{"status":"live"}')

    @app.get("/readyz", responses=problems(503), tags=["operation"])
    async def readyz() -> Response:
        """Whether the service may be sent requests."""
        if readiness.obstacle is not None:
            raise ProblemError(503, f"Not ready: {readiness.obstacle}", RETRY)
        return json_response('{"status":"ready"}')

    @app.get("/metrics", response_class=Response, tags=["operation"])
    async def show_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def json_response(content: str | bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Make a response of JSON."""
    return Response(content, status, headers, media_type="application/json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may end with."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": problem.title(status), "content": {problem.MEDIA_TYPE: schema}} for status in statuses
    }


def _describe_problems(app: FastAPI) -> None:
    """Put the schema which `problems` names into the API's description."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        description = describe()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = description.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        return description

    app.openapi = described  # type: ignore[method-assign]
