# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bases of nodes in the cache, beside the parts: under a digest of their inputs, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

from ..toolchain.cache import Cache
from .base import Stored
from .images import MANIFEST, discard, tidy

PREFIX = "node-base"
OBJECTS = "objects.json"
# Bases in the cache, the last used ones, of a few MiB each.
KEPT = 8


def keep(cache: Cache, digest: str, base: Iterable[Stored]) -> bool:
    """Put a base into the cache; return whether there was none."""

    def build(out: Path) -> None:
        content = json.dumps([astuple(one) for one in base])
        (out / OBJECTS).write_text(content)
        (out / MANIFEST).write_text(json.dumps({"sha256": hashlib.sha256(content.encode()).hexdigest()}))

    made = cache.produce(PREFIX, digest, build)
    if made:
        tidy(cache, cache.path(PREFIX, digest), PREFIX, KEPT)
    return made


def take(cache: Cache, digest: str) -> list[Stored] | None:
    """The base of this digest, or None if there is none that is as it was made. One that is not is removed."""
    path = cache.path(PREFIX, digest)
    if not cache.has(PREFIX, digest):
        return None
    with cache.lock(path.name):
        try:
            content = (path / OBJECTS).read_text()
            known = json.loads((path / MANIFEST).read_text())["sha256"]
            if hashlib.sha256(content.encode()).hexdigest() == known:
                os.utime(path / MANIFEST)
                return [Stored(*one) for one in json.loads(content)]
        except (OSError, ValueError, LookupError, TypeError):
            pass  # damaged, or removed meanwhile
        discard(path)
    return None
