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
      - Path of the kubeconfig file. Where it is given, no variable of the environment chooses another cluster or context.
      - Without it, it is E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), then C(~/.kube/config), then the pod's service account. Where
        E(K8S_AUTH_HOST) or E(HELM_KUBEAPISERVER) names a cluster without any of the first, the module fails.
    type: path
  context:
    description: Context in the kubeconfig. Without it, the current one, and E(K8S_AUTH_CONTEXT) only where O(kubeconfig) is not given.
    type: str
requirements:
  - kubernetes >= 25.3.0
"""
