#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: Print what a run has made and proved
version_added: 0.1.0
description:
  - Prints pods, resources, the newest items, the seconds of each phase, where to look further, and what was proved.
author:
  - localcloud.stack contributors (@localcloud)
options:
  cloud:
    description: What answers for AWS, by what it tells.
    type: dict
    default: {}
  notes:
    description: Sentences that a user should not miss.
    type: list
    elements: str
    default: []
  pods:
    description: Pods as M(localcloud.stack.workload_wait) returns them.
    type: list
    elements: dict
    required: true
  resources:
    description: Resources as M(localcloud.stack.crossplane_wait) returns them.
    type: list
    elements: dict
    required: true
  tables:
    description: Tables as M(localcloud.stack.localstack_info) returns them.
    type: list
    elements: dict
    required: true
  proofs:
    description: Sentences about all that was proved, as P(localcloud.stack.proof_sentences#filter) makes them. Each is a line at the end.
    type: list
    elements: str
    default: []
  seconds:
    description: Seconds by phase.
    type: dict
    required: true
  links:
    description: Addresses by what they show.
    type: dict
    required: true
  commands:
    description: Commands by what they show.
    type: dict
    required: true
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
  - localcloud.stack.attributes.controller
"""

EXAMPLES = r"""
- name: Say what was made
  localcloud.stack.summary:
    pods: "{{ apps_running.pods }}"
    resources: "{{ aws_resources_ready.resources }}"
    tables: "{{ info.tables }}"
    proofs: "{{ [{'name': 'orders', 'result': probe}] | localcloud.stack.proof_sentences }}"
    seconds: "{{ timings.phases }}"
    links: {DynamoDB Admin: "http://10.213.176.38:30801"}
    commands: {Pods: kubectl -n devopstest get pods}
"""

RETURN = r"""
text:
  description: What was printed.
  returned: success
  type: str
  sample: "Pods\n  NAME  PHASE ..."
"""
