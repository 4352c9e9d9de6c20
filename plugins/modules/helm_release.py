#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release
short_description: Install, upgrade or remove a Helm release that is ours, also after a Helm that was killed
version_added: 0.2.0
description:
  - Installs or upgrades a release where chart, values or owner differ, and removes it.
  - A release is ours if the newest of Helm's records has the label C(localcloud.dev/owner) with our owner, which this module gives to
    Helm together with the operation. Where that record has no such label, the labels of the release's objects count. What others
    own is never changed nor removed. To hand a release over, set that label on its newest record, a Secret.
  - An operation that was killed leaves the release pending, and Helm then refuses each further one. A pending upgrade or rollback is
    ended by a rollback to the last revision that was deployed, which changes only what differs, so that pods go on serving; then the
    wanted upgrade goes on. What a pending installation had made is removed, and an interrupted removal is completed.
  - An operation that may still be running is left alone. One of this module's is running if its process is; any other one until its
    record is as old as O(timeout).
  - Helm 3 and Helm 4 may take turns on a release. Fields that others have set are set as the chart declares them, which Helm 4 alone calls a
    conflict. A number of replicas that was set by the subresource scale, as autoscalers and C(kubectl scale) do, stays as it is until the chart
    declares another one than before. A rollback sets what its revision had.
  - Deleted objects of a release are installed again.
  - M(kubernetes.core.helm) gives no labels to Helm, does not roll back, and takes a release that is pending for one that is not there.
options:
  name:
    description: The release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description: Value of the label C(localcloud.dev/owner), which marks what this stack made.
    type: str
    required: true
  owner_secret:
    description:
      - Name of a Secret in the namespace that was made for the release. Where neither the release's record nor its objects name an owner,
        as versions before 0.2 left them, this Secret's label counts.
    type: str
    default: ""
  chart:
    description: The chart's folder, or its name in a repository. Needed for O(state=present).
    type: str
  chart_repository:
    description: URL of the chart's repository.
    type: str
  chart_version:
    description: The version of a chart from a repository.
    type: str
  values:
    description: The values that it is to have. They are handed to Helm by its input, so that no process list shows them.
    type: dict
    default: {}
  create_namespace:
    description: Let Helm make the namespace.
    type: bool
    default: false
  timeout:
    description:
      - Helm's own time-out for each operation, in seconds (C(helm --timeout)).
      - A pending record that is younger may belong to an operation that is running, so it is refused.
    type: int
    default: 300
  binary_path:
    description: The command C(helm), 3.13 or later, or 4.
    type: path
    default: helm
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Says what is done and why. Values are not shown.
  idempotent:
    support: full
seealso:
  - module: localcloud.stack.helm_diff
  - module: kubernetes.core.helm
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Install the shop
  localcloud.stack.helm_release:
    name: shop
    namespace: shops
    owner: localcloud-1a2b3c
    chart: ./charts/shop
    values:
      replicas: 2

- name: Remove it again
  localcloud.stack.helm_release:
    name: shop
    namespace: shops
    owner: localcloud-1a2b3c
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, in this order. In check mode what would be done.
  returned: success
  type: list
  elements: str
  sample: [roll back to revision 3, upgrade]
differences:
  description: What differed, in words that name no values.
  returned: success
  type: list
  elements: str
  sample: [its last operation is pending-upgrade, the value of image.tag differs]
kept:
  description: What stays although it was to be removed, as others own it.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Always C(Helm release).
      type: str
      sample: Helm release
    name:
      description: Its name.
      type: str
      sample: shop
    namespace:
      description: Its namespace.
      type: str
      sample: shops
    owner:
      description: The owner in Helm's record; none without the label.
      type: str
      sample: localcloud-9f8e7d
    reason:
      description: Why it stays.
      type: str
      sample: owner localcloud-9f8e7d
scaled:
  description: Workloads that keep the number of replicas that an autoscaler or C(kubectl scale) has set, and which number is declared.
  returned: success
  type: list
  elements: str
  sample: [the Deployment web keeps its 5 replicas, which kubectl has set; 2 are declared]
"""

import shutil
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import Chart, Helm, Where, major_version
from ansible_collections.localcloud.stack.plugins.module_utils.helm.operation import Outcome, Wanted, install, remove
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

SPEC = Spec(
    argument_spec={
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "owner": {"type": "str", "required": True},
        "owner_secret": {"type": "str", "default": "", "no_log": False},
        "chart": {"type": "str"},
        "chart_repository": {"type": "str"},
        "chart_version": {"type": "str"},
        "values": {"type": "dict", "default": {}},
        "create_namespace": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 300},
        "binary_path": {"type": "path", "default": "helm"},
        **KUBERNETES_ARGUMENTS,
    },
    required_if=[("state", "present", ["chart"])],
    # They may be secrets.
    unshown=["values"],
)


def helm_of(params: t.Mapping[str, t.Any]) -> Helm:
    """Helm for the release and cluster. Raises ModuleError where there is none."""
    where = Where(params["kubeconfig"], params["context"], params["namespace"])
    binary = shutil.which(params["binary_path"])
    if binary is None:
        raise ModuleError(f"There is no program {params['binary_path']}. Install Helm, or set binary_path.")
    return Helm(run_command, binary, where, params["name"], params["timeout"], major_version(run_command, binary))


def outcome_of(params: t.Mapping[str, t.Any], check_mode: bool) -> Outcome:
    """Bring the release to its state. Raises ModuleError where that can't be done."""
    helm = helm_of(params)
    likely = f"the cluster does not answer, or its user may not read Secrets of {params['namespace']}"
    chart = Chart(params["chart"] or "", params["chart_repository"], params["chart_version"])
    wanted = Wanted(
        params["namespace"],
        params["name"],
        params["owner"],
        chart,
        params["values"],
        params["create_namespace"],
        params["timeout"],
        params["owner_secret"],
    )
    with cluster_of(params, f"The release {params['name']} can't be changed", likely) as api:
        act = install if params["state"] == "present" else remove
        return act(api, helm, wanted, check_mode)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    if problem := missing_packages("yaml"):
        raise ModuleError(problem)
    done = outcome_of(params, check_mode)
    return {
        "changed": bool(done.actions),
        "actions": done.actions,
        "differences": done.differences,
        "kept": list(done.kept),
        "scaled": list(done.scaled),
        "diff": {"before": _lines(done.differences), "after": _lines(done.actions)},
        "warnings": [printable(one) for one in done.warnings],
    }


def _lines(some: list[str]) -> str:
    return "".join(f"{one}\n" for one in some)


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
