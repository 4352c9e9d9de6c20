"""Settings that every service has, from environment variables; all bad ones are told together, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from localcloud_events.settings import LABEL, PORT, BadSettingsError

HOST = rf"(\[[0-9A-Fa-f:.]+\]|{LABEL}(\.{LABEL})*)(:{PORT})?"
ENDPOINT_PATTERN = rf"^(https?://{HOST})?$"

# What an image's tag may be, and so a version: a commit, vX.Y.Z.
VERSION_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$"

SettingsT = TypeVar("SettingsT", bound="ServerSettings")


class ServerSettings(BaseSettings):
    """What a service is told by its environment. An empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    port: Annotated[int, Field(validation_alias="PORT", ge=0, le=65535)] = 8080
    # Connections at the same time. Above, those that wait for their client make room, and requests get a 503.
    max_connections: Annotated[int, Field(validation_alias="MAX_CONNECTIONS", ge=16, le=65535)] = 512
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(validation_alias="LOG_LEVEL")] = "INFO"
    # Seconds between readiness going false and the port's closing, in which the way to the service is taken away.
    shutdown_delay: Annotated[float, Field(validation_alias="SHUTDOWN_DELAY_SECONDS", ge=0, le=300)] = 5


def load(settings: type[SettingsT], hints: Mapping[str, str]) -> SettingsT:
    """Read the settings from the environment; raises BadSettingsError. hints: what a variable should be."""
    try:
        return settings()
    except ValidationError as error:
        raise BadSettingsError(
            "; ".join(_reason(str(one["loc"][0]), one["msg"], hints) for one in error.errors())
        ) from None


def _reason(variable: str, message: str, hints: Mapping[str, str]) -> str:
    return f"{variable}: {hints.get(variable, message[0].lower() + message[1:])}"
