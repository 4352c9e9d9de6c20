"""Settings from environment variables; a bad one is told in one line that names its variable."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
ENDPOINT_PATTERN = rf"^(http://(\[[0-9A-Fa-f:.]+\]|{LABEL}(\.{LABEL})*)(:{PORT})?)?$"
TOPIC_PATTERN = r"^[A-Za-z0-9_-]{1,256}$"
QUEUE_PATTERN = r"^[A-Za-z0-9_-]{1,80}$"
TABLE_PATTERN = r"^[A-Za-z0-9_.-]{3,255}$"

SettingsT = TypeVar("SettingsT", bound="WorkerSettings")

HINTS = {"CLOUD_AWS_DEFAULTS_ENDPOINT": "should be http://host:port with no path, or empty for real AWS"}


class BadSettingsError(ValueError):
    """One or more environment variables are wrong; its text is one line."""


class WorkerSettings(BaseSettings):
    """What every worker is told by its environment. An empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    endpoint: Annotated[str, Field(validation_alias="CLOUD_AWS_DEFAULTS_ENDPOINT", pattern=ENDPOINT_PATTERN)] = ""
    region: Annotated[str, Field(validation_alias="AWS_REGION", pattern=r"^[a-z0-9-]+$")] = "eu-central-1"
    http_port: Annotated[int, Field(validation_alias="HTTP_PORT", ge=0, le=65535)] = 8080
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(validation_alias="LOG_LEVEL")] = "INFO"
    # Seconds without progress after which the worker counts as dead. One call to AWS may take 90: three tries of a
    # 20 s long poll with their timeouts and pauses.
    liveness_limit: Annotated[float, Field(validation_alias="LIVENESS_LIMIT", gt=0, allow_inf_nan=False)] = 120


def load(settings: type[SettingsT]) -> SettingsT:
    """Read the settings from the environment; raises BadSettingsError."""
    try:
        return settings()
    except ValidationError as error:
        raise BadSettingsError("; ".join(_reason(str(one["loc"][0]), one["msg"]) for one in error.errors())) from None


def _reason(variable: str, message: str) -> str:
    return f"{variable}: {HINTS.get(variable, message[0].lower() + message[1:])}"
