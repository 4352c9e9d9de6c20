# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each field of a managed resource is compared, and what AWS has once it is no longer declared. Data only.

Keys are service and kind, then fields of spec.forProvider with dots, without the indices of lists. What has no entry is
compared exactly, with types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# text: exactly, also where it holds JSON. unknown: likewise, but AWS may have its JSON in another form. policy, json: what a
# text holds. redrive: JSON whose numbers may be texts. ordered: a list whose order counts in AWS, too. items: a list of maps
# that the kind owns, each known by its key. tags: a map that is owned as a whole.
How = Literal["text", "unknown", "policy", "json", "redrive", "ordered", "items", "tags"]


@dataclass(frozen=True)
class Rule:
    """How a field is compared.

    key: the name by which an item of the list is known. computed: names in an item that AWS or the provider adds by itself.
    cleared: what is declared in place of a field that we declared before, as the provider keeps the old value where a field
    is merely missing; None where a missing field is enough.
    """

    how: How = "text"
    key: str = ""
    computed: tuple[str, ...] = ()
    cleared: Any = None


TAGS = Rule("tags")
POLICY = Rule("policy")
NOTHING: Mapping[str, Rule] = {}

_QUEUE_POLICIES = {
    "policy": Rule("policy"),
    "redrivePolicy": Rule("redrive"),
    "redriveAllowPolicy": Rule("json", cleared='{"redrivePermission":"allowAll"}'),
}

COMPARISON: Mapping[str, Mapping[str, Rule]] = {
    "sns/Topic": {
        "tags": TAGS,
        "policy": POLICY,
        "deliveryPolicy": Rule("json"),
        "displayName": Rule(cleared=""),
        "kmsMasterKeyId": Rule(cleared=""),
        "contentBasedDeduplication": Rule(cleared=False),
    },
    "sns/TopicPolicy": {"policy": POLICY},
    "sns/TopicSubscription": {
        "filterPolicy": Rule("json", cleared="{}"),
        "redrivePolicy": Rule("redrive", cleared=""),
        "deliveryPolicy": Rule("json", cleared=""),
        "rawMessageDelivery": Rule(cleared=False),
    },
    "sqs/Queue": {
        "tags": TAGS,
        **_QUEUE_POLICIES,
        "visibilityTimeoutSeconds": Rule(cleared=30),
        "messageRetentionSeconds": Rule(cleared=345600),
        "delaySeconds": Rule(cleared=0),
        "receiveWaitTimeSeconds": Rule(cleared=0),
        "maxMessageSize": Rule(cleared=262144),
        "contentBasedDeduplication": Rule(cleared=False),
        "deduplicationScope": Rule(cleared="queue"),
        "fifoThroughputLimit": Rule(cleared="perQueue"),
        "kmsMasterKeyId": Rule(cleared=""),
    },
    "sqs/QueuePolicy": _QUEUE_POLICIES,
    "sqs/QueueRedrivePolicy": _QUEUE_POLICIES,
    "sqs/QueueRedriveAllowPolicy": _QUEUE_POLICIES,
    "dynamodb/Table": {
        "tags": TAGS,
        "attribute": Rule("items", key="name"),
        "globalSecondaryIndex": Rule("items", key="name", computed=("readCapacity", "writeCapacity")),
        "localSecondaryIndex": Rule("items", key="name"),
        "ttl": Rule("items"),
        "pointInTimeRecovery": Rule("items"),
        "serverSideEncryption": Rule("items", computed=("kmsKeyArn",)),
        "deletionProtectionEnabled": Rule(cleared=False),
        "streamEnabled": Rule(cleared=False),
        "tableClass": Rule(cleared="STANDARD"),
    },
    "s3/Bucket": {"tags": TAGS, "policy": POLICY},
    "s3/BucketVersioning": {"versioningConfiguration": Rule("items")},
    "s3/BucketServerSideEncryptionConfiguration": {
        "rule": Rule("items"),
        "rule.applyServerSideEncryptionByDefault": Rule("items"),
    },
    "s3/BucketLifecycleConfiguration": {
        "rule": Rule("items", key="id"),
        **{
            f"rule.{name}": Rule("items")
            for name in (
                "abortIncompleteMultipartUpload",
                "expiration",
                "filter",
                "filter.and",
                "filter.tag",
                "noncurrentVersionExpiration",
                "noncurrentVersionTransition",
                "transition",
            )
        },
        "rule.filter.and.tags": Rule("tags"),
    },
    "s3/BucketCorsConfiguration": {"corsRule": Rule("items", key="id")},
    "s3/BucketPolicy": {"policy": POLICY},
    "ssm/Parameter": {
        "tags": TAGS,
        "description": Rule(cleared=""),
        "allowedPattern": Rule(cleared=""),
        # Its order and spaces count: only who reads it knows what it means.
        "insecureValue": Rule(),
        "value": Rule(),
    },
    "secretsmanager/Secret": {
        "tags": TAGS,
        "policy": POLICY,
        "description": Rule(cleared=""),
        "recoveryWindowInDays": Rule(cleared=30),
    },
    "secretsmanager/SecretPolicy": {"policy": POLICY},
    "kms/Key": {"tags": TAGS, "policy": POLICY, "description": Rule(cleared="")},
    "iam/Role": {
        "tags": TAGS,
        "assumeRolePolicy": POLICY,
        "description": Rule(cleared=""),
        "maxSessionDuration": Rule(cleared=3600),
        "permissionsBoundary": Rule(cleared=""),
    },
    "iam/RolePolicy": {"policy": POLICY},
    "iam/Policy": {"tags": TAGS, "policy": POLICY},
}


def fields_of(kind: str) -> Mapping[str, Rule]:
    """How the fields of a kind (service/Kind) are compared."""
    return COMPARISON.get(kind, NOTHING)
