#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s
short_description: Make, change and remove objects of the cluster that is named
version_added: 0.1.0
description:
  - Runs M(kubernetes.core.k8s) with these arguments, for the cluster of O(kubeconfig) and O(context) whatever the environment
    says. There, variables beat arguments. E(K8S_AUTH_HOST) would send objects to another cluster than that of the kubeconfig.
  - Left out are all variables K8S_AUTH_*, and those of Helm that choose cluster, user, namespace or storage of releases. On another machine
    than the controller, where they can't be left out, variables K8S_AUTH_* make it fail.
  - An API server on this machine or in a network that it has an address in is reached without the environment's proxy.
  - Options that are not named here go on to M(kubernetes.core.k8s), too.
options:
  state:
    description: V(patched) changes what is there and makes nothing.
    type: str
    choices: [absent, present, patched]
    default: present
  resource_definition:
    description: The objects.
    type: raw
    aliases: [definition, inline]
  template:
    description: Templates of the objects; a path, or a list of maps with O(ignore:path).
    type: raw
  api_version:
    description: Of an object that has no O(resource_definition).
    type: str
    default: v1
    aliases: [api, version]
  kind:
    description: Of an object that has no O(resource_definition).
    type: str
  name:
    description: Of an object that has no O(resource_definition).
    type: str
  namespace:
    description: Where objects go that name no namespace.
    type: str
  label_selectors:
    description: Which objects are meant.
    type: list
    elements: str
    default: []
  delete_all:
    description: Whether O(state=absent) without a name is about all objects of the kind.
    type: bool
    default: false
  delete_options:
    description: How objects are deleted, as the API's DeleteOptions.
    type: dict
  apply:
    description: Whether the API server merges, instead of the module.
    type: bool
    default: false
  server_side_apply:
    description: C(field_manager) and C(force_conflicts) of a server-side apply.
    type: dict
  wait:
    description: Whether to wait until objects are ready, or deleted.
    type: bool
    default: false
  wait_timeout:
    description: Seconds for that.
    type: int
    default: 120
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
    support: full
  idempotent:
    support: full
  action:
    description: Has an action plugin that runs on the controller.
    support: full
extends_documentation_fragment:
  - localcloud.stack.attributes
seealso:
  - module: kubernetes.core.k8s
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Declare a namespace
  localcloud.stack.k8s:
    kubeconfig: "{{ cluster_facts.kubeconfig }}"
    context: "{{ cluster_facts.context }}"
    resource_definition: {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
    apply: true
"""

RETURN = r"""
result:
  description: What M(kubernetes.core.k8s) returns, the object as the API server has it.
  returned: success
  type: dict
  sample: {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
"""
