#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: localstack_info
short_description: Read what is there in an AWS emulator or in AWS
version_added: 0.1.0
description:
  - Reads an emulator's health, the account, and the topics, queues, tables, buckets, parameters, secrets, keys, roles and
    policies that are there, with their settings.
  - Every page is read to its end. Services are read in parallel, and within each many resources at once.
  - Values of secrets and of parameters of type C(SecureString) are never read.
  - What was deleted between listing and looking is left out. A setting that an emulator does not know is empty.
options:
  services:
    description: Services to read. Health and account are always read.
    type: list
    elements: str
    choices: [sns, sqs, dynamodb, s3, ssm, secretsmanager, kms, iam]
    default: [sns, sqs, dynamodb, s3, ssm, secretsmanager, kms, iam]
  names:
    description:
      - Shell patterns, such as V(orders-*). Only what has a matching name is reported.
      - Without patterns everything is. A key is reported if any of its aliases matches.
    type: list
    elements: str
    default: []
  count_items:
    description:
      - How to count the items of a table.
      - V(exact) scans the table, which costs read capacity on real AWS.
      - V(approximate) takes the table's own figure, which real AWS renews about every six hours.
      - V(none) leaves RV(tables[].item_count) empty.
    type: str
    choices: [exact, approximate, none]
    default: exact
  newest_items:
    description:
      - How many of the newest items of each table to return. They are found by scanning the table.
      - The items are returned as they are, so leave this at V(0) for tables with secrets.
    type: int
    default: 0
  sort_by:
    description: Attribute that tells which items are the newest. Items without it count as the oldest.
    type: str
    default: CreatedAt
  parameter_values:
    description: Whether to read the values of parameters, but for those of type C(SecureString).
    type: bool
    default: false
  count_objects:
    description: Whether to count the objects of each bucket, as far as one request lists them (1000).
    type: bool
    default: false
  on_error:
    description:
      - What to do where a service or a single resource cannot be read, for example for lack of a permission.
      - Either way the rest is read and returned, and RV(errors) lists what could not be. The key of a service that could not be
        read at all is missing, so that nothing passes for empty that was not seen.
      - V(fail) fails, with all errors together in the message.
      - V(warn) succeeds with a warning.
      - Without the caller's identity nothing can be read, and the module fails.
    type: str
    choices: [fail, warn]
    default: fail
extends_documentation_fragment:
  - localcloud.stack.aws
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
seealso:
  - module: localcloud.stack.event_probe
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Read everything in the emulator
  localcloud.stack.localstack_info:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
  register: cloud

- name: Read the queues and tables of one application, with each table's three newest items
  localcloud.stack.localstack_info:
    endpoint_url: http://localhost:4566
    region: eu-central-1
    access_key: test
    secret_key: test
    services: [sqs, dynamodb]
    names: ["orders-*"]
    newest_items: 3

- name: Read real AWS without scanning tables
  localcloud.stack.localstack_info:
    region: eu-central-1
    profile: production
    count_items: approximate

- name: Read what the caller may, and say what it may not
  localcloud.stack.localstack_info:
    region: eu-central-1
    on_error: warn
    aws_config:
      read_timeout: 30
  register: cloud

- name: Show what could not be read
  ansible.builtin.debug:
    msg: "{{ item.service }} {{ item.name }}: {{ item.message }}"
  loop: "{{ cloud.errors }}"
"""

RETURN = r"""
endpoint_url:
  description: The endpoint of every service that has none of its own. Empty for real AWS.
  returned: success
  type: str
  sample: http://localhost:4566
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: eu-central-1
health:
  description: What the emulator says of itself. Empty without an endpoint.
  returned: success
  type: dict
  contains:
    engine:
      description: Which emulator it is, as the role P(localcloud.stack.localstack_service#role) calls its engines, or V(unknown).
      type: str
      sample: localstack
    version:
      description: The emulator's version as it says it, which may be a word such as V(dev). Empty where it says none, as moto.
      type: str
      sample: 4.14.0
    edition:
      description: The emulator's edition.
      type: str
      sample: community
    services:
      description: State of each service, by the service's name.
      type: dict
      sample: {"sns": "running", "sqs": "available"}
account:
  description: The caller.
  returned: success
  type: dict
  sample: {"id": "000000000000", "arn": "arn:aws:iam::000000000000:root", "user_id": "AKIAIOSFODNN7EXAMPLE"}
topics:
  description: SNS topics by name.
  returned: when O(services) has V(sns)
  type: list
  elements: dict
  contains:
    arn:
      description: The topic's ARN.
      type: str
      sample: arn:aws:sns:eu-central-1:000000000000:orders
    name:
      description: The topic's name.
      type: str
      sample: orders
    display_name:
      description: Name for display, if any.
      type: str
    fifo:
      description: Whether it keeps the order.
      type: bool
      sample: false
    content_based_deduplication:
      description: Whether equal messages count as one without a deduplication ID.
      type: bool
      sample: false
    kms_key:
      description: Key it is encrypted with, if any.
      type: str
    policy:
      description: Its access policy.
      type: dict
    subscriptions:
      description: Its subscriptions.
      type: list
      elements: dict
      sample:
        - arn: arn:aws:sns:eu-central-1:000000000000:orders:8a21d249-4329-4871-acc6-7be709c6ea7f
          protocol: sqs
          endpoint: arn:aws:sqs:eu-central-1:000000000000:orders
          raw: false
          filter_policy: null
          filter_policy_scope: null
          redrive: null
          confirmed: true
queues:
  description: SQS queues by name.
  returned: when O(services) has V(sqs)
  type: list
  elements: dict
  contains:
    name:
      description: The queue's name.
      type: str
      sample: orders
    url:
      description: The queue's URL.
      type: str
      sample: http://localhost:4566/000000000000/orders
    arn:
      description: The queue's ARN.
      type: str
      sample: arn:aws:sqs:eu-central-1:000000000000:orders
    depth:
      description: How many messages are there, approximately on real AWS.
      type: dict
      sample: {"visible": 0, "in_flight": 1, "delayed": 0}
    policy:
      description: Its access policy.
      type: dict
    redrive:
      description: Where messages go that were received too often, if anywhere.
      type: dict
      sample:
        dead_letter_arn: arn:aws:sqs:eu-central-1:000000000000:orders-dlq
        dead_letter_queue: orders-dlq
        max_receive_count: 5
    redrive_allow:
      description: Which queues may use it as their dead-letter queue, as SQS has it, if that is limited.
      type: dict
      sample: {"redrivePermission": "denyAll"}
    fifo:
      description: Whether it keeps the order.
      type: bool
      sample: false
    content_based_deduplication:
      description: Whether equal messages count as one without a deduplication ID.
      type: bool
      sample: false
    deduplication_scope:
      description: V(queue) or V(messageGroup), for a FIFO queue.
      type: str
    throughput_limit:
      description: V(perQueue) or V(perMessageGroupId), for a FIFO queue.
      type: str
    kms_key:
      description: Key it is encrypted with, if any.
      type: str
    sqs_managed_encryption:
      description: Whether SQS encrypts it with a key of its own.
      type: bool
      sample: true
    delay_seconds:
      description: Seconds for which a new message stays hidden.
      type: int
      sample: 0
    receive_wait_seconds:
      description: Seconds for which receiving waits for a message.
      type: int
      sample: 20
    max_message_bytes:
      description: Size of the largest message it takes.
      type: int
      sample: 262144
    visibility_timeout:
      description: Seconds for which a received message stays hidden.
      type: int
      sample: 30
    retention_seconds:
      description: Seconds for which a message is kept.
      type: int
      sample: 345600
tables:
  description: DynamoDB tables by name.
  returned: when O(services) has V(dynamodb)
  type: list
  elements: dict
  contains:
    name:
      description: The table's name.
      type: str
      sample: orders
    arn:
      description: The table's ARN.
      type: str
      sample: arn:aws:dynamodb:eu-central-1:000000000000:table/orders
    status:
      description: Its status.
      type: str
      sample: ACTIVE
    key_schema:
      description: Its keys.
      type: list
      elements: dict
      sample: [{"name": "Id", "key_type": "HASH", "type": "S"}]
    billing_mode:
      description: V(PAY_PER_REQUEST) or V(PROVISIONED).
      type: str
      sample: PAY_PER_REQUEST
    capacity:
      description: Units that are provisioned. Empty for V(PAY_PER_REQUEST).
      type: dict
      sample: {"read": 5, "write": 5}
    global_indexes:
      description: Its global secondary indexes by name.
      type: list
      elements: dict
      sample:
        - name: by-time
          key_schema: [{"name": "CreatedAt", "key_type": "HASH", "type": "S"}]
          projection: INCLUDE
          projected: [Number]
          status: ACTIVE
    local_indexes:
      description: Its local secondary indexes by name, as those of RV(tables[].global_indexes).
      type: list
      elements: dict
      sample: []
    stream:
      description: Its stream, if it has one.
      type: dict
      sample: {"view_type": "NEW_IMAGE", "arn": "arn:aws:dynamodb:eu-central-1:000000000000:table/orders/stream/2026-01-01T12:00:00.000"}
    ttl:
      description: Which attribute tells when an item goes. Empty where items stay.
      type: dict
      sample: {"attribute": "ExpiresAt", "status": "ENABLED"}
    point_in_time_recovery:
      description: Whether it can be restored to a point in time. Empty where that is not known.
      type: bool
      sample: false
    encryption:
      description: The key it is encrypted with. Empty for DynamoDB's own.
      type: dict
      sample: {"type": "KMS", "kms_key": "arn:aws:kms:eu-central-1:000000000000:key/0f3e…"}
    deletion_protection:
      description: Whether deleting it is refused.
      type: bool
      sample: false
    item_count:
      description: How many items it has, by O(count_items). Empty for a table that is not active.
      type: int
      sample: 42
    newest_items:
      description: The newest items by O(sort_by), newest first.
      type: list
      elements: dict
      sample: [{"Id": "7c5b", "Number": 42, "CreatedAt": "2026-01-01T12:00:00Z"}]
buckets:
  description: S3 buckets by name.
  returned: when O(services) has V(s3)
  type: list
  elements: dict
  contains:
    object_count:
      description: How many objects it has; empty for more than 1000, or where they can't be listed.
      returned: with O(count_objects=true)
      type: int
      sample: 12
    name:
      description: The bucket's name.
      type: str
      sample: orders
    arn:
      description: The bucket's ARN.
      type: str
      sample: arn:aws:s3:::orders
    created_at:
      description: When it was made.
      type: str
      sample: "2026-01-01T12:00:00Z"
    region:
      description: Where it lies.
      type: str
      sample: eu-central-1
    versioning:
      description: V(Enabled), V(Suspended) or V(Disabled). Empty where that is not known.
      type: str
      sample: Enabled
    encryption:
      description: How objects are encrypted by default.
      type: dict
      sample: {"algorithm": "AES256", "kms_key": null, "bucket_key": false}
    public_access_block:
      description: What is not made public, whatever else allows it. Empty where there is no such block.
      type: dict
      sample: {"block_public_acls": true, "ignore_public_acls": true, "block_public_policy": true, "restrict_public_buckets": true}
    lifecycle:
      description: Its lifecycle rules, as S3 has them.
      type: list
      elements: dict
      sample: [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 7}}]
    cors:
      description: Its CORS rules, as S3 has them.
      type: list
      elements: dict
      sample: [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}]
    policy:
      description: Its access policy, if it has one.
      type: dict
parameters:
  description: SSM parameters by name.
  returned: when O(services) has V(ssm)
  type: list
  elements: dict
  sample:
    - name: /orders/endpoint
      type: String
      arn: arn:aws:ssm:eu-central-1:000000000000:parameter/orders/endpoint
      description: Where orders go
      tier: Standard
      version: 1
      kms_key: null
      modified_at: "2026-01-01T12:00:00Z"
  contains:
    value:
      description: Its value, if O(parameter_values=true). Empty for C(SecureString).
      type: str
secrets:
  description: Secrets Manager's secrets by name, without their values.
  returned: when O(services) has V(secretsmanager)
  type: list
  elements: dict
  sample:
    - name: orders/db
      arn: arn:aws:secretsmanager:eu-central-1:000000000000:secret:orders/db-x1y2z3
      description: null
      kms_key: null
      rotation: false
      rotation_lambda: null
      created_at: "2026-01-01T12:00:00Z"
      changed_at: "2026-01-01T12:00:00Z"
kms_keys:
  description: KMS keys by their first alias, or by their id where they have none.
  returned: when O(services) has V(kms)
  type: list
  elements: dict
  sample:
    - name: orders
      id: 0f3e…
      arn: arn:aws:kms:eu-central-1:000000000000:key/0f3e…
      state: Enabled
      aliases: [orders]
      description: null
      usage: ENCRYPT_DECRYPT
      spec: SYMMETRIC_DEFAULT
      manager: CUSTOMER
      multi_region: false
      rotation: false
      deleted_at: null
roles:
  description: IAM roles by name, without those that AWS's services made for themselves.
  returned: when O(services) has V(iam)
  type: list
  elements: dict
  contains:
    name:
      description: The role's name.
      type: str
      sample: orders
    arn:
      description: The role's ARN.
      type: str
      sample: arn:aws:iam::000000000000:role/orders
    path:
      description: The role's path.
      type: str
      sample: /
    description:
      description: What it is for, if that is said.
      type: str
    max_session_seconds:
      description: Seconds for which it can be taken at most.
      type: int
      sample: 3600
    trust:
      description: Who may take it.
      type: dict
    attached_policies:
      description: ARNs of the policies attached to it.
      type: list
      elements: str
      sample: [arn:aws:iam::000000000000:policy/orders]
    inline_policies:
      description: Its own policies' documents, by name.
      type: dict
policies:
  description: IAM policies by name, without AWS's own.
  returned: when O(services) has V(iam)
  type: list
  elements: dict
  contains:
    name:
      description: The policy's name.
      type: str
      sample: orders
    arn:
      description: The policy's ARN.
      type: str
      sample: arn:aws:iam::000000000000:policy/orders
    path:
      description: The policy's path.
      type: str
      sample: /
    attachments:
      description: To how many users, groups and roles it is attached.
      type: int
      sample: 1
    version:
      description: Its default version.
      type: str
      sample: v1
    document:
      description: The default version's document.
      type: dict
errors:
  description: What could not be read, see O(on_error).
  returned: when the caller is known
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: str
      sample: dynamodb
    name:
      description: The resource. Empty where the whole service could not be read.
      type: str
      sample: orders
    message:
      description: What failed, the likely cause, and what to do.
      type: str
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
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info.collect import gather
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable

SERVICES = ["sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam"]


SPEC = Spec(
    argument_spec={
        **aws_argument_spec(),
        "services": {"type": "list", "elements": "str", "choices": SERVICES, "default": SERVICES},
        "names": {"type": "list", "elements": "str", "default": []},
        "count_items": {"type": "str", "choices": ["exact", "approximate", "none"], "default": "exact"},
        "newest_items": {"type": "int", "default": 0},
        "sort_by": {"type": "str", "default": "CreatedAt"},
        "parameter_values": {"type": "bool", "default": False},
        "count_objects": {"type": "bool", "default": False},
        "on_error": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
    },
    required_together=AWS_REQUIRED_TOGETHER,
    mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
    public=PUBLIC_KEYS,
)


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    if missing := missing_packages("boto3"):
        raise ModuleError(missing)
    query = Query(**{name: params[name] for name in Query._fields})
    result = gather(Clients(Connection.from_params(params)), query)
    # Under its old name, too: as `found.keys` that is a method of the result itself.
    renamed = {"kms_keys": result["keys"]} if "keys" in result else {}
    return {**result, **renamed, "warnings": [printable(one["message"]) for one in result["errors"]]}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
