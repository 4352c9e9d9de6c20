"""Take the README's picture of DynamoDB Admin: the running stack's table and its items, by headless Chromium.

    screenshot.py [FILE]      default docs/dynamodb-admin.png

Needs a running stack of this checkout (make up) and the Debian package chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".localcloud"
SETTINGS = yaml.safe_load((PROJECT / "inventories/local/group_vars/all.yml").read_text())


def main() -> int:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "docs/dynamodb-admin.png")
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not there. Install it (apt-get install chromium), then run again.", file=sys.stderr)
        return 1
    if not (STATE / "cluster.json").exists():
        print("There is no stack here. Run `make up`, then run again.", file=sys.stderr)
        return 1
    address = json.loads((STATE / "cluster.json").read_text())["address"]
    url = f"http://{address}:{SETTINGS['apps_dynamodb_admin_node_port']}/tables/{SETTINGS['stack_table']}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert SETTINGS["stack_table"] in answer.read().decode(), url
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
             f"--user-data-dir={profile}", "--window-size=1200,620", "--virtual-time-budget=8000",
             f"--screenshot={target}", url],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
