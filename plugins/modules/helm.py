#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: helm
short_description: Install, upgrade and remove a Helm release in the cluster that is named
version_added: 0.1.0
description:
  - Runs M(kubernetes.core.helm) with these arguments, for the cluster of O(kubeconfig) and O(context) whatever the environment
    says. There, variables beat arguments. E(K8S_AUTH_HOST) would send objects to another cluster than that of the kubeconfig.
  - Left out are all variables K8S_AUTH_*, and those of Helm that choose cluster, user, namespace or storage of releases. On another machine
    than the controller, where they can't be left out, variables K8S_AUTH_* make it fail.
  - An API server on this machine or in a network that it has an address in is reached without the environment's proxy.
  - Options that are not named here go on to M(kubernetes.core.helm), too.
options:
  name:
    description: The release.
    type: str
    required: true
    aliases: [release_name]
  namespace:
    description: The release's namespace.
    type: str
    required: true
    aliases: [release_namespace]
  state:
    description: Whether the release is installed.
    type: str
    choices: [present, absent]
    default: present
    aliases: [release_state]
  chart_ref:
    description: The chart's folder, or its name in a repository.
    type: path
  chart_repo_url:
    description: The chart's repository.
    type: str
  chart_version:
    description: The chart's version in a repository.
    type: str
  values:
    description: The chart's values.
    type: dict
    default: {}
    aliases: [release_values]
  create_namespace:
    description: Whether a namespace that is missing is made.
    type: bool
    default: false
  binary_path:
    description: The path of Helm, where it is not in E(PATH).
    type: path
  wait:
    description: Whether to wait until objects are ready, or deleted.
    type: bool
    default: false
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
    support: partial
    details: As the Helm plugin diff is there.
  idempotent:
    support: full
  action:
    description: Has an action plugin that runs on the controller.
    support: full
extends_documentation_fragment:
  - localcloud.stack.attributes
seealso:
  - module: kubernetes.core.helm
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Install Crossplane
  localcloud.stack.helm:
    kubeconfig: "{{ cluster_facts.kubeconfig }}"
    context: "{{ cluster_facts.context }}"
    name: crossplane
    namespace: crossplane-system
    chart_ref: crossplane
    chart_repo_url: https://charts.crossplane.io/stable
    chart_version: 2.4.0
"""

RETURN = r"""
status:
  description: What M(kubernetes.core.helm) returns of the release.
  returned: success
  type: dict
  sample: {"name": "crossplane", "namespace": "crossplane-system", "revision": "1", "status": "deployed"}
"""
