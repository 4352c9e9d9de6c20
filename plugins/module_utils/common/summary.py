# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user sees at the end of a run. Pure: facts in, text out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    from tabulate import tabulate


INDENT = "  "


def summary(facts: Mapping[str, Any]) -> str:
    """The whole text.

    `facts`: `cloud` what answers for AWS, `notes` sentences that a user should not miss, `pods` and `resources` as
    workload_wait and crossplane_wait return them, `tables` as localstack_info does, `proofs` sentences about all that was
    proved, `seconds` by phase, `links` and `commands` by what they show.
    """
    sections = [
        ("AWS endpoint", pairs(facts["cloud"])),
        ("Pods", rows(facts["pods"], {"name": "NAME", "phase": "PHASE", "ready": "READY", "restarts": "RESTARTS"})),
        ("AWS resources", rows(facts["resources"], {"kind": "KIND", "name": "NAME", "ready": "READY"})),
        *(
            (f"Newest items of {table['name']} ({table['item_count']} in all)", items(table))
            for table in facts["tables"]
        ),
        ("Seconds by phase", seconds(facts["seconds"])),
        ("Look further", pairs(facts["links"])),
        ("Commands", pairs(facts["commands"])),
    ]
    parts = [f"{printable(title)}\n{indent(text)}" for title, text in sections if text]
    notes = [f"Note: {printable(note)}" for note in facts["notes"]]
    return "\n\n".join([*parts, *notes, verdict(facts["proofs"])])


def rows(entries: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """A table of these fields of the entries."""
    values = [[shown(entry.get(field)) for field in columns] for entry in entries]
    return aligned(values, list(map(printable, columns.values()))) if values else ""


def aligned(cells: Sequence[Sequence[str]], headers: Sequence[str] = ()) -> str:
    """Columns of equal width. What looks like a number stays the text that it is."""
    return tabulate(cells, headers=headers, tablefmt="plain", disable_numparse=True)


def pairs(values: Mapping[str, Any]) -> str:
    """Values by what they show."""
    return aligned([[shown(name), shown(value)] for name, value in values.items()])


def items(table: Mapping[str, Any]) -> str:
    """The newest items of a table, one a row."""
    found = table.get("newest_items") or []
    fields = sorted({field for item in found for field in item if field != "Trace"})
    return rows(found, {field: field for field in fields}) or "none yet"


def seconds(phases: Mapping[str, float]) -> str:
    """Phases with what they took, in the order of the run."""
    return tabulate(
        [[printable(name), f"{value:.1f}"] for name, value in phases.items()],
        tablefmt="plain",
        colalign=("left", "right"),
    )


def verdict(proofs: Sequence[str]) -> str:
    """The last lines: what was proved, a line for each proof. If nothing was, how to prove it."""
    return (
        "\n".join(f"Verified: {printable(one)}" for one in proofs) or "Looked at, not proved: `make verify` proves it."
    )


def shown(value: Any) -> str:
    """A value as people read it, on one line: an item's values are whatever a producer sends."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else printable(value)


def indent(text: str) -> str:
    return "\n".join(f"{INDENT}{line}".rstrip() for line in text.splitlines())
