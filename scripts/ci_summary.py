"""Tell the results of CI's jobs as a table, on the run's page too, and fail unless all succeeded.

Reads GitHub's `needs` as JSON from NEEDS: {"lint": {"result": "success"}, ...}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def table(needs: dict[str, dict[str, str]]) -> str:
    """The results as Markdown."""
    rows = [f"| {job} | {about['result']} |" for job, about in sorted(needs.items())]
    return "\n".join(["| job | result |", "|---|---|", *rows, ""])


def main() -> int:
    needs = json.loads(os.environ.get("NEEDS", "{}"))
    if not needs:
        print("NEEDS is empty: it should be the jobs and their results as JSON.", file=sys.stderr)
        return 1
    print(table(needs))
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a") as summary:
            summary.write(table(needs))
    return 0 if all(about["result"] == "success" for about in needs.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
