"""What ansible-playbook prints."""

from __future__ import annotations

import re


def changed_tasks(output: str) -> list[str]:
    """Names of the tasks that reported a change, in order. The output may be coloured, as it is under Molecule."""
    parts = re.split(r"^TASK \[(.*?)\] \**$", re.sub(r"\x1b\[[0-9;]*m", "", output), flags=re.MULTILINE)
    return [
        name
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
        if re.search(r"^changed: \[localhost\]", text, flags=re.MULTILINE)
    ]
