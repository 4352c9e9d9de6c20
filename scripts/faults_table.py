"""Write docs/faults.md's table from what the tests of faults under load saw.

faults_table.py FILE    take the rows of FILE, of which newer ones replace those of docs/faults.json, then write the table
faults_table.py         write the table again

It has each fault of the tests' catalog; one without a row was not seen yet, and says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from tests.faults_under_load.catalog import FAULTS  # noqa: E402

ROWS = PROJECT / "docs/faults.json"
PAGE = PROJECT / "docs/faults.md"
BEGIN, END = "<!-- generated: faults, by `make faults-table` from docs/faults.json -->\n", "<!-- end of faults -->\n"
HEAD = (
    "| fault | what was done | run by | accepted, refused meanwhile | lost | twice | seconds until whole | message to the user |",
    "|---|---|---|---|---|---|---|---|",
)
UNSEEN = "not measured yet"


def table(faults: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The table in Markdown, in the catalog's order. `faults` have `done` and `nightly`."""
    return "\n".join([*HEAD, *(line(name, fault, rows.get(name)) for name, fault in faults.items())]) + "\n"


def line(name: str, fault: Any, row: Mapping[str, Any] | None) -> str:
    seen = (UNSEEN, "", "", "", "") if row is None else figures(row)
    done = row["done"] if row else fault.done
    return f"| `{name}` | {done} | {'`--nightly`' if fault.nightly else '`make faults-load`'} | {' | '.join(seen)} |"


def figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    lost, twice = (str(row[name] or "nothing") for name in ("lost", "twice"))
    return f"{row['accepted']}, {row['refused']}", lost, twice, str(row["seconds"]), row["said"]


def written(page: str, faults: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The page with this table. Raises ValueError if it has no place for one."""
    before, _begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE} has no place for the table: {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{table(faults, rows)}\n{END}{after}"


def main() -> None:
    rows: dict[str, dict[str, Any]] = json.loads(ROWS.read_text()) if ROWS.exists() else {}
    for path in sys.argv[1:]:
        rows |= json.loads(Path(path).read_text())
    ROWS.write_text(json.dumps(rows, indent=2, sort_keys=True) + "\n")
    PAGE.write_text(written(PAGE.read_text(), FAULTS, rows))


if __name__ == "__main__":
    main()
