"""The consumer's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from localcloud_events.settings import QUEUE_PATTERN, TABLE_PATTERN, WorkerSettings

NAME = "justtrack-dev-devops-consumer-events"


class ConsumerSettings(WorkerSettings):
    """Where events come from and where they go."""

    queue: Annotated[str, Field(validation_alias="QUEUE_NAME", pattern=QUEUE_PATTERN)] = NAME
    table: Annotated[str, Field(validation_alias="TABLE_NAME", pattern=TABLE_PATTERN)] = NAME
    # Batches in work at once while the queue is full. AWS SDK's clients keep up to ten connections.
    concurrency: Annotated[int, Field(validation_alias="CONSUMER_CONCURRENCY", ge=1, le=10)] = 3
