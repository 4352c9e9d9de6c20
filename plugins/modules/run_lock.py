#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Let one run at a time work on a state folder
version_added: 0.1.0
description:
  - Fails at once if another C(ansible-playbook) that took the lock is still alive.
  - The lock needs no release; it ends with the process that holds it, also by Ctrl-C or C(kill -9).
author:
  - localcloud.stack contributors (@localcloud)
options:
  folder:
    description: The state folder. It is made if it is not there.
    type: path
    required: true
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.controller
attributes:
  check_mode:
    support: full
    details: The lock is taken in check mode, too.
  diff_mode:
    support: N/A
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Make sure that no other run works on this stack
  localcloud.stack.run_lock:
    folder: "{{ playbook_dir }}/.localcloud"
"""

RETURN = r"""
pid:
  description: The process that holds the lock now.
  returned: success
  type: int
  sample: 4711
"""
