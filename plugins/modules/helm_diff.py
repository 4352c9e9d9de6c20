#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_diff
short_description: Compare a Helm release with what is declared
version_added: 0.1.0
description:
  - Reads what Helm remembers of a release, and tells whether it is installed with this chart and these values. Reads only, and
    never reports changed.
  - It takes a tenth of the time of M(kubernetes.core.helm), which runs Helm several times, and is meant to go before
    M(localcloud.stack.helm_release).
  - Of a chart, name and version are compared, of a folder a digest of its files as well, which M(localcloud.stack.helm_release) leaves in
    Helm's record.
  - It also finds deleted objects of the release, which Helm does not, an operation that did not end, and what others own.
  - Releases of Helm 3 and Helm 4 are compared alike. What others have set in the release's objects, as an autoscaler does, is no difference.
options:
  name:
    description: The release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  chart:
    description: The chart's folder, or its name in a repository.
    type: str
    required: true
  chart_version:
    description: The version of a chart from a repository. Without it that is not compared. Of a folder it is not needed.
    type: str
  values:
    description: The values that it is to have.
    type: dict
    default: {}
  owner:
    description:
      - Value of the label C(localcloud.dev/owner) that Helm's record of the release has if it is ours. Where it has none, the labels of
        the release's objects count.
      - Without it whatever is there counts as ours.
    type: str
    default: ""
  owner_secret:
    description:
      - Name of a Secret in the namespace that was made for the release. Where neither the release's record nor its objects name an owner,
        as versions before 0.2 left them, this Secret's label counts.
    type: str
    default: ""
  binary_path:
    description:
      - The command helm. With it, the values for a chart that is a folder are checked against its C(values.schema.json) where anything differs.
      - Without it, or where it is not there, nothing is checked.
    type: path
  timeout:
    description: How many seconds an operation that Helm's record calls pending may be running.
    type: int
    default: 300
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
seealso:
  - module: localcloud.stack.helm_release
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Compare the release
  localcloud.stack.helm_diff:
    name: crossplane
    namespace: crossplane-system
    chart: crossplane
    chart_version: 2.4.0
    owner: localcloud-1a2b3c
  register: crossplane_release

- name: Refuse to touch what others own, or what is being changed
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: >-
      {{ crossplane_release.foreign | localcloud.stack.foreign_problems('Take another name.') + crossplane_release.running }}

- name: Install it where something differs
  localcloud.stack.helm_release:
    name: crossplane
    namespace: crossplane-system
    owner: localcloud-1a2b3c
    chart: crossplane
    chart_repository: https://charts.crossplane.io/stable
    chart_version: 2.4.0
  when: crossplane_release.differences | length > 0
"""

RETURN = r"""
differences:
  description: What differs, in words that name no values. Empty if an upgrade would change nothing.
  returned: success
  type: list
  elements: str
  sample: [the value of image.tag differs]
foreign:
  description:
    - What others own. The release itself, or objects of its names that were not made for it, which Helm would change and delete by name.
    - Empty without O(owner).
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind, or C(Helm release).
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
      description: Value of the label C(localcloud.dev/owner); none without the label.
      type: str
      sample: localcloud-9f8e7d
running:
  description: Why the release must be left alone, as an operation on it may be running, and what to do. Empty where none is.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      The release shop of shops is being changed, likely by a Helm outside this stack: revision 2 is pending-upgrade since 2026-11-28 19:20:11
      UTC (40 s), 'Preparing upgrade'. It is left as it is. Wait until that operation has ended (helm history shows it), then run again. If that
      Helm was killed, run again in 260 s, or at once with a Helm time-out that is shorter than its age.
refused:
  description: What the schema of the chart or of its subcharts refuses of the values, each with its path, without the values. Empty where nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["values.web.replicas: got string, want integer (values.schema.json of the chart shop)"]
gone:
  description:
    - Objects of the release that are not in the cluster any more, as Helm made them. Secrets are left out.
    - They are among RV(differences), too, and M(localcloud.stack.helm_release) installs them again. Applied by another field manager, they would
      conflict with each later upgrade of Helm 4.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import json
import shutil
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import undated
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable
from ansible_collections.localcloud.stack.plugins.module_utils.helm.operation import guard_of, unreadable
from ansible_collections.localcloud.stack.plugins.module_utils.helm.release import (
    chart_labels,
    chart_of,
    differences,
    foreign,
    gone,
    read_release,
    running,
)
from ansible_collections.localcloud.stack.plugins.module_utils.helm.values import refused
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KUBERNETES_ARGUMENTS, cluster_of

SPEC = Spec(
    argument_spec={
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "chart": {"type": "str", "required": True},
        "chart_version": {"type": "str"},
        "values": {"type": "dict", "default": {}},
        "owner": {"type": "str", "default": ""},
        "owner_secret": {"type": "str", "default": "", "no_log": False},
        "timeout": {"type": "int", "default": 300},
        "binary_path": {"type": "path"},
        **KUBERNETES_ARGUMENTS,
    },
    # They may be secrets.
    unshown=["values"],
)


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    if problem := missing_packages("yaml"):
        raise ModuleError(problem)
    # As Helm has them, which knows no other than JSON's.
    values = json.loads(json.dumps(undated(params["values"])))
    try:
        chart, labels = chart_of(params["chart"], params["chart_version"]), chart_labels(params["chart"])
    except (OSError, ValueError) as error:
        raise ModuleError(
            f"The chart {params['chart']} can't be read: {printable(error)}. Correct its path."
        ) from error
    likely = f"the cluster does not answer, or its user may not read Secrets of {params['namespace']}"
    with cluster_of(params, f"The release {params['name']} can't be looked at", likely) as api:
        try:
            release = read_release(api, params["namespace"], params["name"], params["owner_secret"])
        except ValueError as error:
            raise ModuleError(unreadable(params["name"], params["namespace"], error)) from error
    differing = differences(release, chart, values, params["owner"], labels)
    helm = shutil.which(params["binary_path"]) if params["binary_path"] and differing else None
    return {
        "differences": differing,
        "refused": refused(run_command, helm, params["chart"], values) if helm else [],
        "foreign": foreign(release, params["owner"]),
        "running": running(release, guard_of(params["timeout"])),
        "gone": gone(release),
    }


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
