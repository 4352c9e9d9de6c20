# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by the modules that talk to a cluster."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig file.
      - Falls back on E(K8S_AUTH_KUBECONFIG), so that it is the file that kubernetes.core uses, then on E(KUBECONFIG),
        then on C(~/.kube/config), then on the pod's service account.
    type: path
  context:
    description: Context in the kubeconfig file. Falls back on E(K8S_AUTH_CONTEXT), then on the current one.
    type: str
requirements:
  - kubernetes >= 25.3.0
"""
