#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: event_probe
short_description: Prove that events get from a topic or queue into a table, queue or bucket
version_added: 0.1.0
description:
  - Sends marked events to an SNS topic or an SQS queue and waits until they have arrived in a DynamoDB table, an SQS queue or an S3 bucket.
  - By default the events have gosoline's format, so that they are processed as every other event. With O(body) they have any.
  - Topics and queues may be FIFO, and subscriptions may deliver raw messages or filter.
  - What the events leave is removed again, so nothing is left behind and nothing counts as changed.
  - An event that cannot arrive, as nothing is subscribed or a filter drops it, is not even sent.
  - If events do not arrive, says at which station they are and which hop lost them.
options:
  topic:
    description:
      - Name or ARN of the topic.
      - Without it events are sent to O(queue).
    type: str
  table:
    description:
      - Name of the table. Its only key must be a text hash key, named as O(key) says, that holds the event's ID.
      - Required if O(until=table).
    type: str
  key:
    description: Name of the table's hash key, which holds the event's ID.
    type: str
    default: Id
  queue:
    description:
      - Name, ARN or URL of the queue that is subscribed to the topic, or, without O(topic), that events are sent to.
      - Its subscription tells beforehand whether the events can arrive. If they do not in time, its policy and depth and its
        dead-letter queue tell which hop lost them.
      - Required without O(topic), and if O(until=queue) without O(destination_queue).
    type: str
  until:
    description:
      - Where the events are to arrive.
      - V(table) waits for the items that a consumer writes.
      - V(queue) needs no consumer and no table, but receives the events itself. Give a queue without other consumers. One with
        messages in flight, or with more than 1000 waiting, is refused. Others' messages are kept hidden meanwhile and given back,
        which counts as received once more for their redrive policy.
      - V(bucket) waits for objects whose key or body holds the event's ID. It lists O(bucket) under O(prefix), at most 5000
        objects, and reads the first MiB of each object that comes meanwhile. Compressed bodies are not understood. An object that was there before,
        or holds something else as well, is not removed, but named in RV(cleanup).
    type: str
    choices: [table, queue, bucket]
    default: table
  destination_queue:
    description:
      - Name, ARN or URL of the queue where the events are to arrive with O(until=queue), if a consumer sends them on to another than
        O(queue). A message whose text holds the event's ID is the event's.
    type: str
  bucket:
    description: Name of the bucket. Required if O(until=bucket).
    type: str
  prefix:
    description: What the keys of the objects to look at begin with.
    type: str
    default: ""
  body:
    description:
      - The message, a text or a map, if it is not to have gosoline's format. A map is sent as JSON.
      - C(${id}) is replaced by the event's ID and must be in it; C(${number}) is the event's number from 0 on, and C(${time}) the time in
        ISO 8601. In a map, a text that is nothing but C(${number}) becomes a number. C($${) stands for C(${) itself.
      - The attributes C(encoding) and C(trace) are then not set.
    type: raw
  count:
    description: How many events to send, 10000 at most.
    type: int
    default: 1
  rate:
    description: How many events to send per second. Without it they are sent as fast as possible, ten at once.
    type: float
  message_attributes:
    description:
      - Attributes of the events, by name, for subscriptions that filter by them. Texts and booleans are sent as C(String), numbers as
        C(Number), lists as C(String.Array).
      - Attributes of the same names are in gosoline's message. C(encoding) and C(trace) are set by the module.
      - Without them, the filter policy of the subscription of O(queue) is looked at, and attributes that match it are sent where
        that is simple enough.
    type: dict
  message_group_id:
    description:
      - Message group that all events are sent in. With O(until=queue) and a FIFO queue their order is looked at.
      - By default each event of a FIFO topic has a group of its own, so that none waits for another. The deduplication ID is
        the event's ID either way.
    type: str
  timeout:
    description: Seconds to wait after the last event was sent.
    type: int
    default: 30
extends_documentation_fragment:
  - localcloud.stack.aws
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Nothing is published. Only looks whether all that is named exists, and whether an event can get into the queue.
  idempotent:
    details: It leaves nothing behind.
notes:
  - An event that did not arrive in time may arrive later. RV(cleanup) then says so, and how to remove its item.
  - The figures between hops come from the item's C(Trace) map, which this collection's own consumer writes for events
    with the attribute
    C(trace). With another consumer they are empty.
  - Times are measured by looking for the events every 50 to 500 milliseconds.
  - Needs the permissions C(sns:ListTopics), C(sns:Publish), C(dynamodb:DescribeTable), C(dynamodb:GetItem) and
    C(dynamodb:DeleteItem), for many events also C(dynamodb:BatchGetItem) and C(dynamodb:BatchWriteItem), and with O(queue)
    C(sqs:GetQueueUrl), C(sqs:GetQueueAttributes), C(sns:ListSubscriptionsByTopic) and C(sns:GetSubscriptionAttributes). O(until=queue)
    needs C(sqs:ReceiveMessage), C(sqs:DeleteMessage) and C(sqs:ChangeMessageVisibility) instead of those of DynamoDB, O(until=bucket)
    C(s3:ListBucket), C(s3:GetObject), C(s3:DeleteObject) and, for a bucket with versions, C(s3:DeleteObjectVersion). Without O(topic)
    C(sqs:SendMessage) stands for those of SNS.
seealso:
  - module: localcloud.stack.localstack_info
author:
  - localcloud.stack contributors (@localcloud)
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

- name: Send 200 events, 50 a second, through a subscription that filters
  localcloud.stack.event_probe:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
    topic: orders
    queue: orders
    table: orders
    count: 200
    rate: 50
    message_attributes:
      kind: invoice
      priority: 3
  register: load

- name: Require that they are fast and that none came twice
  ansible.builtin.assert:
    that:
      - load.statistics.total_ms.p95 < 2000
      - load.statistics.duplicated == 0

- name: Prove that a FIFO topic and its audit queue, which has no consumer, keep the order
  localcloud.stack.event_probe:
    region: eu-central-1
    profile: production
    topic: orders.fifo
    queue: orders-audit.fifo
    until: queue
    count: 20
    message_group_id: probe

- name: Prove that orders sent to a queue are archived in a bucket
  localcloud.stack.event_probe:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
    queue: orders
    until: bucket
    bucket: orders-archive
    prefix: incoming/
    body: {orderId: "${id}", lines: [{article: tea, count: 1}]}

- name: Prove that a service makes invoices of orders
  localcloud.stack.event_probe:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
    topic: orders
    queue: orders
    until: queue
    destination_queue: invoices-audit
    body: '<order id="${id}"/>'
"""

RETURN = r"""
id:
  description: The event's ID. Of many events the beginning of each.
  returned: when not in check mode and topic, table and queue are right
  type: str
  sample: probe-0d1f1c86-1d3b-44b4-9a31-5b1f2f3d5a70
published:
  description: Whether any event was published.
  returned: always
  type: bool
  sample: true
message_attributes:
  description: The attributes that the events have, or would have.
  returned: when topic, table and queue were found
  type: dict
  sample: {"encoding": "application/json", "trace": "true", "kind": "invoice"}
statistics:
  description: How many events there were, what became of them, and how long they took.
  returned: when not in check mode and topic, table and queue are right
  type: dict
  contains:
    sent:
      description: How many events SNS took.
      type: int
      sample: 200
    arrived:
      description: How many arrived in time.
      type: int
      sample: 200
    lost:
      description: How many did not.
      type: int
      sample: 0
    duplicated:
      description:
        - How many came more than once, as far as that was seen until the last one arrived. An item in a table shows that by
          another C(Trace); without that it is empty.
      type: int
      sample: 0
    out_of_order:
      description: How many came after one that was sent later in the same message group. Empty but for a FIFO queue with O(until=queue).
      type: int
      sample: 0
    total_ms:
      description: Milliseconds from before publishing to seeing the event arrived, of those that did.
      type: dict
      sample: {"p50": 140, "p95": 310, "max": 352}
topic_arn:
  description: The topic's ARN, empty without O(topic).
  returned: when the topic was found
  type: str
  sample: arn:aws:sns:eu-central-1:000000000000:orders
table:
  description: The table's name.
  returned: when all was found, empty unless O(until=table)
  type: str
  sample: orders
queue_url:
  description: The queue's URL, empty without O(queue).
  returned: when the queue was found
  type: str
  sample: http://localhost:4566/000000000000/orders
bucket:
  description: The bucket's name.
  returned: when the bucket was found, with O(until=bucket)
  type: str
  sample: orders-archive
destination_queue_url:
  description: The URL of O(destination_queue).
  returned: when the queue was found
  type: str
  sample: http://localhost:4566/000000000000/invoices-audit
latency_ms:
  description:
    - Milliseconds that each hop took, of many events the medians. Empty where not known.
    - C(publish) and C(total) are measured here, from before publishing to seeing the item. The rest comes from the
      consumer's trace. With O(until=bucket) and with O(destination_queue), C(consumer_to_table) is C(consumer_to_bucket) or
      C(consumer_to_queue).
  returned: when not in check mode and topic, table and queue are right
  type: dict
  sample: {"publish": 6, "topic_to_queue": 2, "queue_to_consumer": 11, "consumer_to_table": 3, "total": 61}
cleanup:
  description: What became of the items, or of the messages with O(until=queue).
  returned: when not in check mode and topic, table and queue are right
  type: dict
  contains:
    deleted:
      description: Whether what arrived is removed.
      type: bool
      sample: true
    late_arrival_possible:
      description: Whether events may still arrive and leave something behind.
      type: bool
      sample: false
    kept:
      description: Keys of objects that hold events, but were there before or hold something else as well. With O(until=bucket) only.
      type: list
      elements: str
      sample: []
    note:
      description: The same in words, with the command that removes a late item.
      type: str
      sample: Its item was removed.
lost_at:
  description:
    - Which hop lost the event, V(subscription), V(topic_to_queue), V(queue_to_consumer), V(consumer_to_table),
      V(consumer_to_bucket), V(consumer_to_queue) or V(unknown).
  returned: when an event did not arrive, or cannot
  type: str
  sample: queue_to_consumer
stations:
  description:
    - How many messages are at each station when the time is up. Those of the queue may be others', and are approximate in real AWS.
    - C(published) events were sent, C(in_table) of them arrived, C(in_bucket) with O(until=bucket), or were
      C(received) with O(until=queue). C(waiting_in_queue),
      C(in_flight) and C(in_dead_letter_queue) are known with O(queue).
  returned: when an event did not arrive
  type: dict
  sample: {"published": 15, "waiting_in_queue": 5, "in_flight": 0, "in_dead_letter_queue": 0, "in_table": 10}
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

import dataclasses
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import (
    AWS_MUTUALLY_EXCLUSIVE,
    AWS_REQUIRED_TOGETHER,
    PUBLIC_KEYS,
    Clients,
    Connection,
    aws_argument_spec,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request
from ansible_collections.localcloud.stack.plugins.module_utils.probe.runner import Prober

SPEC = Spec(
    argument_spec={
        **aws_argument_spec(),
        "topic": {"type": "str"},
        "table": {"type": "str"},
        "key": {"type": "str", "default": "Id", "no_log": False},
        "queue": {"type": "str"},
        "until": {"type": "str", "choices": ["table", "queue", "bucket"], "default": "table"},
        "destination_queue": {"type": "str"},
        "bucket": {"type": "str"},
        "prefix": {"type": "str", "default": ""},
        "body": {"type": "raw"},
        "count": {"type": "int", "default": 1},
        "rate": {"type": "float"},
        "message_attributes": {"type": "dict"},
        "message_group_id": {"type": "str"},
        "timeout": {"type": "int", "default": 30},
    },
    required_together=AWS_REQUIRED_TOGETHER,
    mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
    public=PUBLIC_KEYS,
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    if missing := missing_packages("boto3"):
        raise ModuleError(missing)
    connection = Connection.from_params(params)
    request = Request(**{field.name: params[field.name] for field in dataclasses.fields(Request)})
    try:
        clients = Clients(connection)
        prober = Prober(clients, request, clients.endpoint_url)
        return {**prober.check(), "published": False} if check_mode else prober.run()
    except AwsError as error:
        raise ModuleError(error.message, **{"published": False, **error.details}) from error


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
