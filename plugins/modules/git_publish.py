#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_publish
short_description: Publish folders into a branch of a Git repository that others push to as well
version_added: 0.2.0
description:
  - Makes a branch have folders of this machine, as one commit, and keeps what others have pushed.
  - What was published last is remembered in the repository, as the branch V(localcloud/published). Only what has changed here since then is
    changed there, by a merge. An unchanged folder never undoes a push, and lines that both have changed are refused with the files' names.
  - Symbolic links become what they lead to.
options:
  url:
    description: The repository. A URL with credentials in it is refused, and what it has of them is not shown.
    type: str
    required: true
  branch:
    description: The branch.
    type: str
    default: main
  folders:
    description: A folder of this machine for each path in the repository, for example C(/home/me/orders/chart) for C(charts/orders).
    type: dict
    required: true
  username:
    description: Name of the user, where the repository wants any.
    type: str
    default: ""
  password:
    description: Password or token. It is in no command's arguments.
    type: str
    default: ""
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the paths that change.
  idempotent:
    support: full
requirements:
  - Git 2.31 or newer
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Publish a chart
  localcloud.stack.git_publish:
    url: http://10.75.0.2:30418/stack.git
    username: git
    password: "{{ git_password }}"
    folders: {charts/orders: "{{ playbook_dir }}/chart"}
  register: published
"""

RETURN = r"""
revision:
  description: The branch's commit; in check mode the one before, empty where there is none.
  returned: success
  type: str
  sample: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
files:
  description: Paths that have changed.
  returned: success
  type: list
  elements: str
  sample: [charts/orders/values-dev.yaml]
"""

import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.argocd.git_publish import (
    Repository,
    publish,
    url_problem,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

SPEC = Spec(
    argument_spec={
        # Credentials in it would else be shown among the arguments.
        "url": {"type": "str", "required": True, "no_log": True},
        "branch": {"type": "str", "default": "main"},
        "folders": {"type": "dict", "required": True},
        "username": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": True},
    },
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := url_problem(params["url"]):
        raise ModuleError(f"{problem}, then run again.")
    folders = {path: Path(folder) for path, folder in params["folders"].items()}
    if missing := sorted(f"{folder} ({path})" for path, folder in folders.items() if not folder.is_dir()):
        raise ModuleError(f"folders: there is no folder {', no folder '.join(missing)}. Correct them, then run again.")
    repository = Repository(params["url"], params["branch"], params["username"], params["password"])
    with tempfile.TemporaryDirectory() as work:
        done = publish(repository, folders, Path(work), check_mode)
    after = "".join(f"{path}\n" for path in done.files)
    return {
        "changed": done.changed,
        "revision": done.revision,
        "files": done.files,
        "diff": {"before": "", "after": after},
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
