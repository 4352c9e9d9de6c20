"""Settings from environment variables; all bad ones are told together, in one line that names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from localcloud_web.settings import HOST, VERSION_PATTERN, ServerSettings
from localcloud_web.settings import load as load_settings

HINTS = {
    "AUXILIARY_URL": "should be http://host:port of the auxiliary service, with no path",
    "SERVICE_VERSION": "should be the version that is told in each answer, for example v1.2.3 or a commit",
}


class Settings(ServerSettings):
    """What the service is told by its environment."""

    port: Annotated[int, Field(validation_alias="PORT", ge=0, le=65535)] = 8000
    version: Annotated[str, Field(validation_alias="SERVICE_VERSION", pattern=VERSION_PATTERN)]
    auxiliary: Annotated[str, Field(validation_alias="AUXILIARY_URL", pattern=rf"^http://{HOST}$")]
    # Seconds for the auxiliary service to answer, with the one retry. It waits for AWS itself, up to seven.
    patience: Annotated[float, Field(validation_alias="AUXILIARY_TIMEOUT_SECONDS", gt=0, le=60)] = 10


def load() -> Settings:
    """Read the settings from the environment; raises BadSettingsError."""
    return load_settings(Settings, HINTS)
