"""AWS clients: the same code for an emulator and for AWS itself, told apart by the endpoint alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from localcloud_events.settings import WorkerSettings

LONG_POLL_SECONDS = 20


def client_arguments(settings: WorkerSettings, read_timeout: int = 10) -> dict[str, Any]:
    """Give the arguments of a boto3 client: timeouts in seconds, `endpoint_url` only where an endpoint is set."""
    config = Config(connect_timeout=3, read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 3})
    endpoint = {"endpoint_url": settings.endpoint} if settings.endpoint else {}
    return {"region_name": settings.region, "config": config, **endpoint}


def session() -> boto3.session.Session:
    """Make a session whose credentials come from the SDK's own chain."""
    return boto3.session.Session()
