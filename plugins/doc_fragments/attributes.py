# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the attributes of modules mean; each module says itself whether it has them."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and return what it would without.
  diff_mode:
    description: Returns what would be changed when run in diff mode.
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
"""

    # For modules that only read.
    READS_ONLY = r"""
attributes:
  check_mode:
    support: full
    details: It only reads.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
    details: It changes nothing.
"""

    # For modules that run where ansible-playbook does.
    CONTROLLER = r"""
attributes:
  action:
    description: Has an action plugin that runs on the controller.
    support: full
"""
