"""Findings of checking tools, and which of them are accepted, each with a reason.

Pure: reads only what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, order=True)
class Finding:
    """What one tool says of one object (Kind/name) or file. What it says in words is not compared."""

    tool: str
    check: str
    where: str
    message: str = ""


@dataclass(frozen=True)
class Accepted:
    """A finding that stays as it is. `where` is a pattern as shells have it."""

    tool: str
    check: str
    where: str

    def covers(self, finding: Finding) -> bool:
        return (self.tool, self.check) == (finding.tool, finding.check) and fnmatchcase(finding.where, self.where)


def accepted(document: Iterable[Mapping[str, Any]]) -> set[Accepted]:
    """Read the list of what is accepted. Raises ValueError for an entry without a reason, or with other fields."""
    found = set()
    for entry in document:
        if entry.keys() != {"tool", "check", "where", "reason"} or not str(entry["reason"]).strip():
            raise ValueError(f"An accepted finding needs tool, check, where (a list) and a reason: {dict(entry)}")
        found |= {Accepted(entry["tool"], entry["check"], where) for where in entry["where"]}
    return found


def judge(findings: Iterable[Finding], entries: Iterable[Accepted]) -> list[str]:
    """What is to be mended, a line each: findings that are not accepted, and accepted ones that are not found any more."""
    findings, entries = set(findings), set(entries)
    new = {
        f"{one.tool} {one.check}: {one.where}: {one.message}"
        for one in findings
        if not any(entry.covers(one) for entry in entries)
    }
    gone = {
        f"{entry.tool} {entry.check}: {entry.where}: accepted, but not found any more; delete that"
        for entry in entries
        if not any(entry.covers(one) for one in findings)
    }
    return sorted(new) + sorted(gone)
