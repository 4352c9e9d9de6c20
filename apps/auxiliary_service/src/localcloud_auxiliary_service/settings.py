"""Settings from environment variables; all bad ones are told together, in one line that names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from localcloud_web.settings import ENDPOINT_PATTERN, VERSION_PATTERN, ServerSettings
from localcloud_web.settings import load as load_settings

HINTS = {
    "AWS_ENDPOINT_URL": "should be http://host:port with no path, or empty for real AWS",
    "BUCKET_PREFIX": "should be what the environment's buckets begin with, for example kantox-challenge-dev-",
    "PARAMETER_PATH": "should be the path of the environment's parameters, for example /kantox-challenge/dev",
    "SERVICE_VERSION": "should be the version that is told in each answer, for example v1.2.3 or a commit",
}


class Settings(ServerSettings):
    """What the service is told by its environment.

    Credentials are not here: AWS's SDK finds them itself (environment, web identity, pod identity, profile).
    """

    port: Annotated[int, Field(validation_alias="PORT", ge=0, le=65535)] = 8000
    version: Annotated[str, Field(validation_alias="SERVICE_VERSION", pattern=VERSION_PATTERN)]
    region: Annotated[str, Field(validation_alias="AWS_REGION", pattern=r"^[a-z0-9-]+$")] = "eu-west-1"
    endpoint: Annotated[str, Field(validation_alias="AWS_ENDPOINT_URL", pattern=ENDPOINT_PATTERN)] = ""
    # What belongs to this environment; the rest of the account is never shown.
    bucket_prefix: Annotated[str, Field(validation_alias="BUCKET_PREFIX", pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
    parameter_path: Annotated[str, Field(validation_alias="PARAMETER_PATH", pattern=r"^(/[A-Za-z0-9_.-]+){1,14}$")]
    # Whether the value of a SecureString is returned where decrypt=true asks for it.
    secure_strings: Annotated[bool, Field(validation_alias="ALLOW_SECURE_STRINGS")] = False
    # Calls to AWS at the same time; each has a thread and a connection.
    aws_concurrency: Annotated[int, Field(validation_alias="AWS_CONCURRENCY", ge=1, le=256)] = 16


def load() -> Settings:
    """Read the settings from the environment; raises BadSettingsError."""
    return load_settings(Settings, HINTS)
