"""The consumer; in the end it writes the seconds from each event's creation until the table had taken its item.

observed_consumer.py FILE
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from localcloud_consumer.__main__ import main
from localcloud_consumer.table import Outcome, Table

write = Table.write
taken: list[float] = []


def observed(self: Table, items: Sequence[dict[str, Any]]) -> Outcome:
    outcome, now = write(self, items), time.time()
    for item in items:
        if item["Id"]["S"] in outcome.stored:
            taken.append(now - datetime.fromisoformat(item["CreatedAt"]["S"]).timestamp())
    return outcome


Table.write = observed  # type: ignore[method-assign]
code = main()
Path(sys.argv[1]).write_text(json.dumps(taken))
sys.exit(code)
