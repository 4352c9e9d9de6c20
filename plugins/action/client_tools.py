# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module of this name without a Python of its own, where it can."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the module's documentation."""
