"""The producer's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from localcloud_events.settings import TOPIC_PATTERN, WorkerSettings


class ProducerSettings(WorkerSettings):
    """`rate` is in events per second; `count` is when to stop publishing, 0 for never."""

    topic: Annotated[str, Field(validation_alias="TOPIC_NAME", pattern=TOPIC_PATTERN)] = (
        "justtrack-dev-devops-producer-events"
    )
    rate: Annotated[float, Field(validation_alias="PRODUCER_RATE", gt=0, le=1000, allow_inf_nan=False)] = 1
    count: Annotated[int, Field(validation_alias="PRODUCER_COUNT", ge=0)] = 0
