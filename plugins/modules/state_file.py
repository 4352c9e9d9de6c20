#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: state_file
short_description: Write a small file of a stack's state
version_added: 0.2.0
description:
  - Writes a text to a file of this machine, whole or not at all, if it differs.
  - M(ansible.builtin.copy) does that too, with several processes for each file, which take a second.
author:
  - localcloud.stack contributors (@localcloud)
options:
  dest:
    description: The file. Its folder must be there.
    type: path
    required: true
  content:
    description: Its content. It is not shown.
    type: str
    required: true
  mode:
    description: Permissions of a file that is written, in octal digits.
    type: str
    default: "0600"
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Write what later playbooks need to know
  localcloud.stack.state_file:
    dest: "{{ playbook_dir }}/.localcloud/cluster.json"
    content: "{{ cluster_facts | to_nice_json(sort_keys=true) }}\n"
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
  sample: /home/me/stack/.localcloud/cluster.json
"""

from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.files import write_whole
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError


def differs(path: Path, content: bytes) -> bool:
    """Whether the file has another content, or is not there. Raises OSError."""
    try:
        return path.read_bytes() != content
    except FileNotFoundError:
        return True


SPEC = Spec(
    argument_spec={
        "dest": {"type": "path", "required": True},
        "content": {"type": "str", "required": True, "no_log": True},
        "mode": {"type": "str", "default": "0600"},
    },
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    path, content = Path(params["dest"]), params["content"].encode()
    try:
        mode = int(params["mode"], 8)
    except ValueError:
        raise ModuleError(
            f"mode is '{params['mode']}', but must be octal digits such as 0600. Correct it, then run again."
        ) from None
    try:
        changed = differs(path, content)
        if changed and not check_mode:
            write_whole(path, content, mode)
    except OSError as error:
        raise ModuleError(
            f"{path} can't be written: {error.strerror}. Make its folder writable for you, then run again."
        ) from error
    return {"changed": changed, "dest": str(path)}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
