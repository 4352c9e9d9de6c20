# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests of files and folders."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

LENGTH = 16


def digest_of(paths: t.Sequence[Path]) -> str:
    """Digest of files and of all files below folders, symbolic links followed, in this order. Raises OSError."""
    digest = hashlib.sha256()
    pending = list(reversed(paths))
    while pending:
        path = pending.pop()
        if path.is_dir():
            # What tools keep for themselves (.coverage, .hypothesis) says nothing of what is built.
            kept = (one for one in path.iterdir() if one.name != "__pycache__" and not one.name.startswith("."))
            pending.extend(sorted(kept, reverse=True))
        else:
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:LENGTH]
