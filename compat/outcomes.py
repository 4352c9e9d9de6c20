"""The files of engines/, and docs/engines.md, which they render to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import (
    CONTRACT,
    HURTS,
    Known,
    read_known,
    title,
)

from compat.contract import Behaviour, load

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "engines"
PAGE = PROJECT / "docs/engines.md"
# What a behaviour without a committed outcome has.
NEW = "has no outcome yet"
HEAD = """\
# What the engines do as AWS does

Written by `make compat`, which runs a contract of {count} behaviours that AWS documents (`compat/behaviours/`) against each engine that the
stack can have, and against any other by `make compat ENDPOINT=http://…`. ✓: the engine does it. Else the number of a note
below the table says what it does instead. What AWS does is taken from its documentation, to which each row links; the contract has not been run
against AWS itself.

`make up` warns where a declared resource rests on a row that the chosen engine lacks; `aws_resources_strict_engine: true` refuses it.
"""


def path(engine: str, version: str) -> Path:
    """Where an engine's outcomes are."""
    return FOLDER / f"{engine}-{version}.json"


def read(file: Path) -> Mapping[str, str | None]:
    """What was committed; nothing of an engine that is new."""
    return json.loads(file.read_text())["behaviours"] if file.is_file() else {}


def write(
    file: Path, engine: str, version: str, seen: Mapping[str, str | None], contract: Mapping[str, Behaviour]
) -> None:
    """Write outcomes; those of behaviours that were not asked for this time stay, those of behaviours that are gone go."""
    merged = {**read(file), **seen}
    outcomes = {name: merged[name] for name in sorted(contract) if name in merged}
    file.parent.mkdir(exist_ok=True)
    file.write_text(_json({"engine": engine, "version": version, "behaviours": outcomes}))


def contract_text(contract: Mapping[str, Behaviour]) -> str:
    """What of the contract is shipped for warnings."""
    return _json({name: contract[name].data() for name in sorted(contract)})


def render() -> None:
    """Write contract.json and docs/engines.md."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / CONTRACT).write_text(contract_text(load()))
    PAGE.write_text(page(read_known(FOLDER)))


def page(known: Known) -> str:
    """The page: a table for each way in which it hurts, with notes on what the engines do instead."""
    engines = list(known.outcomes)
    parts = [HEAD.format(count=len(known.contract)), _totals(known)]
    for hurts, text in HURTS.items():
        rows = {name: one for name, one in known.contract.items() if one["hurts"] == hurts}
        if rows:
            parts.append(_section(text, rows, engines, known))
    return "\n".join(parts)


def _totals(known: Known) -> str:
    """How many of each engine's behaviours are as AWS documents them."""
    lines = ["| engine | does | of |", "|---|---|---|"]
    for (engine, version), outcomes in known.outcomes.items():
        does = sum(seen is None for seen in outcomes.values())
        lines.append(f"| {title(engine)} {version} | {does} | {len(outcomes)} |")
    return "\n".join(lines) + "\n"


def _section(heading: str, rows: Mapping[str, Any], engines: list[tuple[str, str]], known: Known) -> str:
    names = [f"{title(engine)} {version}" for engine, version in engines]
    lines = [f"## {heading}", "", f"| what AWS does | {' | '.join(names)} |", "|---" * (len(engines) + 1) + "|"]
    notes: list[str] = []
    for name, one in rows.items():
        cells = []
        for engine in engines:
            seen = known.outcomes[engine].get(name, "not asked")
            cells.append("✓" if seen is None else _note(notes, f"{title(engine[0])}: {seen}"))
        lines.append(f"| [{name}]({one['source']}): {_cell(one['does'])} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {_cell(note)}." for number, note in enumerate(notes, 1))]
    return "\n".join(lines).rstrip() + "\n"


def _note(notes: list[str], text: str) -> str:
    """The number of a note."""
    notes.append(text)
    return str(len(notes))


def _cell(text: str) -> str:
    """Text as Markdown has it in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
