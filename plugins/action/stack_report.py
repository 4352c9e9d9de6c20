# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, where the page's template is."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.report.compose import compose
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.report_page import page
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain

COLLECTION = Path(__file__).resolve().parents[2]
# An installed collection has its version in the first, a checkout in the second.
MANIFESTS = (COLLECTION / "MANIFEST.json", COLLECTION / "galaxy.yml")
BLUEPRINT = {
    "name": {"type": "str", "required": True},
    "error": {"type": "str", "default": ""},
    "blueprint": {"type": "dict", "default": {}},
    "entry": {"type": "dict", "default": {}},
    "region": {"type": "str", "default": ""},
    "aws": {"type": "dict"},
    "difference": {"type": "dict"},
    "resources": {"type": "dict"},
    "workloads": {"type": "list", "elements": "dict", "default": []},
    "deployments": {"type": "dict"},
}
FACTS = {
    "cluster": {"type": "dict", "required": True},
    "cloud": {"type": "dict", "default": {}},
    "blueprints": {"type": "list", "elements": "dict", "required": True, "options": BLUEPRINT},
    "nodes": {"type": "dict", "default": {}},
    "proofs": {"type": "dict", "default": {}},
    "timings": {"type": "dict", "default": {}},
    "parts": {"type": "dict", "default": {}},
    "metrics": {"type": "dict", "default": {}},
    "metrics_url": {"type": "str", "default": ""},
    "metrics_page": {"type": "str", "default": ""},
    "chart_command": {"type": "list", "elements": "str", "default": []},
}


def collection_version() -> str:
    """The version of this collection; empty if neither file says it."""
    for path in MANIFESTS:
        if path.suffix == ".json" and path.exists():
            return str(json.loads(path.read_text())["collection_info"]["version"])
        if path.exists():
            lines = path.read_text().splitlines()
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("version:")), "")
    return ""


class ActionModule(told.Action):
    """Put a report together. See the module's documentation."""

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        facts = plain(self.validate_argument_spec(argument_spec=FACTS)[1])
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        report = compose({**facts, "collection": collection_version()}, now)
        return {
            "changed": False,
            "report": report.as_json(),
            "html": page(report, chart_command=facts["chart_command"]),
        }
