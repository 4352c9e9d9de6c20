# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a chart takes the values that it is given, as Helm itself says, without a cluster."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import undated
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

# A command and its input; exit code, output, errors.
Run = t.Callable[[list[str], str], tuple[int, str, str]]

SCHEMA = "values.schema.json"
# As Helm reports each chart whose schema is not met, since 3.18: its name, then a JSON pointer and what is wrong there.
_CHART = re.compile(r"(?P<name>[A-Za-z0-9._-]+):")
# Before the pattern or format that a value does not have.
_VALUE = re.compile(r"^'.*' (?=does not match|is not valid)")
_PROBLEM = re.compile(r"- at '(?P<pointer>.*?)': (?P<said>.*)")


def refused(run: Run, helm: str, chart: str, values: t.Mapping[str, t.Any]) -> list[str]:
    """What the chart's schema and those of its subcharts refuse, each with its path below C(values). Raises OSError.

    C(chart): a folder; any other is not asked for, as Helm would have to pull it.
    """
    folder = Path(chart)
    if not (folder / "Chart.yaml").is_file():
        return []
    # Only whether it is a schema's refusal counts: what templates say may depend on the cluster.
    code, _output, errors = run([helm, "template", "values", chart, "--values", "-"], json.dumps(undated(values)))
    name = str((yaml.safe_load((folder / "Chart.yaml").read_text()) or {}).get("name"))
    return problems(errors, name) if code else []


def problems(errors: str, chart: str) -> list[str]:
    """The refusals in what Helm says, without the values, which may be secrets. Pure."""
    found, prefix = [], ""
    for line in errors.splitlines():
        if heading := _CHART.fullmatch(line):
            prefix = "" if heading["name"] == chart else f"/{heading['name']}"
        elif problem := _PROBLEM.fullmatch(line):
            keys = [_unescaped(one) for one in f"{prefix}{problem['pointer']}".split("/")[1:]]
            found.append(f"{_path(keys)}: {printable(_VALUE.sub('', problem['said']))} ({SCHEMA} of the chart {chart})")
    return found


def _unescaped(key: str) -> str:
    """A key of a JSON pointer (RFC 6901, section 4)."""
    return key.replace("~1", "/").replace("~0", "~")


def _path(keys: list[str]) -> str:
    return "values" + "".join(f"[{one}]" if one.isdigit() else f".{one}" for one in keys)
