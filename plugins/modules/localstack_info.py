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
  - Reads an emulator's health, the account, and the topics, queues, tables, buckets, parameters, secrets, keys and roles
    that are there.
  - Every page is read to its end, services are read side by side.
  - Values of parameters and secrets are never read, only names and types.
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
      - Without patterns everything is.
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
attributes:
  check_mode:
    description: Can run in check mode and return what it would without.
    support: full
    details: It only reads.
  diff_mode:
    description: Returns what would be changed when run in diff mode.
    support: N/A
    details: It changes nothing.
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
    details: It changes nothing.
extends_documentation_fragment:
  - localcloud.stack.aws
seealso:
  - module: localcloud.stack.event_probe
author:
  - localcloud contributors (@localcloud)
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
"""

RETURN = r"""
endpoint_url:
  description: The endpoint that was asked, empty for real AWS.
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
      description: Which emulator it is, V(localstack), V(ministack) or V(unknown).
      type: str
      sample: localstack
    version:
      description: The emulator's version.
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
    fifo:
      description: Whether it keeps the order.
      type: bool
      sample: false
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
  sample: [{"name": "orders", "arn": "arn:aws:s3:::orders", "created_at": "2026-01-01T12:00:00Z"}]
parameters:
  description: Names and types of SSM parameters.
  returned: when O(services) has V(ssm)
  type: list
  elements: dict
  sample: [{"name": "/orders/endpoint", "type": "SecureString"}]
secrets:
  description: Names and ARNs of Secrets Manager's secrets.
  returned: when O(services) has V(secretsmanager)
  type: list
  elements: dict
  sample: [{"name": "orders/db", "arn": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:orders/db-x1y2z3"}]
keys:
  description: KMS keys by their first alias, or by their id where they have none.
  returned: when O(services) has V(kms)
  type: list
  elements: dict
  sample: [{"name": "orders", "id": "0f3e…", "arn": "arn:aws:kms:eu-central-1:000000000000:key/0f3e…", "state": "Enabled"}]
roles:
  description: IAM roles, without those that AWS's services made for themselves.
  returned: when O(services) has V(iam)
  type: list
  elements: dict
  sample: [{"name": "orders", "arn": "arn:aws:iam::000000000000:role/orders"}]
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
from ansible_collections.localcloud.stack.plugins.module_utils.aws_gather import Query, gather

SERVICES = ["sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam"]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            **aws_argument_spec(),
            services={"type": "list", "elements": "str", "choices": SERVICES, "default": SERVICES},
            names={"type": "list", "elements": "str", "default": []},
            count_items={"type": "str", "choices": ["exact", "approximate", "none"], "default": "exact"},
            newest_items={"type": "int", "default": 0},
            sort_by={"type": "str", "default": "CreatedAt"},
        ),
        required_together=AWS_REQUIRED_TOGETHER,
        mutually_exclusive=AWS_MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    if BOTO3_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("boto3"), exception=BOTO3_IMPORT_ERROR)
    query = Query(**{name: module.params[name] for name in Query._fields})
    try:
        result = gather(Clients(Connection.from_params(module.params)), query)
    except AwsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
