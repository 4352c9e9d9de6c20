"""Delete the cache of built parts, with the compilers' caches and downloads, unless a build is running."""

from __future__ import annotations

import shutil
import sys

from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root


def main() -> int:
    root = default_root()
    if not root.exists():
        print(f"{root} is not there.")
        return 0
    building = Cache(root).building()
    if building:
        print(f"{root} is in use: a run builds {', '.join(building)}. Wait for its end, or stop it, then run again.")
        return 1
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_symlink())
    shutil.rmtree(root)
    print(f"{root} is deleted: {size / 1024**3:.1f} GiB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
