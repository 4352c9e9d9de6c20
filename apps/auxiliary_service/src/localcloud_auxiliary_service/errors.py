"""What each error of the service is told as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from fastapi import FastAPI, Request

from localcloud_auxiliary_service.cloud import BadTokenError, GarbageError, NoSuchParameterError, SecureError
from localcloud_events.problems import CREDENTIALS, DENIED, PROBLEMS, cause_of
from localcloud_web import errors
from localcloud_web.errors import RETRY, Problems
from localcloud_web.outages import explain
from localcloud_web.pool import BusyError
from localcloud_web.problem import ProblemError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_auxiliary_service.settings import Settings

TOLD: dict[type[Exception], ProblemError | Problems] = {
    BusyError: ProblemError(503, "Too many requests wait for AWS. Try again later.", RETRY),
    NoSuchParameterError: ProblemError(404, "There is no parameter of this name in this environment."),
    SecureError: ProblemError(
        403, "The parameter is a SecureString. Its value is told only where this is allowed, and with decrypt=true."
    ),
    BadTokenError: ProblemError(400, "`next` is not what a page before gave."),
}
GARBAGE = ProblemError(502, "AWS gives an answer that can't be read.")
REFUSED = ProblemError(502, "AWS refuses what the auxiliary service asks; its log has the cause.")
SLOW = ProblemError(504, "AWS does not answer in time. Try again later.", RETRY)
GONE = ProblemError(503, "AWS does not answer as it should. Try again later.", RETRY)


def add_handlers(app: FastAPI, settings: Settings, log: FilteringBoundLogger) -> None:
    """Let every error that a request can end with be told as a problem."""

    def outage(request: Request, error: Exception) -> ProblemError:
        said = explain(error, settings.endpoint)
        log.warning("no answer from AWS", **said, request_id=request.state.request_id)
        return of(error)

    problems = {**TOLD, **dict.fromkeys((*PROBLEMS, GarbageError), outage)}
    errors.add_handlers(app, problems, {"auxiliary_service_version": settings.version})


def of(error: Exception) -> ProblemError:
    """Give the problem that a failure of AWS is told as."""
    if isinstance(error, (ReadTimeoutError, ConnectTimeoutError)):
        return SLOW
    if isinstance(error, (GarbageError, ResponseParserError)):
        return GARBAGE
    if isinstance(error, ClientError) and cause_of(error) in (DENIED, CREDENTIALS):
        return REFUSED
    return GONE
