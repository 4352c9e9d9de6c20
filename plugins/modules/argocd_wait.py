#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_wait
short_description: Wait until Applications of Argo CD are Synced to a revision, and Healthy
version_added: 0.2.0
description:
  - Asks Argo CD to compare at once what is not as wanted, instead of at its next turn, and waits until all Applications are.
  - On failure the message has, for each Application that is not, its state, what Argo CD says of it and of its resources, the likely cause and
    what to do.
  - What waiting does not cure, such as a chart that can't be rendered, fails within seconds. A Git server that does not answer is waited for.
options:
  names:
    description: The Applications.
    type: list
    elements: str
    required: true
  namespace:
    description: Their namespace.
    type: str
    default: argocd
  revision:
    description: The commit that they are to be at. Empty, the one that Argo CD finds in the repository then.
    type: str
    default: ""
  healthy:
    description: Whether they are to be Healthy, too. Without it, that all was applied is enough.
    type: bool
    default: true
  timeout:
    description: Seconds to wait.
    type: int
    default: 180
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Takes one look without waiting, and does not fail for what it sees.
notes:
  - It sets the annotation C(argocd.argoproj.io/refresh), which Argo CD removes again.
seealso:
  - module: localcloud.stack.workload_wait
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Wait until a push is rolled out
  localcloud.stack.argocd_wait:
    names: [main-api-dev, auxiliary-service-dev]
    revision: "{{ published.revision }}"
"""

RETURN = r"""
applications:
  description: Each Application.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: main-api-dev
    done:
      description: Whether it is as wanted.
      type: bool
      sample: true
    state:
      description: Its state in a few words.
      type: str
      sample: Synced at 4b825dc642, Healthy
    sync:
      description: What Argo CD says of its synchronization.
      type: str
      sample: Synced
    health:
      description: What Argo CD says of its health.
      type: str
      sample: Healthy
    revision:
      description: The commit that it was compared with last.
      type: str
      sample: 4b825dc642cb6eb9a060e54bf8d69288fbee4904
    messages:
      description: What Argo CD says of it and of its resources, where it is not as wanted.
      type: list
      elements: str
    cause:
      description: Likely cause, if a known one fits.
      type: str
    next_step:
      description: What to do about it.
      type: str
done:
  description: Whether all are as wanted.
  returned: always
  type: bool
  sample: true
waited_seconds:
  description: How long the wait took.
  returned: always
  type: float
  sample: 7.5
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.argocd.wait import Options, Waiter
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

SPEC = Spec(
    argument_spec={
        "names": {"type": "list", "elements": "str", "required": True},
        "namespace": {"type": "str", "default": "argocd"},
        "revision": {"type": "str", "default": ""},
        "healthy": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 180},
        **KUBERNETES_ARGUMENTS,
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    options = Options(**{name: params[name] for name in Options._fields})
    likely = "it does not answer, or its user may not read and annotate Applications"
    with cluster_of(params, "The Applications can't be waited for", likely) as api:
        waiter = Waiter(api, options)
        return waiter.look() if check_mode else waiter.wait()


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
