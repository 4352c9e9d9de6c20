"""Logs as lines of JSON on standard output."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def configure(level: str) -> None:
    """Configure the logs of the process; `level` is one of the standard library's names."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )


def logger(app: str) -> FilteringBoundLogger:
    """Get a logger whose lines carry the app's name."""
    return cast("FilteringBoundLogger", structlog.get_logger(app=app))
