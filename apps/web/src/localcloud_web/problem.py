"""Errors as application/problem+json, https://www.rfc-editor.org/rfc/rfc9457."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(examples=["email"])
    message: str = Field(examples=["must have an @-sign"])


class Problem(BaseModel):
    """An error. Its type is always about:blank: the status says which kind it is."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The request is not valid: email."])
    errors: list[FieldError] | None = Field(default=None, description="Given for 422 alone.")


class ProblemError(Exception):
    """Ends a request with a problem. members: more of them, https://www.rfc-editor.org/rfc/rfc9457#section-3.2."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.errors = status, detail, headers, errors
        self.members = members

    def response(self, members: Mapping[str, str]) -> Response:
        """Make its response, with the service's own members beside its."""
        problem = Problem(
            title=title(self.status),
            status=self.status,
            detail=self.detail,
            errors=list(self.errors) if self.errors else None,
        )
        content = {**problem.model_dump(mode="json", exclude_none=True), **members, **(self.members or {})}
        return Response(to_json(content), self.status, dict(self.headers or {}), media_type=MEDIA_TYPE)


def response(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Make the response of a problem."""
    return ProblemError(status, detail, headers).response({})


def invalid(fields: Sequence[FieldError]) -> ProblemError:
    """Make a 422 of what is wrong with the fields."""
    names = ", ".join(dict.fromkeys(field.field for field in fields))
    return ProblemError(422, f"The request is not valid: {names}.", errors=fields)


def fields_of(errors: Iterable[Any]) -> list[FieldError]:
    """Give what pydantic's errors say of the fields, without the values, which may be anything."""
    return [FieldError(field=_field(one["loc"]), message=_message(one["msg"])) for one in errors]


def title(status: int) -> str:
    """Give the status's own phrase, newer than Python's where that is of old."""
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def _field(location: Sequence[str | int]) -> str:
    place = [str(one) for one in location if one not in {"query", "path", "body"}]
    return ".".join(place) or "body"


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")
