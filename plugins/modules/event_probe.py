#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event_probe
short_description: Prove that an event travels from a topic to a table
version_added: 0.1.0
description:
  - Publishes one marked event to an SNS topic and waits until its item is in a DynamoDB table.
  - The event has gosoline's format, so it travels the way of every other event.
  - The item is removed again, so nothing is left behind and nothing counts as changed.
  - If the event does not arrive, says which hop lost it.
options:
  topic:
    description: Name or ARN of the topic.
    type: str
    required: true
  table:
    description: Name of the table. Its only key must be a text hash key named C(Id).
    type: str
    required: true
  queue:
    description:
      - Name, ARN or URL of the queue between the two.
      - If the event does not arrive in time, the queue's subscription, policy and depth tell which hop lost it.
    type: str
  timeout:
    description: Seconds to wait for the item.
    type: int
    default: 30
attributes:
  check_mode:
    description: Can run in check mode and return what it would without.
    support: partial
    details: Nothing is published. Only looks whether topic, table and queue exist.
  diff_mode:
    description: Returns what would be changed when run in diff mode.
    support: N/A
    details: It changes nothing.
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
    details: It leaves nothing behind.
extends_documentation_fragment:
  - localcloud.stack.aws
notes:
  - An event that did not arrive in time may arrive later. RV(cleanup) then says so, and how to remove its item.
  - The figures between hops come from the item's C(Trace) map, which this collection's own consumer writes for events
    with the attribute
    C(trace). With another consumer they are empty.
seealso:
  - module: localcloud.stack.localstack_info
author:
  - localcloud contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Prove the way from the topic to the table
  localcloud.stack.event_probe:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
    topic: orders
    queue: orders
    table: orders
  register: probe

- name: Show how long it took
  ansible.builtin.debug:
    msg: "{{ probe.latency_ms.total }} ms from topic to table"

- name: Prove it in real AWS, patiently
  localcloud.stack.event_probe:
    region: eu-central-1
    profile: production
    topic: arn:aws:sns:eu-central-1:123456789012:orders
    table: orders
    timeout: 120
"""

RETURN = r"""
id:
  description: The event's ID.
  returned: when not in check mode
  type: str
  sample: probe-0d1f1c86-1d3b-44b4-9a31-5b1f2f3d5a70
published:
  description: Whether the event was published.
  returned: always
  type: bool
  sample: true
topic_arn:
  description: The topic's ARN.
  returned: when the topic was found
  type: str
  sample: arn:aws:sns:eu-central-1:000000000000:orders
table:
  description: The table's name.
  returned: when the table was found
  type: str
  sample: orders
queue_url:
  description: The queue's URL, empty without O(queue).
  returned: when the queue was found
  type: str
  sample: http://localhost:4566/000000000000/orders
latency_ms:
  description:
    - Milliseconds that each hop took. Empty where not known.
    - C(publish) and C(total) are measured here, from before publishing to seeing the item. The rest comes from the
      consumer's trace.
  returned: when not in check mode
  type: dict
  sample: {"publish": 6, "topic_to_queue": 2, "queue_to_consumer": 11, "consumer_to_table": 3, "total": 61}
cleanup:
  description: What became of the item.
  returned: when not in check mode
  type: dict
  contains:
    deleted:
      description: Whether the item was there and is removed.
      type: bool
      sample: true
    late_arrival_possible:
      description: Whether the event may still arrive and leave an item behind.
      type: bool
      sample: false
    note:
      description: The same in words, with the command that removes a late item.
      type: str
      sample: Its item was removed.
lost_at:
  description:
    - Which hop lost the event, V(subscription), V(topic_to_queue), V(queue_to_consumer), V(consumer_to_table) or
      V(unknown).
  returned: when the event did not arrive
  type: str
  sample: queue_to_consumer
evidence:
  description: What O(queue) looked like when the time was up.
  returned: when the event did not arrive and O(queue) is given
  type: dict
  contains:
    subscriptions:
      description: The topic's subscriptions to the queue.
      type: list
      elements: dict
    depth:
      description: How many messages the queue holds.
      type: dict
      sample: {"visible": 1, "in_flight": 0, "delayed": 0}
    policy_allows:
      description: Whether the queue's policy lets the topic send. Emulators may not care.
      type: bool
      sample: true
    dead_letter_queue:
      description: Where the queue sends what was received too often, if anywhere.
      type: str
      sample: orders-dlq
    new_dead_letters:
      description: How many messages came there while the probe waited.
      type: int
      sample: 0
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import (
    AWS_MUTUALLY_EXCLUSIVE,
    AWS_REQUIRED_TOGETHER,
    BOTO3_IMPORT_ERROR,
    Clients,
    Connection,
    aws_argument_spec,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.probe_runner import Prober, Request


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            **aws_argument_spec(),
            topic={"type": "str", "required": True},
            table={"type": "str", "required": True},
            queue={"type": "str"},
            timeout={"type": "int", "default": 30},
        ),
        required_together=AWS_REQUIRED_TOGETHER,
        mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    if BOTO3_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("boto3"), exception=BOTO3_IMPORT_ERROR)
    connection = Connection.from_params(module.params)
    request = Request(**{name: module.params[name] for name in Request._fields})
    try:
        prober = Prober(Clients(connection), request, connection.endpoint_url)
        result = {**prober.check(), "published": False} if module.check_mode else prober.run()
    except AwsError as error:
        module.fail_json(msg=error.message, **{"published": False, **error.details})
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
