#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: users_api_probe
short_description: Prove that a users API works
version_added: 0.1.0
description:
  - Makes a user with an avatar under an address that nobody else has, finds user and avatar, and deletes both.
  - What it makes it takes away again, also when a step fails.
options:
  url:
    description: Where the users API answers.
    type: str
    required: true
  avatar:
    description: A picture (PNG) on the machine that the module runs on.
    type: path
    required: true
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Asks for readiness only.
  diff_mode:
    details: It leaves nothing behind.
  idempotent:
    details: It leaves nothing behind.
requirements:
  - urllib3
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Prove that the users API works
  localcloud.stack.users_api_probe:
    url: http://127.0.0.1:30080
    avatar: files/avatar.png
"""

RETURN = r"""
email:
  description: The user that was made. Empty in check mode.
  returned: success
  type: str
  sample: probe-0f3c5a7b9d1e@example.org
latency_ms:
  description: Milliseconds of each step and of all together. Empty in check mode.
  returned: success
  type: dict
  sample: {create: 24.1, get: 4.2, avatar: 6.0, delete: 9.9, total: 44.7}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.localcloud.stack.plugins.module_utils.packages import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.unexpected import run as run_module
from ansible_collections.localcloud.stack.plugins.module_utils.users_api import ProbeError, UsersApi, probe


def main() -> None:
    module = AnsibleModule(
        argument_spec={"url": {"type": "str", "required": True}, "avatar": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    if missing := missing_packages("urllib3"):
        module.fail_json(msg=missing)
    url, picture = module.params["url"], Path(module.params["avatar"])
    try:
        if module.check_mode:
            UsersApi(url).ask("Asking for readiness", "GET", f"{url.rstrip('/')}/readyz", 200)
            module.exit_json(changed=False, email="", latency_ms={})
        module.exit_json(changed=False, **probe(url, picture.read_bytes()))
    except ProbeError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The picture {picture} cannot be read ({error.strerror}). Give the path of a PNG.")


if __name__ == "__main__":
    run_module(main)
