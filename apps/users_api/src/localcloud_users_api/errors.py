"""What each error of the service is told as."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from localcloud_events.problems import PROBLEMS
from localcloud_users_api import problem
from localcloud_users_api.images import NoImageError, TooManyPixelsError
from localcloud_users_api.model import BadCursorError
from localcloud_users_api.outages import explain
from localcloud_users_api.pool import BusyError
from localcloud_users_api.problem import ProblemError, fields_of, invalid
from localcloud_users_api.store import NoSuchUserError, UserExistsError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_users_api.settings import Settings

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

# Seconds after which a caller may try again: as often as readiness looks.
RETRY = {"Retry-After": "2"}
NOT_FOUND, NOT_ALLOWED = 404, 405
TOLD: dict[type[Exception], ProblemError] = {
    BusyError: ProblemError(503, "Too many requests wait for DynamoDB and S3. Try again later.", RETRY),
    NoSuchUserError: ProblemError(404, "There is no user of this address."),
    UserExistsError: ProblemError(409, "There is a user of this address already. Delete that one first."),
    NoImageError: ProblemError(415, "The avatar is no PNG, JPEG or WebP picture; its content decides, not its name."),
    TooManyPixelsError: ProblemError(413, "The avatar has too many pixels, however few bytes it has."),
}


def add_handlers(app: FastAPI, settings: Settings, log: FilteringBoundLogger) -> None:
    """Let every error that a request can end with be told as a problem."""
    handlers: dict[type[Exception], Handler] = {
        **dict.fromkeys(TOLD, _told),
        **dict.fromkeys(PROBLEMS, _outage(settings.endpoint, log)),
        ProblemError: _raised,
        HTTPException: _unknown,
        RequestValidationError: _invalid,
        BadCursorError: _bad_cursor,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _outage(endpoint: str, log: FilteringBoundLogger) -> Handler:
    async def outage(_request: Request, error: Exception) -> Response:
        log.warning("no answer from AWS", **explain(error, endpoint))
        return problem.response(503, "DynamoDB or S3 does not answer as it should. Try again later.", RETRY)

    return outage


async def _raised(_request: Request, error: ProblemError) -> Response:
    return problem.response(error.status, error.detail, error.headers, error.errors)


async def _told(request: Request, error: Exception) -> Response:
    return await _raised(request, TOLD[type(error)])


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    return await _raised(request, invalid(fields_of(error.errors())))


async def _bad_cursor(_request: Request, error: BadCursorError) -> Response:
    return problem.response(400, f"{error}.")


async def _unknown(request: Request, error: HTTPException) -> Response:
    if error.status_code == NOT_ALLOWED:
        return problem.response(NOT_ALLOWED, f"{request.method} is not for this path.", {"Allow": _allowed(request)})
    if error.status_code == NOT_FOUND:
        return problem.response(NOT_FOUND, "There is nothing at this path; /swagger/ tells what there is.")
    return problem.response(error.status_code, str(error.detail), error.headers)


def _allowed(request: Request) -> str:
    """Give all methods that the path knows; the framework names only those of the first route that fits.

    A path may fit to more than one description of paths, of which the first holds.
    """
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    same = [route for route in matching if getattr(route, "path", "") == getattr(matching[0], "path", "")]
    return ", ".join(sorted({method for route in same for method in getattr(route, "methods", None) or ()}))
