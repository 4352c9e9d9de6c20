# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS has right now of a managed resource, in the words of its spec.forProvider.

Crossplane knows what it saw at its last poll; this asks AWS itself. Each reader gives the fields that it can see, or None
where the thing does not exist; a field that is not in its answer is not compared. Values of secrets are never asked for.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.aws_client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws_facts import is_true
from ansible_collections.localcloud.stack.plugins.module_utils.aws_reading import existing, existing_pages, pages
from ansible_collections.localcloud.stack.plugins.module_utils.aws_things import ADOPTED_AS, Json, Observed, Thing

# Requests under way at once: an emulator is one process, more would only queue up there.
WORKERS = 8


class Aws:
    """The clients of one region (none: the connection's own), and the account, which is asked for once only."""

    def __init__(self, clients: Clients, region: str | None = None, main: Aws | None = None) -> None:
        self.clients = clients
        self.region = region or clients.region
        self._main = main or self
        self._account = ""

    def within(self, region: str | None) -> Aws:
        """The same in another region."""
        return self if region in (None, "", self.region) else Aws(self.clients, region, self._main)

    def get(self, service: str) -> t.Any:
        return self.clients.get(service, self.region)

    @property
    def account(self) -> str:
        if self._main is not self:
            return self._main.account
        if not self._account:
            self._account = str(self.get("sts").get_caller_identity()["Account"])
        return self._account


Reader = t.Callable[[Aws, Thing], "Json | None"]


def observe(clients: Clients, things: t.Sequence[Thing]) -> Observed:
    """What AWS has of each. For those that C(observable) refuses, an empty map. Raises AwsError."""
    if not things:
        return Observed([], [])
    aws = Aws(clients)
    clients.get("sts")
    # Made here, as boto3's sessions are not thread-safe.
    for service, region in sorted({(_service(one), _region(one)) for one in things if observable(one)}):
        clients.get(service, region)

    def read(thing: Thing) -> Json | None:
        if not observable(thing):
            return {}
        with aws_errors(f"looking at {thing.kind} {thing.external_name}", clients.connection.endpoint_url):
            return READERS[thing.kind](aws.within(_region(thing)), thing)

    with ThreadPoolExecutor(min(WORKERS, len(things))) as pool:
        found = list(pool.map(read, things))
    return Observed(found, sorted({one.kind for one in things if not observable(one)}))


def observable(thing: Thing) -> bool:
    """Whether there is a reader for it, and the name by which AWS knows it."""
    needed = NEEDS.get(thing.kind, ())
    named = bool(thing.external_name) or (thing.kind in NEEDS and thing.kind not in NAMED_BESIDE)
    return thing.kind in READERS and named and all(thing.parameters.get(one) for one in needed)


def _service(thing: Thing) -> str:
    return thing.kind.split("/")[0]


def _region(thing: Thing) -> str:
    """Where a thing is; empty where the connection's own region is meant, as for all of IAM."""
    return str(thing.parameters.get("region") or "")


def _tags(listed: t.Iterable[Json]) -> dict[str, str]:
    return {str(one.get("Key") or one.get("TagKey")): str(one.get("Value", one.get("TagValue"))) for one in listed}


def _number(value: t.Any) -> int | None:
    return int(value) if value not in (None, "") else None


def _topic(aws: Aws, thing: Thing) -> Json | None:
    sns, name = aws.get("sns"), thing.external_name
    arn = name if name.startswith("arn:") else f"arn:aws:sns:{aws.region}:{aws.account}:{name}"
    answer = existing(sns, "get_topic_attributes", TopicArn=arn)
    if answer is None:
        return None
    known = answer["Attributes"]
    return {
        "contentBasedDeduplication": is_true(known.get("ContentBasedDeduplication")),
        "displayName": known.get("DisplayName"),
        "fifoTopic": is_true(known.get("FifoTopic")),
        "kmsMasterKeyId": known.get("KmsMasterKeyId"),
        "tags": _tags((existing(sns, "list_tags_for_resource", ResourceArn=arn) or {}).get("Tags", [])),
    }


def _subscription(aws: Aws, thing: Thing) -> Json | None:
    if not thing.external_name.startswith("arn:"):
        return {}
    answer = existing(aws.get("sns"), "get_subscription_attributes", SubscriptionArn=thing.external_name)
    if answer is None:
        return None
    known = answer["Attributes"]
    return {
        "endpoint": known.get("Endpoint"),
        "filterPolicy": known.get("FilterPolicy"),
        "filterPolicyScope": known.get("FilterPolicyScope")
        or ("MessageAttributes" if known.get("FilterPolicy") else ""),
        "protocol": known.get("Protocol"),
        "rawMessageDelivery": is_true(known.get("RawMessageDelivery")),
        "redrivePolicy": known.get("RedrivePolicy"),
    }


def _queue_attributes(aws: Aws, name: str) -> tuple[str, Json] | None:
    """A queue's URL and attributes, by its name or the last part of its URL."""
    sqs = aws.get("sqs")
    url = existing(sqs, "get_queue_url", QueueName=name.rsplit("/", 1)[-1])
    answer = url and existing(sqs, "get_queue_attributes", QueueUrl=url["QueueUrl"], AttributeNames=["All"])
    return (url["QueueUrl"], answer.get("Attributes", {})) if url and answer else None


def _queue(aws: Aws, thing: Thing) -> Json | None:
    found = _queue_attributes(aws, str(thing.parameters.get("name") or thing.external_name))
    if found is None:
        return None
    url, known = found
    return {
        ADOPTED_AS: url,
        "contentBasedDeduplication": is_true(known.get("ContentBasedDeduplication")),
        "delaySeconds": _number(known.get("DelaySeconds")),
        "fifoQueue": is_true(known.get("FifoQueue")),
        "kmsMasterKeyId": known.get("KmsMasterKeyId"),
        "maxMessageSize": _number(known.get("MaximumMessageSize")),
        "messageRetentionSeconds": _number(known.get("MessageRetentionPeriod")),
        "policy": known.get("Policy"),
        "receiveWaitTimeSeconds": _number(known.get("ReceiveMessageWaitTimeSeconds")),
        "redriveAllowPolicy": known.get("RedriveAllowPolicy"),
        "redrivePolicy": known.get("RedrivePolicy"),
        "tags": (existing(aws.get("sqs"), "list_queue_tags", QueueUrl=url) or {}).get("Tags", {}),
        "visibilityTimeoutSeconds": _number(known.get("VisibilityTimeout")),
    }


def _queue_part(field: str, attribute: str) -> Reader:
    """One of a queue's attributes that is a managed resource of its own."""

    def read(aws: Aws, thing: Thing) -> Json | None:
        found = _queue_attributes(aws, thing.parameters["queueUrl"])
        return {field: found[1][attribute]} if found and found[1].get(attribute) else None

    return read


def _table(aws: Aws, thing: Thing) -> Json | None:
    dynamodb, name = aws.get("dynamodb"), thing.external_name
    answer = existing(dynamodb, "describe_table", TableName=name)
    if answer is None:
        return None
    known = answer["Table"]
    found = {
        "attribute": [
            {"name": one["AttributeName"], "type": one["AttributeType"]} for one in known["AttributeDefinitions"]
        ],
        "billingMode": (known.get("BillingModeSummary") or {}).get("BillingMode") or "PROVISIONED",
        "deletionProtectionEnabled": known.get("DeletionProtectionEnabled", False),
        "globalSecondaryIndex": [_index(one) for one in known.get("GlobalSecondaryIndexes") or []],
        "streamEnabled": (known.get("StreamSpecification") or {}).get("StreamEnabled", False),
        "streamViewType": (known.get("StreamSpecification") or {}).get("StreamViewType"),
        "tags": _tags(existing_pages(dynamodb, "list_tags_of_resource", "Tags", ResourceArn=known["TableArn"])),
        **_keys(known["KeySchema"]),
    }
    if found["billingMode"] == "PROVISIONED":
        found |= _capacities(known)
    if any(thing.parameters.get("ttl") or []):
        found["ttl"] = _ttl(existing(dynamodb, "describe_time_to_live", TableName=name) or {})
    if any(thing.parameters.get("pointInTimeRecovery") or []):
        answer = existing(dynamodb, "describe_continuous_backups", TableName=name) or {}
        recovery = (answer.get("ContinuousBackupsDescription") or {}).get("PointInTimeRecoveryDescription") or {}
        found["pointInTimeRecovery"] = [{"enabled": recovery.get("PointInTimeRecoveryStatus") == "ENABLED"}]
    return found


def _keys(schema: t.Iterable[Json]) -> Json:
    by_type = {one["KeyType"]: one["AttributeName"] for one in schema}
    return {"hashKey": by_type.get("HASH"), "rangeKey": by_type.get("RANGE")}


def _capacities(described: Json) -> Json:
    throughput = described.get("ProvisionedThroughput") or {}
    return {"readCapacity": throughput.get("ReadCapacityUnits"), "writeCapacity": throughput.get("WriteCapacityUnits")}


def _index(described: Json) -> Json:
    projection = described.get("Projection") or {}
    return {
        "name": described["IndexName"],
        "projectionType": projection.get("ProjectionType"),
        "nonKeyAttributes": projection.get("NonKeyAttributes") or [],
        **_keys(described["KeySchema"]),
        **_capacities(described),
    }


def _ttl(answer: Json) -> list[Json]:
    known = answer.get("TimeToLiveDescription") or {}
    enabled = known.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return [{"attributeName": known.get("AttributeName"), "enabled": enabled}]


def _bucket(aws: Aws, thing: Thing) -> Json | None:
    s3 = aws.get("s3")
    if existing(s3, "head_bucket", Bucket=thing.external_name) is None:
        return None
    return {"tags": _tags((existing(s3, "get_bucket_tagging", Bucket=thing.external_name) or {}).get("TagSet", []))}


def _bucket_part(operation: str, fields: t.Callable[[Json], Json | None]) -> Reader:
    """One of a bucket's settings that is a managed resource of its own."""

    def read(aws: Aws, thing: Thing) -> Json | None:
        answer = existing(aws.get("s3"), operation, Bucket=thing.parameters["bucket"])
        return None if answer is None else fields(answer)

    return read


def _versioning(answer: Json) -> Json | None:
    return {"versioningConfiguration": [{"status": answer["Status"]}]} if answer.get("Status") else None


def _encryption(answer: Json) -> Json:
    return {
        "rule": [
            {
                "applyServerSideEncryptionByDefault": [
                    {
                        "sseAlgorithm": one["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
                        "kmsMasterKeyId": one["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"),
                    }
                ],
                "bucketKeyEnabled": one.get("BucketKeyEnabled", False),
            }
            for one in answer["ServerSideEncryptionConfiguration"]["Rules"]
        ]
    }


def _public_access(answer: Json) -> Json:
    known = answer["PublicAccessBlockConfiguration"]
    return {
        name[0].lower() + name[1:]: known.get(name, False)
        for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    }


def _lifecycle(answer: Json) -> Json:
    return {"rule": [_lifecycle_rule(one) for one in answer["Rules"]]}


def _lifecycle_rule(rule: Json) -> Json:
    """A rule with all of its filter: one that lost its prefix or tag now concerns the whole bucket."""
    return {
        "id": rule.get("ID"),
        "status": rule.get("Status"),
        "filter": [_lifecycle_filter(rule.get("Filter") or {"Prefix": rule.get("Prefix")})],
        "abortIncompleteMultipartUpload": [
            {"daysAfterInitiation": one["DaysAfterInitiation"]} for one in _some(rule, "AbortIncompleteMultipartUpload")
        ],
        "expiration": [
            {
                "days": one.get("Days"),
                "date": _date(one.get("Date")),
                "expiredObjectDeleteMarker": one.get("ExpiredObjectDeleteMarker", False),
            }
            for one in _some(rule, "Expiration")
        ],
        "noncurrentVersionExpiration": [
            _noncurrent(one, "noncurrentDays") for one in _some(rule, "NoncurrentVersionExpiration")
        ],
        "noncurrentVersionTransition": [
            {**_noncurrent(one, "noncurrentDays"), "storageClass": one.get("StorageClass")}
            for one in rule.get("NoncurrentVersionTransitions") or []
        ],
        "transition": [
            {"days": one.get("Days"), "date": _date(one.get("Date")), "storageClass": one.get("StorageClass")}
            for one in rule.get("Transitions") or []
        ],
    }


def _noncurrent(block: Json, days: str) -> Json:
    newer = block.get("NewerNoncurrentVersions")
    return {days: block.get("NoncurrentDays"), "newerNoncurrentVersions": newer if newer is None else str(newer)}


def _lifecycle_filter(given: Json) -> Json:
    """In the provider's words; what stands in C(and) stands nowhere else."""
    both = given.get("And")
    return {
        **_predicates(given),
        "tag": [{"key": one["Key"], "value": one["Value"]} for one in _some(given, "Tag")],
        "and": [{**_predicates(both), "tags": _tags(both.get("Tags") or [])}] if both else [],
    }


def _predicates(given: Json) -> Json:
    names = ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    return {name[0].lower() + name[1:]: given.get(name) for name in names}


def _date(value: t.Any) -> str | None:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime.datetime) else value


def _some(rule: Json, name: str) -> list[Json]:
    return [rule[name]] if rule.get(name) else []


def _cors(answer: Json) -> Json:
    names = ("AllowedHeaders", "AllowedMethods", "AllowedOrigins", "ExposeHeaders", "MaxAgeSeconds", "ID")
    return {
        "corsRule": [
            {("id" if name == "ID" else name[0].lower() + name[1:]): rule.get(name) for name in names}
            for rule in answer["CORSRules"]
        ]
    }


def _parameter(aws: Aws, thing: Thing) -> Json | None:
    ssm, name = aws.get("ssm"), thing.external_name
    answer = existing(ssm, "get_parameter", Name=name)
    if answer is None:
        return None
    known = answer["Parameter"]
    tags = existing(ssm, "list_tags_for_resource", ResourceType="Parameter", ResourceId=name) or {}
    found = {"type": known.get("Type"), "tags": _tags(tags.get("TagList") or [])}
    return found if known.get("Type") == "SecureString" else {**found, "insecureValue": known.get("Value")}


def _secret(aws: Aws, thing: Thing) -> Json | None:
    answer = existing(
        aws.get("secretsmanager"), "describe_secret", SecretId=thing.parameters.get("name") or thing.external_name
    )
    if answer is None or answer.get("DeletedDate"):
        return None
    return {
        ADOPTED_AS: answer.get("ARN"),
        "name": answer.get("Name"),
        "description": answer.get("Description"),
        "kmsKeyId": answer.get("KmsKeyId"),
        "tags": _tags(answer.get("Tags") or []),
    }


def _secret_version(aws: Aws, thing: Thing) -> Json | None:
    answer = existing(aws.get("secretsmanager"), "describe_secret", SecretId=thing.parameters["secretId"])
    return {} if answer and answer.get("VersionIdsToStages") else None


def _key(aws: Aws, thing: Thing) -> Json | None:
    kms, name = aws.get("kms"), thing.external_name
    answer = existing(kms, "describe_key", KeyId=name)
    if answer is None or answer["KeyMetadata"].get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion"):
        return None
    known = answer["KeyMetadata"]
    return {
        "description": known.get("Description"),
        "keyUsage": known.get("KeyUsage"),
        "customerMasterKeySpec": known.get("KeySpec"),
        "enableKeyRotation": (existing(kms, "get_key_rotation_status", KeyId=name) or {}).get(
            "KeyRotationEnabled", False
        ),
        "tags": _tags(existing_pages(kms, "list_resource_tags", "Tags", KeyId=name)),
    }


def _alias(aws: Aws, thing: Thing) -> Json | None:
    # The provider takes "alias/" off the external name that it keeps.
    name = f"alias/{thing.external_name.removeprefix('alias/')}"
    named = {one["AliasName"]: one for one in pages(aws.get("kms"), "list_aliases", "Aliases")}
    return {"targetKeyId": named[name].get("TargetKeyId")} if name in named else None


def _role(aws: Aws, thing: Thing) -> Json | None:
    answer = existing(aws.get("iam"), "get_role", RoleName=thing.external_name)
    if answer is None:
        return None
    known = answer["Role"]
    return {
        "assumeRolePolicy": _document(known.get("AssumeRolePolicyDocument")),
        "description": known.get("Description"),
        "maxSessionDuration": known.get("MaxSessionDuration"),
        "path": known.get("Path"),
        "tags": _tags(existing_pages(aws.get("iam"), "list_role_tags", "Tags", RoleName=thing.external_name)),
    }


def _role_policy(aws: Aws, thing: Thing) -> Json | None:
    name = thing.external_name.rsplit(":", 1)[-1]
    answer = existing(aws.get("iam"), "get_role_policy", RoleName=thing.parameters["role"], PolicyName=name)
    return None if answer is None else {"policy": _document(answer["PolicyDocument"])}


def _attachment(aws: Aws, thing: Thing) -> Json | None:
    role, arn = thing.parameters["role"], thing.parameters["policyArn"]
    if existing(aws.get("iam"), "get_role", RoleName=role) is None:
        return None
    attached = pages(aws.get("iam"), "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    return {} if arn in {one["PolicyArn"] for one in attached} else None


def _policy(aws: Aws, thing: Thing) -> Json | None:
    iam, name, path = aws.get("iam"), thing.external_name, thing.parameters.get("path", "/")
    arn = name if name.startswith("arn:") else f"arn:aws:iam::{aws.account}:policy{path}{name}"
    answer = existing(iam, "get_policy", PolicyArn=arn)
    if answer is None:
        return None
    known = answer["Policy"]
    version = existing(iam, "get_policy_version", PolicyArn=arn, VersionId=known["DefaultVersionId"]) or {}
    return {
        "description": known.get("Description"),
        "policy": _document((version.get("PolicyVersion") or {}).get("Document")),
        "tags": _tags(known.get("Tags") or []),
    }


def _document(document: t.Any) -> str | None:
    """A policy document as text; boto3 has it parsed."""
    return document if document is None or isinstance(document, str) else json.dumps(document, sort_keys=True)


READERS: dict[str, Reader] = {
    "sns/Topic": _topic,
    "sns/TopicSubscription": _subscription,
    "sqs/Queue": _queue,
    "sqs/QueuePolicy": _queue_part("policy", "Policy"),
    "sqs/QueueRedrivePolicy": _queue_part("redrivePolicy", "RedrivePolicy"),
    "sqs/QueueRedriveAllowPolicy": _queue_part("redriveAllowPolicy", "RedriveAllowPolicy"),
    "dynamodb/Table": _table,
    "s3/Bucket": _bucket,
    "s3/BucketVersioning": _bucket_part("get_bucket_versioning", _versioning),
    "s3/BucketServerSideEncryptionConfiguration": _bucket_part("get_bucket_encryption", _encryption),
    "s3/BucketPublicAccessBlock": _bucket_part("get_public_access_block", _public_access),
    "s3/BucketLifecycleConfiguration": _bucket_part("get_bucket_lifecycle_configuration", _lifecycle),
    "s3/BucketCorsConfiguration": _bucket_part("get_bucket_cors", _cors),
    "s3/BucketPolicy": _bucket_part("get_bucket_policy", lambda answer: {"policy": answer["Policy"]}),
    "ssm/Parameter": _parameter,
    "secretsmanager/Secret": _secret,
    "secretsmanager/SecretVersion": _secret_version,
    "kms/Key": _key,
    "kms/Alias": _alias,
    "iam/Role": _role,
    "iam/RolePolicy": _role_policy,
    "iam/RolePolicyAttachment": _attachment,
    "iam/Policy": _policy,
}
# Kinds without a name of their own in AWS: the fields that say where to look. References are resolved into them.
NEEDS: dict[str, tuple[str, ...]] = {
    "sqs/QueuePolicy": ("queueUrl",),
    "sqs/QueueRedrivePolicy": ("queueUrl",),
    "sqs/QueueRedriveAllowPolicy": ("queueUrl",),
    **{kind: ("bucket",) for kind in READERS if kind.startswith("s3/Bucket") and kind != "s3/Bucket"},
    "secretsmanager/SecretVersion": ("secretId",),
    "iam/RolePolicy": ("role",),
    "iam/RolePolicyAttachment": ("role", "policyArn"),
}
# Of these the kinds that have a name, too.
NAMED_BESIDE = frozenset({"iam/RolePolicy"})
