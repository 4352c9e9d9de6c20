#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client_tools
short_description: Find kind, kubectl and Helm, or fetch them
version_added: 0.2.0
description:
  - Takes each command from E(PATH) if it is new enough, else what was fetched or built before, else fetches the release that the toolchain pins,
    with the checksum that upstream publishes, into a folder of the project's.
  - What can't be fetched is listed in RV(lacking), and can be built by M(localcloud.stack.toolchain) where Go and its proxy are in reach.
options:
  project:
    description: The collection's root folder, which has C(toolchain/).
    type: path
    required: true
  folder:
    description: Where fetched commands are kept, one a version.
    type: path
    required: true
  names:
    description: Which commands.
    type: list
    elements: str
    choices: [kind, kubectl, helm]
    default: [kind, kubectl, helm]
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.controller
attributes:
  check_mode:
    support: full
    details: Fetches nothing; what is not there is in RV(lacking).
  diff_mode:
    support: none
  idempotent:
    support: full
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Find kind
  localcloud.stack.client_tools:
    project: "{{ playbook_dir }}"
    folder: "{{ playbook_dir }}/.localcloud/tools"
    names: [kind]
"""

RETURN = r"""
commands:
  description: The path of each command; empty for one that is lacking.
  returned: success
  type: dict
  sample: {"kind": "/usr/local/bin/kind"}
lacking:
  description: For each command that is lacking, the part of the toolchain that has it.
  returned: success
  type: dict
  sample: {"kind": "kind"}
fetched:
  description: The commands that were fetched.
  returned: success
  type: list
  elements: str
  sample: [kind]
problems:
  description: Why lacking commands could not be fetched.
  returned: success
  type: list
  elements: str
  sample: []
"""

import platform
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.tools import (
    TOOLS,
    Tool,
    ToolError,
    fetch,
    is_new_enough,
    release,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import CommandError, run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

SPEC = Spec(
    argument_spec={
        "project": {"type": "path", "required": True},
        "folder": {"type": "path", "required": True},
        "names": {"type": "list", "elements": "str", "choices": list(TOOLS), "default": list(TOOLS)},
    },
)
VERSION_SECONDS = 20.0
# A release that does not begin to come for so long is out of reach.
FETCH_SECONDS = 20


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("yaml"):
        raise ModuleError(problem)
    builder = Builder(Inventory.read(Path(params["project"])), Cache(default_root()), lambda _line: None)
    commands, lacking, fetched, problems = {}, {}, [], []
    for name in params["names"]:
        tool = TOOLS[name]
        version = str(builder.inventory.parts[tool.part].spec["version"])
        kept = Path(params["folder"]) / f"{name}-{version}"
        commands[name] = _of_path(name, tool) or (str(kept) if kept.exists() else "") or _built(builder, name, tool)
        if commands[name]:
            continue
        if not check_mode:
            try:
                fetch(release(tool, version, platform.system(), platform.machine()), kept, _read)
                commands[name] = str(kept)
                fetched.append(name)
                continue
            except ToolError as error:
                problems.append(f"{name}: {error.message}")
        lacking[name] = tool.part
    return {
        "changed": bool(fetched or (check_mode and lacking)),
        "commands": commands,
        "lacking": lacking,
        "fetched": fetched,
        "problems": problems,
    }


def _of_path(name: str, tool: Tool) -> str:
    """The path of an installed command that is new enough; empty where there is none."""
    found = shutil.which(name)
    if found is None:
        return ""
    try:
        status, said, _errors = run_command([found, *tool.said], timeout=VERSION_SECONDS)
    except CommandError:
        return ""
    return found if status == 0 and is_new_enough(tool, said) else ""


def _built(builder: Builder, name: str, tool: Tool) -> str:
    """The path of a command of a part that is built already; empty where it is not."""
    if builder.missing([tool.part]):
        return ""
    return str(builder.known([tool.part])[tool.part].path / name)


def _read(url: str) -> bytes:
    with open_url(url, timeout=FETCH_SECONDS) as answer:
        return bytes(answer.read())


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
