"""runc for machines that lack capabilities: a privileged container gets those that there are, where runc refuses one that there is not."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

# By their numbers, as far as machines lack them.
NUMBERS = {
    "CAP_SYS_MODULE": 16,
    "CAP_SYS_RAWIO": 17,
    "CAP_SYS_BOOT": 22,
    "CAP_SYS_RESOURCE": 24,
    "CAP_SYS_TIME": 25,
    "CAP_SYSLOG": 34,
}


def lacking() -> set[str]:
    """Capabilities that this process can't give."""
    (bounding,) = re.findall(r"^CapBnd:\s*(\w+)$", Path("/proc/self/status").read_text(), re.M)
    return {name for name, number in NUMBERS.items() if not int(bounding, 16) >> number & 1}


def fitted(process: dict[str, Any]) -> dict[str, Any]:
    """A process of a container without what this machine can't give."""
    missing = lacking()
    for kind, names in (process.get("capabilities") or {}).items():
        process["capabilities"][kind] = [name for name in names or [] if name not in missing]
    if "CAP_SYS_RESOURCE" in missing:
        process["oomScoreAdj"] = max(int(process.get("oomScoreAdj") or 0), 0)
        limits = process.get("rlimits") or []
        process["rlimits"] = [
            one for one in limits if one["hard"] <= resource.getrlimit(getattr(resource, one["type"]))[1]
        ]
    return process


def main() -> None:
    words = sys.argv[1:]
    if "create" in words and "--bundle" in words:
        path = Path(words[words.index("--bundle") + 1]) / "config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps({**config, "process": fitted(config["process"])}))
    if "exec" in words and "--process" in words:
        path = Path(words[words.index("--process") + 1])
        path.write_text(json.dumps(fitted(json.loads(path.read_text()))))
    os.execvp("runc", ["runc", *words])


if __name__ == "__main__":
    main()
