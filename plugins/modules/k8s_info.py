#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_info
short_description: Read objects of the cluster that is named
version_added: 0.1.0
description:
  - Runs M(kubernetes.core.k8s_info) with these arguments, for the cluster of O(kubeconfig) and O(context) whatever the environment
    says. There, variables beat arguments. E(K8S_AUTH_HOST) would send objects to another cluster than that of the kubeconfig.
  - Left out are all variables K8S_AUTH_*, and those of Helm that choose cluster, user, namespace or storage of releases. On another machine
    than the controller, where they can't be left out, variables K8S_AUTH_* make it fail.
  - An API server on this machine or in a network that it has an address in is reached without the environment's proxy.
  - Options that are not named here go on to M(kubernetes.core.k8s_info), too.
options:
  api_version:
    description: The objects' version.
    type: str
    default: v1
    aliases: [api, version]
  kind:
    description: The objects' kind.
    type: str
    required: true
  name:
    description: Of the one that is meant.
    type: str
  namespace:
    description: Where they are; without it, everywhere.
    type: str
  label_selectors:
    description: Which objects are meant.
    type: list
    elements: str
    default: []
  field_selectors:
    description: Which objects are meant.
    type: list
    elements: str
    default: []
  kubeconfig:
    description:
      - Path of the kubeconfig file, or its content.
      - Without it, it is E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG), then C(~/.kube/config), then the pod's service account. Where
        E(K8S_AUTH_HOST) or E(HELM_KUBEAPISERVER) names a cluster without any of the first two, the task fails.
    type: raw
  context:
    description: Context in the kubeconfig. Without it, the current one, and E(K8S_AUTH_CONTEXT) only where O(kubeconfig) is not given.
    type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
  action:
    description: Has an action plugin that runs on the controller.
    support: full
extends_documentation_fragment:
  - localcloud.stack.attributes
seealso:
  - module: kubernetes.core.k8s_info
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Look for a namespace
  localcloud.stack.k8s_info:
    kubeconfig: "{{ cluster_facts.kubeconfig }}"
    context: "{{ cluster_facts.context }}"
    kind: Namespace
    name: shop
  register: shop
"""

RETURN = r"""
resources:
  description: The objects; empty where there is none, or no such kind.
  returned: success
  type: list
  elements: dict
  sample: [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}]
"""
