# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module of this name of kubernetes.core for the cluster that its arguments name."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.plugin_utils.kubernetes_core import KubernetesCore


class ActionModule(KubernetesCore):
    """See the module's documentation."""
