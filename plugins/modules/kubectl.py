#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubectl
short_description: Run kubectl for the cluster that is named
version_added: 0.1.0
description:
  - Runs kubectl by M(ansible.builtin.command), for what the modules of kubernetes.core do slowly, such as hundreds of definitions.
  - Which cluster is meant, and what is left out of the environment, is as with M(localcloud.stack.k8s).
options:
  arguments:
    description: What kubectl is to do.
    type: list
    elements: str
    required: true
  binary:
    description: The path of kubectl, or its name in E(PATH).
    type: path
    default: kubectl
  kubeconfig:
    description: Path of the kubeconfig file. Without it, what M(localcloud.stack.k8s) takes.
    type: path
  context:
    description: Context in the kubeconfig. Without it, what M(localcloud.stack.k8s) takes.
    type: str
attributes:
  check_mode:
    support: none
    details: It is skipped.
  diff_mode:
    support: none
  idempotent:
    support: N/A
    details: That depends on the arguments. It always returns changed.
  action:
    description: Has an action plugin that runs on the controller.
    support: full
extends_documentation_fragment:
  - localcloud.stack.attributes
seealso:
  - module: localcloud.stack.k8s
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Apply definitions
  localcloud.stack.kubectl:
    kubeconfig: "{{ cluster_facts.kubeconfig }}"
    context: "{{ cluster_facts.context }}"
    arguments: [apply, --server-side, --recursive, --filename=crds]
"""

RETURN = r"""
stdout:
  description: What kubectl printed. There are also C(stderr) and C(rc), as M(ansible.builtin.command) returns them.
  returned: where it ran
  type: str
  sample: customresourcedefinition.apiextensions.k8s.io/topics.sns.aws.upbound.io serverside-applied
"""
