#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crossplane_info
short_description: Look what there is of Crossplane in a cluster
version_added: 0.1.0
description:
  - Tells in one look what an installation of Crossplane needs to know. Reads only, and never reports changed.
  - Crossplane's core is found by the label that its chart gives it, in whatever namespace it is.
options:
  definitions:
    description: Kinds, by the names of their CustomResourceDefinitions (plural and group), of which to tell whether they are served.
    type: list
    elements: str
    default: []
  owner:
    description: Value of the label V(localcloud.dev/owner) by which RV(foreign), RV(settled) and RV(providers_of_others) are evaluated.
    type: str
  namespace:
    description: The namespace that RV(namespace) tells about.
    type: str
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Look for a Crossplane
  localcloud.stack.crossplane_info:
    definitions: [providers.pkg.crossplane.io]
  register: crossplane

- name: Ask for one
  ansible.builtin.assert:
    that: crossplane.running and 'providers.pkg.crossplane.io' in crossplane.served
"""

RETURN = r"""
running:
  description: Whether there is a Crossplane.
  returned: success
  type: bool
  sample: true
foreign:
  description:
    - Whether one was installed by another owner, so that its label V(localcloud.dev/owner) is not that of O(owner).
    - Without O(owner), whether one has no such label.
  returned: success
  type: bool
  sample: false
core:
  description: Each Crossplane of the cluster, those of others first.
  returned: success
  type: list
  elements: dict
  contains:
    namespace:
      description: Its namespace.
      type: str
    owner:
      description: Value of its label V(localcloud.dev/owner); empty without.
      type: str
  sample: [{namespace: crossplane-system, owner: localcloud-1a2b3c}]
namespace:
  description: What O(namespace) is.
  returned: success
  type: dict
  contains:
    exists:
      description: Whether it exists.
      type: bool
    owner:
      description: Value of its label V(localcloud.dev/owner); empty without.
      type: str
    created_by_helm:
      description: Whether Helm created it together with a release, so without any label of the owner.
      type: bool
  sample: {exists: true, owner: localcloud-1a2b3c, created_by_helm: false}
providers_of_others:
  description: The Providers without the label of O(owner).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name.
      type: str
    owner:
      description: Value of its label V(localcloud.dev/owner); empty without.
      type: str
    kinds:
      description: Those of O(definitions) that it brings, served or not yet activated.
      type: list
      elements: str
    guarded:
      description: Whether a NetworkPolicy of its owner selects the pods of providers.
      type: bool
  sample: []
settled:
  description:
    - Whether there are packages with the label of O(owner), all of them installed and healthy, and every Deployment with it is rolled out.
    - Where there is no such package, those of others count.
    - Always false without O(owner).
  returned: success
  type: bool
  sample: true
served:
  description: Those of O(definitions) that are served.
  returned: success
  type: list
  elements: str
  sample: [providers.pkg.crossplane.io]
api_addresses:
  description: The addresses of the cluster's API, sorted.
  returned: success
  type: list
  elements: str
  sample: [10.213.176.38]
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.installation import look
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

SPEC = Spec(
    argument_spec={
        "definitions": {"type": "list", "elements": "str", "default": []},
        "owner": {"type": "str"},
        "namespace": {"type": "str"},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    likely = "it does not answer, or its user may not read Deployments, EndpointSlices, Namespaces and packages"
    with cluster_of(params, "The cluster can't be asked for Crossplane", likely) as api:
        return look(api, params["definitions"], params["owner"], params["namespace"])


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
