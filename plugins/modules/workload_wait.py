#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_wait
short_description: Wait until workloads are rolled out, and fail early when they can't be
version_added: 0.1.0
description:
  - Watches Deployments, StatefulSets or DaemonSets of a namespace and their pods until each is rolled out, by the rule
    of C(kubectl rollout status).
  - Fails within seconds on what no waiting heals, and says which pod, container and image, the cause and the next step.
    That is an image that can't be pulled, a missing Secret or ConfigMap, a container that can't be started or ends
    again and again, pods that no node takes, and pods that the API server refuses.
  - What may be due to something that is still starting or being made gets a while, 3 to 30 seconds, before it counts.
  - An API server that goes away and a watch that ends are waited out, up to O(timeout).
  - Only pods of the newest template are judged, so what an older one suffered from does not matter. The exception are
    StatefulSets, whose broken old pods are in the way of the new ones.
options:
  names:
    description: Names of the workloads. Exactly one of this and O(label_selector) must be given.
    type: list
    elements: str
  label_selector:
    description: Waits for all workloads of O(kind) with these labels, for example V(app.kubernetes.io/instance=orders).
    type: str
  kind:
    description: Kind of the workloads.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet]
    default: Deployment
  namespace:
    description: Their namespace.
    type: str
    required: true
  timeout:
    description: Seconds to wait.
    type: int
    default: 300
  unschedulable_after:
    description: Seconds for which no node takes a pod until that counts. Give more where an autoscaler adds nodes.
    type: int
    default: 30
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Takes one look without waiting and never fails. RV(workloads[].rolled_out) says what is not rolled out.
notes:
  - A user needs the rights to get, list and watch the workloads, ReplicaSets (for Deployments) and pods. With those for
    events and C(pods/log) it says more.
  - Environments of containers are never read. What looks like a secret is masked in shown lines of logs.
  - A Deployment whose condition says C(ProgressDeadlineExceeded) may still heal and so does not fail at once.
seealso:
  - module: localcloud.stack.crossplane_wait
  - module: kubernetes.core.k8s
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Wait for the applications
  localcloud.stack.workload_wait:
    namespace: apps
    names: [producer, consumer]
    timeout: 120

- name: Wait for the Deployments of a Helm release
  localcloud.stack.workload_wait:
    namespace: apps
    label_selector: app.kubernetes.io/instance=orders

- name: Wait for a StatefulSet
  localcloud.stack.workload_wait:
    namespace: monitoring
    kind: StatefulSet
    names: [prometheus]
"""

RETURN = r"""
workloads:
  description: The workloads that were there.
  returned: when the cluster could be asked
  type: list
  elements: dict
  contains:
    name:
      description: Name.
      type: str
      sample: producer
    kind:
      description: Kind.
      type: str
      sample: Deployment
    replicas:
      description: How many pods there should be.
      type: int
      sample: 2
    rolled_out:
      description: Whether it is rolled out.
      type: bool
      sample: true
    state:
      description: What was still in the way, or C(rolled out).
      type: str
      sample: 1 of 2 pods are available
    seconds:
      description: After how many seconds of waiting it was rolled out, empty if it was not.
      type: float
      sample: 2.31
pods:
  description: Their pods, without those that are being deleted.
  returned: when the cluster could be asked
  type: list
  elements: dict
  contains:
    name:
      description: Name.
      type: str
      sample: producer-5d8f7c9b4-x2x7k
    phase:
      description: Phase.
      type: str
      sample: Running
    ready:
      description: Whether it is ready.
      type: bool
      sample: true
    restarts:
      description: How often its containers were restarted.
      type: int
      sample: 0
    started:
      description: When the last of its containers started, by the cluster's clock. Empty while one does not run.
      type: str
      sample: "2026-01-01T12:00:00Z"
    created_at:
      description: When it was made, by the cluster's clock.
      type: str
      sample: "2026-01-01T11:59:58Z"
    ready_at:
      description: Since when it is ready, by the cluster's clock. Empty while it is not.
      type: str
      sample: "2026-01-01T12:00:01Z"
    images:
      description: Images of its containers, as the pod asks for them.
      type: list
      elements: str
      sample: ["localhost/localcloud/producer:1"]
    node:
      description: Its node, empty if it has none yet.
      type: str
      sample: localcloud-f2af6c09
waited_seconds:
  description: How long the module waited.
  returned: when the cluster could be asked
  type: float
  sample: 2.35
unseen:
  description: Why nothing could be seen.
  returned: in check mode, when the cluster could not be asked
  type: str
  sample: "The cluster can't be looked at: it does not answer"
problems:
  description: What no waiting heals, once for all replicas that suffer from the same. Empty when only the time was up.
  returned: when workloads did not roll out, and in check mode
  type: list
  elements: dict
  contains:
    workload:
      description: Name of the workload.
      type: str
      sample: producer
    pod:
      description: The pod, empty if the problem is not one of a pod.
      type: str
      sample: producer-5d8f7c9b4-x2x7k
    container:
      description: The container, if the problem is one of a container.
      type: str
      sample: app
    image:
      description: Its image.
      type: str
      sample: localhost/localcloud/producer:1
    reason:
      description: Kubernetes' word for it.
      type: str
      sample: ImagePullBackOff
    message:
      description: The cause.
      type: str
      sample: the node does not have this image
    next_step:
      description: What to do.
      type: str
      sample: build it and load it into the node
    log:
      description: Last lines of a container that ended again and again.
      type: list
      elements: str
      sample: []
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import (
    KUBERNETES_ARGUMENTS,
    KubernetesApi,
    require_client,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import API_PATHS
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.wait import Options, Waiter

SPEC = Spec(
    argument_spec={
        "names": {"type": "list", "elements": "str"},
        "label_selector": {"type": "str"},
        "kind": {"type": "str", "choices": list(API_PATHS), "default": "Deployment"},
        "namespace": {"type": "str", "required": True},
        "timeout": {"type": "int", "default": 300},
        "unschedulable_after": {"type": "int", "default": 30},
        **KUBERNETES_ARGUMENTS,
    },
    required_one_of=[["names", "label_selector"]],
    mutually_exclusive=[["names", "label_selector"]],
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    require_client()
    api = KubernetesApi(params["kubeconfig"], params["context"])
    waiter = Waiter(api, Options(**{name: params[name] for name in Options._fields}))
    if not check_mode:
        return waiter.wait()
    result, unseen = waiter.look()
    return {**result, "unseen": printable(unseen), "warnings": [printable(unseen)]} if unseen else result


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
