"""What the service answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

NEXT = "Given where there are more: `next` of the following request."
VERSION = Field(examples=["v1.2.3"])


class Buckets(BaseModel):
    """A page of the environment's buckets."""

    buckets: list[str] = Field(examples=[["kantox-challenge-dev-bucket"]])
    auxiliary_service_version: str = VERSION
    next: str | None = Field(default=None, description=NEXT)


class Parameters(BaseModel):
    """A page of the environment's parameters."""

    parameters: list[str] = Field(examples=[["/kantox-challenge/dev/param1"]])
    auxiliary_service_version: str = VERSION
    next: str | None = Field(default=None, description=NEXT)


class Parameter(BaseModel):
    """A parameter's value."""

    value: str
    auxiliary_service_version: str = VERSION
