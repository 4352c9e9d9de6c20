#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: supervised_process
short_description: Keep a program of this machine running that listens on a port
version_added: 0.1.0
description:
  - Runs a program under supervisord, so that it outlives the playbook and is started again when it ends.
  - A program whose arguments, environment or port changed is ended and started again.
author:
  - localcloud.stack contributors (@localcloud)
options:
  state:
    description: Whether the program is to run.
    type: str
    choices: [present, absent]
    default: present
  folder:
    description: Folder of its state and log. It belongs to this program alone.
    type: path
    required: true
  argv:
    description: The program and its arguments. C({port}) stands for the port.
    type: list
    elements: str
  environment_variables:
    description: More environment variables. C({port}) stands for the port.
    type: dict
    default: {}
  address:
    description: The address that it listens on.
    type: str
    default: 127.0.0.1
  port:
    description: The port that it listens on. By default one that is derived from O(folder) and free.
    type: int
  timeout:
    description: How many seconds to wait until it accepts connections.
    type: int
    default: 30
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Says whether the program would be started or ended. A port that is taken fails as it would then.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Run an emulator on this machine
  localcloud.stack.supervised_process:
    folder: "{{ playbook_dir }}/.localcloud/emulator"
    argv: [python3, -m, ministack.app]
    environment_variables:
      GATEWAY_PORT: "{port}"
    port: 4566
"""

RETURN = r"""
port:
  description: The port that it listens on.
  returned: when O(state=present), not in check mode
  type: int
  sample: 4566
"""

from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.common.supervised import (
    Program,
    Supervised,
)

SPEC = Spec(
    argument_spec={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "folder": {"type": "path", "required": True},
        "argv": {"type": "list", "elements": "str"},
        "environment_variables": {"type": "dict", "default": {}},
        "address": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int"},
        "timeout": {"type": "int", "default": 30},
    },
    required_if=[("state", "present", ("argv",))],
    # They may be secrets.
    unshown=["environment_variables"],
)


def result(arguments: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what is asked. Raises SupervisedError."""
    supervised = Supervised(Path(arguments["folder"]))
    if arguments["state"] == "absent":
        return {"changed": supervised.folder.exists() if check_mode else supervised.stop()}
    program = Program(
        argv=arguments["argv"],
        environment={name: str(value) for name, value in arguments["environment_variables"].items()},
        address=arguments["address"],
        port=arguments["port"],
        hint=f"Its log is {arguments['folder']}/program.log.",
    )
    changed = not supervised.fits(program)
    if check_mode:
        supervised.check(program)
        return {"changed": changed}
    return {"changed": changed, "port": supervised.start(program, arguments["timeout"])}


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("psutil", "supervisor"):
        raise ModuleError(problem)
    try:
        return result(params, check_mode)
    except OSError as error:
        raise ModuleError(str(error)) from error


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
