"""AWS clients, made once and shared by threads: an emulator and AWS itself are told apart by the endpoint alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore.config import Config

from localcloud_events.aws import session
from localcloud_users_api import __version__
from localcloud_users_api.store import Store

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from localcloud_users_api.settings import Settings

# Seconds. A caller waits for no more than two tries of a call, so that an outage is told soon.
CONNECT, READ, TRIES = 1, 3, 2
USER_AGENT = f"localcloud-users-api/{__version__} Boto3/{boto3.__version__} Botocore/{botocore.__version__}"


def client_arguments(settings: Settings) -> dict[str, Any]:
    """Give the arguments of a boto3 client."""
    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        # One connection for each thread, and some for readiness and the sweep.
        max_pool_connections=settings.aws_concurrency + 2,
        tcp_keepalive=True,
        # The endpoint comes from our settings alone, where an empty one means AWS.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # unknown to the types
        # An emulator's buckets have no host names of their own.
        s3={"addressing_style": "path" if settings.endpoint else "auto"},
        # The default would send each avatar in chunks with a trailer, which costs time and which emulators may store.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # The SDK's own, several hundred characters, is put together and checked for each request: a fifth of its time.
        user_agent=USER_AGENT,
        # All parameters are made here, from values that were checked.
        parameter_validation=False,
    )
    endpoint = {"endpoint_url": settings.endpoint} if settings.endpoint else {}
    return {"region_name": settings.region, "config": config, **endpoint}


def build_store(settings: Settings, log: FilteringBoundLogger) -> Store:
    """Make the store with its clients; raises BotoCoreError for settings of the SDK that make no sense."""
    made, arguments = session(), client_arguments(settings)
    return Store(
        dynamodb=made.client("dynamodb", **arguments),
        s3=made.client("s3", **arguments),
        table=settings.table,
        bucket=settings.bucket,
        log=log,
        endpoint=settings.endpoint,
    )
