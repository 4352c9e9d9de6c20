# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that a file remembers."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import psutil


def same_process(pid: int, created: float) -> psutil.Process | None:
    """The process of this number, if it lives and began at this time (seconds since the epoch); numbers are used again."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
