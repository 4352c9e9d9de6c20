# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dates that YAML makes of texts such as 2026-01-01, and times as Kubernetes and our own files write them. Pure."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping


def moment(text: t.Any) -> datetime.datetime | None:
    """A time with its zone, such as 2026-01-01T12:00:00Z; None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None


def undated(value: t.Any) -> t.Any:
    """The value with each date in it, keys among them, as the text that Ansible hands to a module of its own process (ISO 8601).

    So a value is the same for modules that run in the task's process and for those that do not.
    """
    if isinstance(value, Mapping):
        return {undated(key): undated(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [undated(one) for one in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value
