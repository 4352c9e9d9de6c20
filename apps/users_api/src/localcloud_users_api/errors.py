"""What each error of the service is told as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request

from localcloud_events.problems import PROBLEMS
from localcloud_users_api.images import NoImageError, TooManyPixelsError
from localcloud_users_api.model import BadCursorError
from localcloud_users_api.store import NoSuchUserError, UserExistsError
from localcloud_web import errors
from localcloud_web.errors import RETRY, Problems
from localcloud_web.outages import explain
from localcloud_web.pool import BusyError
from localcloud_web.problem import ProblemError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_users_api.settings import Settings

TOLD: dict[type[Exception], ProblemError | Problems] = {
    BusyError: ProblemError(503, "Too many requests wait for DynamoDB and S3. Try again later.", RETRY),
    NoSuchUserError: ProblemError(404, "There is no user of this address."),
    UserExistsError: ProblemError(409, "There is a user of this address already. Delete that one first."),
    NoImageError: ProblemError(
        415, "The avatar must be a PNG, JPEG or WebP picture; its content decides, not its name."
    ),
    BadCursorError: lambda _request, error: ProblemError(400, f"{error}."),
    TooManyPixelsError: ProblemError(413, "The avatar has too many pixels, however few bytes it has."),
}


def add_handlers(app: FastAPI, settings: Settings, log: FilteringBoundLogger) -> None:
    """Let every error that a request can end with be told as a problem."""

    def outage(_request: Request, error: Exception) -> ProblemError:
        log.warning("no answer from AWS", **explain(error, settings.endpoint))
        return ProblemError(503, "DynamoDB or S3 does not answer as it should. Try again later.", RETRY)

    errors.add_handlers(app, {**TOLD, **dict.fromkeys(PROBLEMS, outage)})
