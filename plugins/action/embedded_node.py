# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks without a Python of its own, where it can, whether the module of this name has anything to do."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the module's documentation."""

    looks_only = True
