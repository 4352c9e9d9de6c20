#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_gaps
short_description: Say which declared AWS resources rest on what an emulator does not do
version_added: 0.1.0
description:
  - Compares the lists that the role P(localcloud.stack.aws_resources#role) takes with what was measured of emulators, and warns of each feature
    that the emulator does not have as AWS has it, with the resources' paths, the consequence, and which emulator has it.
  - The measurements are in the collection's folder C(engines), and for people in C(docs/engines.md).
  - Where the AWS provider would never get a declared resource ready on the emulator, it fails with all reasons, whatever O(strict) says.
  - Where neither resources nor emulator give a reason, nothing is said.
options:
  declared:
    description:
      - The lists by their names, such as V(queues), as the role takes them.
      - Of V(extra_manifests) the objects of the kind EventPipeline are compared, as the lists that its function makes of them.
    type: dict
    required: true
  engine:
    description: The emulator, such as V(localstack) or V(ministack). V(aws) and an empty one are real AWS, of which nothing is said.
    type: str
    default: ""
  version:
    description:
      - Its version. Of one that was not measured, what the nearest one does is taken, and the warning says so.
      - An empty one means the last that was measured.
    type: str
    default: ""
  strict:
    description: Fail instead of warning.
    type: bool
    default: false
  warn:
    description: Warn, and fail. Without it what is found is only returned.
    type: bool
    default: true
author:
  - localcloud.stack contributors (@localcloud)
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
  - localcloud.stack.attributes.controller
"""

EXAMPLES = r"""
- name: Say what of this table LocalStack does not do as AWS does
  localcloud.stack.engine_gaps:
    declared:
      tables: [{name: orders, hash_key: {name: Id, type: S}, ttl: {attribute: Until}}]
    engine: localstack
    version: 4.14.0
"""

RETURN = r"""
gaps:
  description: What declared resources rest on and the emulator does not do.
  returned: success
  type: list
  elements: dict
  sample:
    - behaviours: [dynamodb.ttl.expires]
      paths: ["aws_resources_tables[0].ttl"]
      message: >-
        aws_resources_tables[0].ttl: on LocalStack 4.14.0 expired items stay for ever (dynamodb.ttl.expires: the item stays).
        MiniStack 1.5.33 does it.
refused:
  description: Why declared resources would never be ready on this emulator, a sentence for each reason, with their paths.
  returned: success
  type: list
  elements: str
  sample: []
note:
  description: What is to be said where this emulator, or this version of it, was not measured. Else empty.
  returned: success
  type: str
  sample: ""
"""
