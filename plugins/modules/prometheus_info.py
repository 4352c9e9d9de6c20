#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_info
short_description: Ask a Prometheus for alerts, targets and what dashboards show
version_added: 0.2.0
description:
  - Returns alerts that fire, how many targets are scraped, values of now, and the last hour of each panel of Grafana's dashboards.
  - All times are by Prometheus' own clock; how far it is from this machine's is returned.
  - A query that is refused is named in RV(errors), and the rest is returned. Where Prometheus can't be asked at all, the module fails.
author:
  - localcloud.stack contributors (@localcloud)
options:
  url:
    description:
      - Where Prometheus is, without C(/api/v1).
      - It is reached directly where this machine has an address next to it, else as the environment's proxies say.
    type: str
    required: true
  dashboards:
    description: Grafana's dashboards, as read from their JSON.
    type: list
    elements: dict
    default: []
  variables:
    description: Values for the variables of dashboards, by name. Variables without one take all values, by C(.*).
    type: dict
    default: {}
  namespaces:
    description: What the variable C(namespace) stands for; all without any.
    type: list
    elements: str
    default: []
  queries:
    description: Expressions of PromQL whose value of now is wanted, by name.
    type: dict
    default: {}
  range:
    description: Seconds of the past that panels show.
    type: int
    default: 3600
  points:
    description: Into how many steps these are divided.
    type: int
    default: 60
  series:
    description: Of each panel so many series at most, those with the largest values.
    type: int
    default: 8
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
seealso:
  - module: localcloud.stack.stack_report
"""

EXAMPLES = r"""
- name: Ask which events were published
  localcloud.stack.prometheus_info:
    url: http://10.213.0.2:30990
    queries:
      published: sum by (release) (rate(localcloud_producer_published_total[1m]))
  register: measured
"""

RETURN = r"""
version:
  description: Its version; empty where it does not say.
  returned: success
  type: str
  sample: 3.16.0
time:
  description: Its time, in seconds since 1970 (UTC).
  returned: success
  type: float
  sample: 1764446400.1
clock_seconds_ahead:
  description: How far its clock is ahead of this machine's; negative where it is behind.
  returned: success
  type: float
  sample: 0.0
alerts:
  description: Alerts that fire, but for those of the severity C(none), each with C(name), C(severity), C(since), C(summary), C(description) and C(runbook).
  returned: success
  type: list
  elements: dict
  sample: [{name: QueueNotDrained, severity: warning, since: "2026-01-01T12:00:00Z", summary: "Messages wait", description: "", runbook: ""}]
targets:
  description: How many targets there are (C(all)), how many answer (C(up)), and which do not (C(down)), each with C(job), C(instance) and C(error).
  returned: success
  type: dict
  sample: {all: 13, up: 13, down: []}
answers:
  description: For each of O(queries) a list of C(labels) and C(value).
  returned: success
  type: dict
  sample: {published: [{labels: {release: orders}, value: 1.0}]}
charts:
  description:
    - For each panel C(dashboard), C(row), C(title), C(answers), C(unit), C(single), its first point's time C(start) and the seconds between two, C(step).
    - C(series) have a C(name) and C(values), with null where there is none; C(more) is how many were left out.
  returned: success
  type: list
  elements: dict
  sample: [{title: Errors, unit: percentunit, start: 1764442800.0, step: 60, series: [{name: users-api, values: [0.0, null]}], more: 0}]
errors:
  description: Queries that were refused or not answered, each with C(query) and C(message).
  returned: success
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.prometheus.dashboards import any_of
from ansible_collections.localcloud.stack.plugins.module_utils.prometheus.read import Options, read

SPEC = Spec(
    argument_spec={
        "url": {"type": "str", "required": True},
        "dashboards": {"type": "list", "elements": "dict", "default": []},
        "variables": {"type": "dict", "default": {}},
        "namespaces": {"type": "list", "elements": "str", "default": []},
        "queries": {"type": "dict", "default": {}},
        "range": {"type": "int", "default": 3600},
        "points": {"type": "int", "default": 60},
        "series": {"type": "int", "default": 8},
    },
)


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    given = dict(params)
    given["variables"] = {"namespace": any_of(given.pop("namespaces")), **given["variables"]}
    if min(given["range"], given["points"], given["series"]) < 1:
        raise ModuleError("range, points and series must be at least 1.")
    return read(Options(**given))


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
