#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_clear
short_description: Take fields away in AWS that Crossplane's provider has no way to take away
version_added: 0.2.0
description:
  - A queue's policy and redrive policy, a table's TTL and its global indexes stay in AWS when they are no longer declared, as the provider keeps the value
    of such a field and writes it into the managed resource again.
  - A subscription whose redrive policy an emulator can't take away (LocalStack 4.14.0 refuses an empty one) is removed instead; the provider makes it again.
  - Takes what RV(localcloud.stack.crossplane_diff#module:to_clear) names. Pause the managed resources meanwhile, and declare them without
    these fields afterwards.
options:
  settings:
    description: The fields.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Service and kind.
        type: str
        required: true
      name:
        description: The resource's name in AWS; where O(settings[].field) is a tag, its ARN.
        type: str
        required: true
      region:
        description: Its region. O(region) if empty.
        type: str
        default: ''
      field:
        description: The field of C(spec.forProvider); a tag is C(tags.KEY).
        type: str
        required: true
extends_documentation_fragment:
  - localcloud.stack.aws
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Take a queue's redrive policy away
  localcloud.stack.aws_clear:
    settings:
      - {kind: sqs/Queue, name: orders, field: redrivePolicy}
    endpoint_url: http://localhost:4566
    region: eu-central-1
"""

RETURN = r"""
cleared:
  description: The fields that were there.
  returned: success
  type: list
  elements: str
  sample: ['sqs/Queue orders: redrivePolicy']
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import (
    AWS_MUTUALLY_EXCLUSIVE,
    AWS_REQUIRED_TOGETHER,
    PUBLIC_KEYS,
    Clients,
    Connection,
    aws_argument_spec,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.drift.clear import (
    CLEARED,
    UNTAGGED,
    Setting,
    clear,
    is_known,
)

SETTING: dict[str, t.Any] = {
    "kind": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "region": {"type": "str", "default": ""},
    "field": {"type": "str", "required": True},
}


SPEC = Spec(
    argument_spec={
        "settings": {"type": "list", "elements": "dict", "options": SETTING, "required": True},
        **aws_argument_spec(),
    },
    required_together=AWS_REQUIRED_TOGETHER,
    mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
    public=PUBLIC_KEYS,
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    settings = [Setting(**one) for one in params["settings"]]
    if unknown := [f"{one.kind}: {one.field}" for one in settings if not is_known(one.kind, one.field)]:
        known = ", ".join([*(f"{kind}: {field}" for kind, field in CLEARED), f"tags of {', '.join(UNTAGGED)}"])
        raise ModuleError(f"Can't clear {', '.join(unknown)}. Known are {known}.")
    if missing := missing_packages("boto3"):
        raise ModuleError(missing)
    cleared = clear(Clients(Connection.from_params(params)), settings, check_mode)
    return {"changed": bool(cleared), "cleared": [f"{one.kind} {one.name}: {one.field}" for one in cleared]}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
