# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pydantic finds wrong with an entry, as messages with the path in the input. Pure.

Values are shown only where they are names or choices, and never longer than a line: any other might be a secret.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion, type_name

from .fields import short
from .models import BaseModel, ValidationError

if t.TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
}


def messages(error: ValidationError, model: type[BaseModel], path: str) -> list[str]:
    """A message for each problem, with its path."""
    return [f"{join(path, one['loc'])}: {_message(one, model)}" for one in error.errors(include_url=False)]


def join(path: str, location: Iterable[str | int]) -> str:
    """The path of something in an entry, as one would write it: list[0].field."""
    for part in location:
        # A problem of a map's key has this besides.
        if part != "[key]":
            path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, given = error["type"], error["input"]
    if kind in TYPES:
        return f"{TYPES[kind]}, not {type_name(given)}"
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = _fields_beside(model, error["loc"])
        return "is unknown" + suggestion(str(error["loc"][-1]), known)
    if kind == "literal_error":
        choices = _choices(error)
        if not isinstance(given, str):
            return f"must be one of {choices}, not {type_name(given)}"
        return f"{short(given)} is none of {choices}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    return error["msg"]


def _choices(error: ErrorDetails) -> str:
    return str(error["ctx"]["expected"]).replace(" or ", ", ").replace("'", "")


def _fields_beside(model: type[BaseModel], location: tuple[str | int, ...]) -> Iterable[str]:
    """The fields that a map in an entry may have, by the place of one that it must not have."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        model = (field and _model_in(field.annotation)) or model
    return model.model_fields


def _model_in(annotation: t.Any) -> type[BaseModel] | None:
    """The first model in a type such as list[Model] | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in t.get_args(annotation) if (found := _model_in(one))), None)
