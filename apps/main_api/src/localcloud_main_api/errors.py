"""What each error of the service is told as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request

from localcloud_main_api.auxiliary import GarbageError, GoneError, RefusedError, SlowError
from localcloud_web import errors
from localcloud_web.errors import RETRY
from localcloud_web.problem import ProblemError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_main_api.settings import Settings

PROBLEMS: dict[type[Exception], ProblemError] = {
    GoneError: ProblemError(503, "The auxiliary service can't be reached. Try again later.", RETRY),
    SlowError: ProblemError(504, "The auxiliary service does not answer in time. Try again later.", RETRY),
    GarbageError: ProblemError(502, "The auxiliary service gives an answer that can't be read."),
}


def add_handlers(app: FastAPI, settings: Settings, log: FilteringBoundLogger) -> None:
    """Let every error that a request can end with be told as a problem."""

    def outage(request: Request, error: Exception) -> ProblemError:
        log.warning(
            "no answer from the auxiliary service",
            what=str(error),
            kind=type(error).__name__,
            auxiliary=settings.auxiliary,
            request_id=request.state.request_id,
        )
        return PROBLEMS[type(error)]

    problems = {**dict.fromkeys(PROBLEMS, outage), RefusedError: _passed_on}
    errors.add_handlers(app, problems, {"main_api_version": settings.version})


def _passed_on(_request: Request, error: RefusedError) -> ProblemError:
    said = error.refusal
    headers = {"Retry-After": error.retry_after} if error.retry_after else None
    members = {"auxiliary_service_version": said.auxiliary_service_version}
    return ProblemError(said.status, said.detail, headers, members=members)
