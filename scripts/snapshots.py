"""List the snapshots of this checkout: name, date, size, and what each is of."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.node import snapshot
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parents[1]
COLUMNS = ("NAME", "SAVED (UTC)", "MB", "ENGINE", "BLUEPRINTS")


def rows(folder: Path) -> list[tuple[str, str, str, str, str]]:
    """A row for each snapshot, the oldest first."""
    found = []
    for path, manifest in snapshot.everything(folder):
        size = f"{path.stat().st_size / 1e6:.1f}"
        name = path.name.removesuffix(snapshot.SUFFIX)
        if manifest is None:
            found.append((name, "can't be read", size, "", ""))
        else:
            found.append(
                (name, manifest.created[:16].replace("T", " "), size, manifest.engine, ", ".join(manifest.blueprints))
            )
    return found


def main() -> int:
    folder = Path(os.environ.get("LOCALCLOUD_DIR") or PROJECT) / ".localcloud/snapshots"
    found = rows(folder)
    if not found:
        print(f"There are no snapshots in {folder}. `make save NAME=<name>` makes one of the running stack.")
        return 0
    print(
        tabulate(
            found,
            headers=COLUMNS,
            tablefmt="plain",
            disable_numparse=True,
            colalign=("left", "left", "right", "left", "left"),
        )
    )
    print(f"\nThey are in {folder}. `make restore NAME=<name>` brings one back; to give one up, remove its file.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
