#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_report
short_description: Put together what was read of a stack, as data and as a page
version_added: 0.2.0
description:
  - Says of each blueprint which services, topics, queues, tables and buckets it has and what goes from one to another, with counts and states;
    what is not as declared or not ready, with field and reason; what was proved last; how the last C(make up) spent its time; and versions.
  - It reads nothing itself, but takes what other modules returned. What they could not read is named, and the rest is shown.
  - The page is one HTML file that makes no request to anywhere. All that comes from data is escaped in it.
author:
  - localcloud.stack contributors (@localcloud)
options:
  cluster:
    description: The facts of the role P(localcloud.stack.cluster#role).
    type: dict
    required: true
  cloud:
    description: What is remembered of what answers for AWS.
    type: dict
    default: {}
  blueprints:
    description:
      - What was read of each blueprint.
      - A result of a module that failed has its C(msg) instead of what it returns on success.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      error:
        description: Why it could not be read itself.
        type: str
        default: ""
      blueprint:
        description: As M(localcloud.stack.blueprint) returns it.
        type: dict
        default: {}
      entry:
        description: What is remembered of it, as M(localcloud.stack.blueprint) returns it.
        type: dict
        default: {}
      region:
        description: Its AWS region.
        type: str
        default: ""
      aws:
        description: Result of M(localcloud.stack.localstack_info).
        type: dict
      difference:
        description: Result of M(localcloud.stack.crossplane_diff).
        type: dict
      resources:
        description: Result of M(localcloud.stack.crossplane_wait) in check mode.
        type: dict
      workloads:
        description: Results of M(localcloud.stack.workload_wait) in check mode, one for each release.
        type: list
        elements: dict
        default: []
      deployments:
        description: Result of M(localcloud.stack.k8s_info) for the Deployments of its releases.
        type: dict
  nodes:
    description: Result of M(localcloud.stack.k8s_info) for the cluster's nodes.
    type: dict
    default: {}
  proofs:
    description: What was proved last by blueprint, as P(localcloud.stack.with_proofs#filter) keeps it.
    type: dict
    default: {}
  timings:
    description: What the callback C(localcloud.stack.timings) kept of the last C(make up).
    type: dict
    default: {}
  parts:
    description: The parts of the toolchain by name, as C(toolchain/parts.yml) has them.
    type: dict
    default: {}
  metrics:
    description: Result of M(localcloud.stack.prometheus_info); empty where there is no Prometheus.
    type: dict
    default: {}
  metrics_url:
    description: Where that Prometheus is.
    type: str
    default: ""
  metrics_page:
    description: Where its dashboards are shown; empty where it has none.
    type: str
    default: ""
  chart_command:
    description: What draws charts, the part C(report-charts) run by Node.js. Without it the page has their figures as tables.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
  - localcloud.stack.attributes.controller
seealso:
  - module: localcloud.stack.localstack_info
  - module: localcloud.stack.prometheus_info
  - module: localcloud.stack.crossplane_diff
  - module: localcloud.stack.workload_wait
"""

EXAMPLES = r"""
- name: Say what the stack is like
  localcloud.stack.stack_report:
    cluster: "{{ cluster_facts }}"
    cloud: "{{ stack_last }}"
    blueprints:
      - name: orders
        blueprint: "{{ reading.blueprint }}"
        entry: "{{ reading.entry }}"
        region: eu-central-1
        aws: "{{ info }}"
        difference: "{{ difference }}"
        workloads: ["{{ running }}"]
  register: report
"""

RETURN = r"""
report:
  description: The report as data, as C(docs/report.schema.json) says.
  returned: success
  type: dict
  sample: {schema_version: 2, state: ok, summary: "3 services and 4 resources are as declared and ready."}
html:
  description: The report as a page.
  returned: success
  type: str
  sample: "<!doctype html> ..."
"""
