"""The exporter's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from localcloud_events.settings import WorkerSettings

# A series for each queue and state, so their number is what bounds cardinality.
MOST_QUEUES = 50
NAME = r"[A-Za-z0-9_-]{1,80}(\.fifo)?"
NAMES_PATTERN = rf"^{NAME}(,{NAME}){{0,{MOST_QUEUES - 1}}}$"


class ExporterSettings(WorkerSettings):
    """`queues` are names, separated by commas; `interval` is in seconds."""

    queues: Annotated[str, Field(validation_alias="QUEUE_NAMES", pattern=NAMES_PATTERN)]
    interval: Annotated[float, Field(validation_alias="QUEUE_INTERVAL", ge=1, le=60, allow_inf_nan=False)] = 5

    @property
    def names(self) -> list[str]:
        """The queues' names, each once."""
        return list(dict.fromkeys(self.queues.split(",")))
