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
  - It takes a tenth of the time of M(kubernetes.core.helm), which runs Helm several times, and is meant to go before it.
  - Of a chart, name and version are compared, not its templates. Let a value have their digest if they may change alone.
  - It also finds what somebody deleted of the release, which Helm does not.
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
extends_documentation_fragment:
  - localcloud.stack.kubernetes
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
seealso:
  - module: kubernetes.core.helm
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
  register: crossplane_release

- name: Install it where something differs
  kubernetes.core.helm:
    name: crossplane
    namespace: crossplane-system
    chart_ref: crossplane
    chart_repo_url: https://charts.crossplane.io/stable
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
gone:
  description: Objects of the release that are not in the cluster any more, as Helm made them, for M(kubernetes.core.k8s). Secrets are left out.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.localcloud.stack.plugins.module_utils.helm_release import (
    chart_of,
    decode,
    differences,
    gone,
    newest,
)
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_api import KUBERNETES_ARGUMENTS, cluster_of
from ansible_collections.localcloud.stack.plugins.module_utils.packages import missing_packages


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "chart": {"type": "str", "required": True},
            "chart_version": {"type": "str"},
            "values": {"type": "dict", "default": {}},
            **KUBERNETES_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    if problem := missing_packages("yaml"):
        module.fail_json(msg=problem)
    params = module.params
    try:
        chart = chart_of(params["chart"], params["chart_version"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The chart {params['chart']} can't be read: {error}. Correct its path.")
    likely = f"the cluster does not answer, or its user may not read Secrets of {params['namespace']}"
    with cluster_of(module, f"The release {params['name']} can't be looked at", likely) as api:
        secret = newest(api, params["namespace"], params["name"])
        try:
            release = decode(secret) if secret else None
        except ValueError as error:
            module.fail_json(
                msg=f"The release {params['name']} of {params['namespace']} can't be read: {error}. Likely something else than Helm "
                "wrote it. Look at helm history, delete that Secret if Helm can't read it either, then run again."
            )
        deleted = gone(api, release, params["namespace"])
    # As Helm has them, which knows no other values than JSON's.
    values = json.loads(json.dumps(params["values"]))
    module.exit_json(changed=False, differences=differences(release, chart, values), gone=deleted)


if __name__ == "__main__":
    main()
