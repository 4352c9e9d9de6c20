# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""S3: buckets, each with its settings, which are managed resources of their own."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import POLICY, TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, given, part_of, protect
from ..fields import Flag, Model, Tags, Whole, as_json, named, number, policy_document, text
from ..kind import ON_DELETION, Kind
from ..models import BeforeValidator, Field
from ..observe import Aws, Reader, tag_map
from .kms import KeyName, key_arn, key_problems

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_ENDS = ("-s3alias", "--ols-s3", ".mrap", "--x-s3", "--table-s3")


def _bucket_name_problem(name: str) -> str | None:
    if ".." in name:
        return "no two dots beside each other"
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name):
        return "it looks like an IP address"
    if start := next((one for one in RESERVED_STARTS if name.startswith(one)), None):
        return f"names that begin with '{start}' are reserved"
    if end := next((one for one in RESERVED_ENDS if name.endswith(one)), None):
        return f"names that end with '{end}' are reserved"
    return None


BucketName = Annotated[
    str,
    named(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits, '-' or '.', with a letter or digit at both ends",
        refuse=_bucket_name_problem,
    ),
]
Days = Annotated[Whole, number(1, 2147483647)]
StorageClass = Literal["GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"]
# Classes that AWS moves nothing into before it is so old.
INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
LEAST_DAYS = 30
MOST_RULES = {"lifecycle": 1000, "cors": 100}


class Encryption(Model):
    algorithm: Literal["AES256", "aws:kms", "aws:kms:dsse"] = "AES256"
    kms_key: KeyName | None = None
    bucket_key: Flag | None = None


class PublicAccessBlock(Model):
    block_public_acls: Flag = True
    block_public_policy: Flag = True
    ignore_public_acls: Flag = True
    restrict_public_buckets: Flag = True


def _public_access_block(value: object) -> object:
    return dict.fromkeys(PublicAccessBlock.model_fields, value) if isinstance(value, bool) else value


class Transition(Model):
    days: Annotated[Whole, number(0, 2147483647)]
    storage_class: StorageClass


class LifecycleRule(Model):
    """What happens to objects with a prefix and tags, in days after they were made or became older versions."""

    id: Annotated[str, text(255, 1)]
    enabled: Flag = True
    prefix: Annotated[str, text(1024)] = ""
    tags: Tags = Field(default_factory=dict)
    expiration_days: Days | None = None
    expired_object_delete_marker: Flag | None = None
    noncurrent_expiration_days: Days | None = None
    abort_incomplete_upload_days: Days | None = None
    transitions: list[Transition] = Field(default_factory=list)
    noncurrent_transitions: list[Transition] = Field(default_factory=list)

    def described(self) -> Object:
        """The rule as Crossplane takes it: its blocks are lists of one in the namespaced kind too."""
        actions: dict[str, Object] = {
            "expiration": given(
                self, {"expiration_days": "days", "expired_object_delete_marker": "expiredObjectDeleteMarker"}
            ),
            "noncurrentVersionExpiration": given(self, {"noncurrent_expiration_days": "noncurrentDays"}),
            "abortIncompleteMultipartUpload": given(self, {"abort_incomplete_upload_days": "daysAfterInitiation"}),
        }
        rule: Object = {
            "id": self.id,
            "status": "Enabled" if self.enabled else "Disabled",
            "filter": [self._filter()],
            **{name: [action] for name, action in actions.items() if action},
        }
        if self.transitions:
            rule["transition"] = [{"days": one.days, "storageClass": one.storage_class} for one in self.transitions]
        if self.noncurrent_transitions:
            rule["noncurrentVersionTransition"] = [
                {"noncurrentDays": one.days, "storageClass": one.storage_class} for one in self.noncurrent_transitions
            ]
        return rule

    def refused(self) -> Iterable[Problem]:
        """What AWS refuses of a rule whose fields are fine each.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html and
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
        """
        for field in ("abort_incomplete_upload_days", "expired_object_delete_marker"):
            if self.tags and getattr(self, field) is not None:
                yield field, "can't stand in a rule with tags; give it a rule of its own"
        for field, end in (
            ("transitions", "expiration_days"),
            ("noncurrent_transitions", "noncurrent_expiration_days"),
        ):
            moves: list[Transition] = getattr(self, field)
            classes = Counter(one.storage_class for one in moves)
            for index, one in enumerate(moves):
                if classes[one.storage_class] > 1:
                    yield (
                        f"{field}[{index}].storage_class",
                        f"{one.storage_class!r} stands in {classes[one.storage_class]} transitions of the rule",
                    )
                if one.storage_class in INFREQUENT and one.days < LEAST_DAYS:
                    yield (
                        f"{field}[{index}].days",
                        f"{one.days} is less than {LEAST_DAYS}, which AWS wants before {one.storage_class}",
                    )
                if (days := getattr(self, end)) is not None and days <= one.days:
                    yield end, f"{days} must be more than the {one.days} days of {field}[{index}]"

    def _filter(self) -> Object:
        """One predicate stands alone, several stand in 'and'."""
        if not self.tags:
            return {"prefix": self.prefix}
        if len(self.tags) > 1 or self.prefix:
            both = {"prefix": self.prefix} if self.prefix else {}
            return {"and": [{**both, "tags": self.tags}]}
        ((key, value),) = self.tags.items()
        return {"tag": [{"key": key, "value": value}]}


class CorsRule(Model):
    id: Annotated[str, text(255, 1)] | None = None
    allowed_origins: Annotated[list[str], Field(min_length=1)]
    allowed_methods: Annotated[list[Literal["GET", "PUT", "HEAD", "POST", "DELETE"]], Field(min_length=1)]
    allowed_headers: list[str] | None = None
    expose_headers: list[str] | None = None
    max_age_seconds: Annotated[Whole, number(0, 2147483647)] | None = None

    def described(self) -> Object:
        fields = {
            "id": "id",
            "allowed_origins": "allowedOrigins",
            "allowed_methods": "allowedMethods",
            "allowed_headers": "allowedHeaders",
            "expose_headers": "exposeHeaders",
            "max_age_seconds": "maxAgeSeconds",
        }
        return given(self, fields)


class Bucket(ProtectedEntry):
    list_name: ClassVar[str] = "buckets"
    described: ClassVar[str] = "S3 buckets"

    name: BucketName
    versioning: Flag | None = None
    encryption: Encryption | None = None
    public_access_block: Annotated[PublicAccessBlock, BeforeValidator(_public_access_block)] = PublicAccessBlock()
    lifecycle: list[LifecycleRule] = Field(default_factory=list)
    cors: list[CorsRule] = Field(default_factory=list)
    policy: Annotated[dict[str, Any], policy_document(20480, principal=True)] | None = None
    force_destroy: Flag | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        for name, most in MOST_RULES.items():
            if (length := len(getattr(self, name))) > most:
                yield name, f"has {length} rules; AWS takes {most}"
        ids = Counter(one.id for one in self.lifecycle)
        for index, rule in enumerate(self.lifecycle):
            place = f"lifecycle[{index}]"
            if ids[rule.id] > 1:
                yield f"{place}.id", f"{rule.id!r} is the id of {ids[rule.id]} rules"
            if not set(rule.described()) - {"id", "status", "filter"}:
                yield place, "does nothing; give it expiration_days, transitions or another action"
            if rule.expiration_days is not None and rule.expired_object_delete_marker is not None:
                yield f"{place}.expired_object_delete_marker", "can't stand beside expiration_days"
            yield from ((f"{place}.{field}", text) for field, text in rule.refused())
        if self.encryption and self.encryption.kms_key:
            yield from key_problems("encryption.kms_key", self.encryption.kms_key, context)
            if self.encryption.algorithm == "AES256":
                yield "encryption.kms_key", "needs algorithm 'aws:kms' or 'aws:kms:dsse'"

    def objects(self, context: Context) -> list[Object]:
        destroy = context.target.emulated if self.force_destroy is None else self.force_destroy
        # Also if it is false: left out, the provider would keep what it was told before, and delete what is in the bucket.
        parameters = {"forceDestroy": destroy, "tags": self.all_tags(context)}
        bucket = protect(self, context.managed(self, "s3", "Bucket", parameters, external=self.name))
        # Without the block the data would be open to the public, so it is kept as long as the bucket.
        block = protect(self, self._setting("BucketPublicAccessBlock", self._block(), context))
        settings = [self._setting(kind, values, context) for kind, values in self._settings(context).items()]
        return [bucket, *(part_of(bucket, one) for one in (block, *settings))]

    def _setting(self, kind: str, values: Object, context: Context) -> Object:
        """A setting names its bucket: until that is there, the provider tries again by itself, much sooner than Crossplane
        resolves a reference again."""
        return context.managed(self, "s3", kind, {"bucket": self.name, **values})

    def _block(self) -> Object:
        fields = {
            "block_public_acls": "blockPublicAcls",
            "block_public_policy": "blockPublicPolicy",
            "ignore_public_acls": "ignorePublicAcls",
            "restrict_public_buckets": "restrictPublicBuckets",
        }
        return given(self.public_access_block, fields)

    def _settings(self, context: Context) -> dict[str, Object]:
        """What was asked for, by kind."""
        found: dict[str, Object] = {}
        if self.versioning is not None:
            status = {"status": "Enabled" if self.versioning else "Suspended"}
            found["BucketVersioning"] = {"versioningConfiguration": context.single(status)}
        if self.encryption:
            found["BucketServerSideEncryptionConfiguration"] = {"rule": [self._encryption(self.encryption, context)]}
        if self.lifecycle:
            found["BucketLifecycleConfiguration"] = {"rule": [one.described() for one in self.lifecycle]}
        if self.cors:
            found["BucketCorsConfiguration"] = {"corsRule": [one.described() for one in self.cors]}
        if self.policy:
            found["BucketPolicy"] = {"policy": as_json(self.policy)}
        return found

    def _encryption(self, wanted: Encryption, context: Context) -> Object:
        # No reference: the list that it would stand in belongs to who wrote it last, so the provider's answer in it would be
        # taken out at each run.
        key = {"kmsMasterKeyId": key_arn(wanted.kms_key, context)} if wanted.kms_key else {}
        return {
            "applyServerSideEncryptionByDefault": context.single({"sseAlgorithm": wanted.algorithm, **key}),
            **given(wanted, {"bucket_key": "bucketKeyEnabled"}),
        }


def _bucket(aws: Aws, resource: ExternalResource) -> Json | None:
    s3 = aws.get("s3")
    if existing(s3, "head_bucket", Bucket=resource.external_name) is None:
        return None
    return {
        "tags": tag_map((existing(s3, "get_bucket_tagging", Bucket=resource.external_name) or {}).get("TagSet", []))
    }


def _bucket_part(operation: str, fields: Callable[[Json], Json | None]) -> Reader:
    """One of a bucket's settings that is a managed resource of its own."""

    def read(aws: Aws, resource: ExternalResource) -> Json | None:
        answer = existing(aws.get("s3"), operation, Bucket=resource.parameters["bucket"])
        return None if answer is None else fields(answer)

    return read


def _versioning(answer: Json) -> Json | None:
    return {"versioningConfiguration": [{"status": answer["Status"]}]} if answer.get("Status") else None


def _encryption(answer: Json) -> Json:
    """Rules as far as they say how; an emulator's may not."""
    rules = (answer.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or []
    return {
        "rule": [
            {
                "applyServerSideEncryptionByDefault": [
                    {"sseAlgorithm": default.get("SSEAlgorithm"), "kmsMasterKeyId": default.get("KMSMasterKeyID")}
                    for default in _some(one, "ApplyServerSideEncryptionByDefault")
                ],
                "bucketKeyEnabled": one.get("BucketKeyEnabled", False),
            }
            for one in rules
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
        "and": [{**_predicates(both), "tags": tag_map(both.get("Tags") or [])}] if both else [],
    }


def _predicates(given: Json) -> Json:
    names = ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    return {name[0].lower() + name[1:]: given.get(name) for name in names}


def _date(value: Any) -> str | None:
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


def _setting(name: str, observe: Reader, compare: Mapping[str, Rule], looked_for: int = 0) -> Kind:
    return Kind(
        "s3",
        f"Bucket{name}",
        Bucket,
        observe,
        found_by=("bucket",),
        looked_for=looked_for,
        refers_to=("s3/Bucket",),
        compare=compare,
    )


KINDS = (
    Kind(
        "s3",
        "Bucket",
        Bucket,
        _bucket,
        immutable=frozenset({"objectLockEnabled"}),
        named_by_us=True,
        refers_to=("kms/Key",),
        unobserved={"forceDestroy": ON_DELETION},
        compare={"tags": TAGS, "policy": POLICY},
    ),
    _setting(
        "PublicAccessBlock",
        _bucket_part("get_public_access_block", _public_access),
        {},
    ),
    _setting(
        "Versioning",
        _bucket_part("get_bucket_versioning", _versioning),
        {"versioningConfiguration": Rule("items")},
    ),
    _setting(
        "ServerSideEncryptionConfiguration",
        _bucket_part("get_bucket_encryption", _encryption),
        {
            "rule": Rule("items"),
            "rule.applyServerSideEncryptionByDefault": Rule("items"),
        },
    ),
    _setting(
        "LifecycleConfiguration",
        _bucket_part("get_bucket_lifecycle_configuration", _lifecycle),
        {
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
        looked_for=90,  # half of lifecycleConfigurationRulesPropagationTimeout: a wait takes it twice
    ),
    _setting(
        "CorsConfiguration",
        _bucket_part("get_bucket_cors", _cors),
        {"corsRule": Rule("items", key="id")},
    ),
    _setting(
        "Policy",
        _bucket_part("get_bucket_policy", lambda answer: {"policy": answer["Policy"]}),
        {"policy": POLICY},
    ),
    Kind("s3", "BucketAcl"),
    Kind("s3", "BucketNotification"),
    Kind("s3", "BucketOwnershipControls"),
    Kind("s3", "BucketWebsiteConfiguration"),
    Kind("s3", "Object"),
)
