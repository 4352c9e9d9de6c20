#!/usr/bin/env python3
"""Delete the cache of built parts, with the compilers' caches and downloads. No build may be running."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def main() -> int:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localcloud"
    if not root.exists():
        print(f"{root} is not there.")
        return 0
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_symlink())
    shutil.rmtree(root)
    print(f"{root} is deleted: {size / 1024**3:.1f} GiB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
