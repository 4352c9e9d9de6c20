"""What errors that every service has are told as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from localcloud_web.problem import ProblemError, fields_of, invalid

Problems = Callable[[Request, Any], ProblemError]

# Seconds after which a caller may try again: as often as readiness looks.
RETRY = {"Retry-After": "2"}
NOT_FOUND, NOT_ALLOWED = 404, 405


def add_handlers(
    app: FastAPI,
    told: Mapping[type[Exception], ProblemError | Problems],
    members: Mapping[str, str] | None = None,
) -> None:
    """Let every error that a request can end with be told as a problem.

    told: as which one, or a function that gives it. members: more of every problem.
    """

    problems: dict[type[Exception], ProblemError | Problems] = {**COMMON, **told}

    async def tell(request: Request, error: Exception) -> Response:
        kind = next(kind for kind in type(error).__mro__ if kind in problems)
        found = problems[kind]
        return (found if isinstance(found, ProblemError) else found(request, error)).response(members or {})

    for kind in problems:
        app.add_exception_handler(kind, tell)


def _unknown(request: Request, error: HTTPException) -> ProblemError:
    if error.status_code == NOT_ALLOWED:
        return ProblemError(NOT_ALLOWED, f"{request.method} is not for this path.", {"Allow": _allowed(request)})
    if error.status_code == NOT_FOUND:
        return ProblemError(NOT_FOUND, "There is nothing at this path; /swagger/ tells what there is.")
    return ProblemError(error.status_code, str(error.detail), error.headers)


def _allowed(request: Request) -> str:
    """Give all methods that the path knows; the framework names only those of the first route that fits.

    A path may fit to more than one description of paths, of which the first holds.
    """
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE]
    same = [route for route in matching if getattr(route, "path", "") == getattr(matching[0], "path", "")]
    return ", ".join(sorted({method for route in same for method in getattr(route, "methods", None) or ()}))


COMMON: Mapping[type[Exception], Problems] = {
    ProblemError: lambda _request, error: error,
    HTTPException: _unknown,
    RequestValidationError: lambda _request, error: invalid(fields_of(error.errors())),
}
