"""S3: objects, versions, rules of buckets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from botocore.exceptions import ClientError

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "AmazonS3/latest/userguide/"
API = "AmazonS3/latest/API/"


@behaviour(
    "s3.object.roundtrip",
    "An object comes back with its body, type, metadata and ETag",
    source=API + "API_GetObject.html",
    hurts="lost",
    without="objects come back with other content",
    features=["buckets"],
)
def roundtrip(aws: Aws) -> str | None:
    bucket = aws.bucket()
    put = aws.s3.put_object(
        Bucket=bucket, Key="a/ü b", Body=b"\x00x", ContentType="image/png", Metadata={"kind": "made"}
    )
    got = aws.s3.get_object(Bucket=bucket, Key="a/ü b")
    same = got["Body"].read() == b"\x00x" and (got["ContentType"], got["Metadata"]) == ("image/png", {"kind": "made"})
    return is_met(same and got["ETag"] == put["ETag"], "body, type, metadata or ETag differ")


@behaviour(
    "s3.object.if_none_match",
    "A put with If-None-Match: * is refused where the object is there",
    source=GUIDE + "conditional-writes.html",
    hurts="lost",
    without="a writer that is to write once overwrites",
)
def if_none_match(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    return refused(aws.s3.put_object, "PreconditionFailed", Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")


@behaviour(
    "s3.object.if_match",
    "A put with an outdated If-Match is refused",
    source=GUIDE + "conditional-writes.html",
    hurts="lost",
    without="a writer overwrites what another wrote meanwhile",
)
def if_match(aws: Aws) -> str | None:
    bucket = aws.bucket()
    old = aws.s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    return refused(aws.s3.put_object, "PreconditionFailed", Bucket=bucket, Key="a", Body=b"3", IfMatch=old)


@behaviour(
    "s3.object.range",
    "A range gives that part, one behind the end InvalidRange",
    source=API + "API_GetObject.html",
    hurts="wrong",
    without="readers of parts get other bytes",
)
def part(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    if (found := aws.body(bucket, "a", Range="bytes=2-4")) != b"234":
        return f"the part is {found!r}"
    return refused(aws.s3.get_object, ("InvalidRange", "416"), Bucket=bucket, Key="a", Range="bytes=20-30")


@behaviour(
    "s3.object.checksum",
    "A put whose checksum does not fit the body is refused",
    source=GUIDE + "checking-object-integrity.html",
    hurts="lost",
    without="damaged uploads are stored",
)
def checksum(aws: Aws) -> str | None:
    wrong = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    codes = ("BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch")
    return refused(aws.s3.put_object, codes, Bucket=aws.bucket(), Key="a", Body=b"x", ChecksumSHA256=wrong)


@behaviour(
    "s3.object.absent",
    "Reading what is not there gives NoSuchKey",
    source=API + "API_GetObject.html",
    hurts="wrong",
    without="a missing object passes for another error",
)
def absent(aws: Aws) -> str | None:
    return refused(aws.s3.get_object, "NoSuchKey", Bucket=aws.bucket(), Key="absent")


@behaviour(
    "s3.list.pages",
    "ListObjectsV2 gives keys in their order, page by page, with common prefixes",
    source=API + "API_ListObjectsV2.html",
    hurts="lost",
    without="a reader that follows pages misses objects",
)
def pages(aws: Aws) -> str | None:
    bucket = aws.bucket()
    for key in ("b", "a/1", "a/2", "c"):
        aws.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    found: list[str] = []
    for page in aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    ):
        found += [one["Prefix"] for one in page.get("CommonPrefixes", [])] + [
            one["Key"] for one in page.get("Contents", [])
        ]
    return is_met(found == ["a/", "b", "c"], f"the keys are {found}")


@behaviour(
    "s3.versions.keep",
    "With versioning an overwritten and a deleted object's versions stay",
    source=GUIDE + "versioning-workflows.html",
    hurts="lost",
    without="old versions are lost",
    features=["buckets.versioning"],
)
def versions(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = aws.s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    aws.s3.delete_object(Bucket=bucket, Key="a")
    if aws.body(bucket, "a", VersionId=old) != b"1":
        return "the old version has another body"
    return refused(aws.s3.get_object, "NoSuchKey", Bucket=bucket, Key="a")


@behaviour(
    "s3.multipart.joins",
    "A multipart upload joins its parts, and one too small before the last is refused",
    source=GUIDE + "mpuoverview.html",
    hurts="lost",
    without="large uploads are damaged",
)
def multipart(aws: Aws) -> str | None:
    bucket, parts = aws.bucket(), [b"a" * 5 * 2**20, b"b"]
    _upload(aws, bucket, "big", parts)
    if aws.body(bucket, "big") != b"".join(parts):
        return "the body differs"
    try:
        _upload(aws, bucket, "small", [b"a", b"b"])
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return is_met(code == "EntityTooSmall", f"small parts are refused with {code}")
    return "small parts are accepted"


@behaviour(
    "s3.presigned.works",
    "A presigned URL gives the object without credentials, and nothing after its time",
    source=GUIDE + "using-presigned-url.html",
    hurts="open",
    without="an expired URL still gives the object",
)
def presigned(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    url = aws.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=2)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        if answer.read() != b"x":
            return "the body differs"

    def expired() -> bool:
        try:
            opener.open(url, timeout=10).close()
        except urllib.error.HTTPError as error:
            return error.code in (400, 403)
        return False

    return is_met(aws.until(expired, 6), "the URL works after its time")


@behaviour(
    "s3.encryption.default",
    "A bucket without a configuration of its own is encrypted with AES256",
    source=GUIDE + "default-bucket-encryption.html",
    hurts="differs",
    without="a bucket's encryption reads as none",
    features=["buckets.encryption"],
)
def encryption(aws: Aws) -> str | None:
    bucket = aws.bucket()
    return is_met(_algorithm(aws, bucket) == "AES256", "there is no default encryption")


@behaviour(
    "s3.encryption.deleted",
    "After DeleteBucketEncryption the default encryption is back",
    source=API + "API_DeleteBucketEncryption.html",
    hurts="differs",
    without="a bucket whose encryption was taken away reads as an empty configuration",
    features=["buckets.encryption"],
)
def encryption_deleted(aws: Aws) -> str | None:
    bucket = aws.bucket()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    aws.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    if _algorithm(aws, bucket) != "aws:kms":
        return "the encryption is not read back"
    aws.s3.delete_bucket_encryption(Bucket=bucket)
    return is_met(_algorithm(aws, bucket) == "AES256", "the configuration is empty")


@behaviour(
    "s3.lifecycle.without_id",
    "A lifecycle rule without ID is accepted, and gets one",
    source=API + "API_PutBucketLifecycleConfiguration.html",
    hurts="missing",
    without="a lifecycle rule without ID is refused",
)
def lifecycle_id(aws: Aws) -> str | None:
    rules = _lifecycle(aws, {"Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 7}})
    return is_met(rules[0].get("ID"), "the rule has no ID")


@behaviour(
    "s3.lifecycle.read",
    "A lifecycle rule is read back whole: size, tags, newer versions, unfinished uploads",
    source=API + "API_GetBucketLifecycleConfiguration.html",
    hurts="lost",
    without="a rule loses a condition, so that it covers more than was meant",
    features=["buckets.lifecycle"],
)
def lifecycle(aws: Aws) -> str | None:
    wanted = {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 1000, "Tags": [{"Key": "k", "Value": "v"}]}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    (found,) = _lifecycle(aws, wanted)
    wrong = [name for name in wanted if found.get(name) != wanted[name]]
    return is_met(not wrong, f"{', '.join(wrong)} differ")


@behaviour(
    "s3.lifecycle.abort_with_tags",
    "A rule that aborts unfinished uploads can't have tags in its filter",
    source=GUIDE + "intro-lifecycle-rules.html",
    hurts="accepted",
    without="a lifecycle rule that AWS refuses passes",
)
def lifecycle_refused(aws: Aws) -> str | None:
    rule = {
        "ID": "a",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "k", "Value": "v"}},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    given = {"LifecycleConfiguration": {"Rules": [rule]}}
    return refused(
        aws.s3.put_bucket_lifecycle_configuration, ("InvalidRequest", "MalformedXML"), Bucket=aws.bucket(), **given
    )


@behaviour(
    "s3.cors.answers",
    "A preflight request gets the CORS rule's headers",
    source=GUIDE + "cors.html",
    hurts="wrong",
    without="browsers are let in or kept out otherwise than on AWS",
    features=["buckets.cors"],
)
def cors(aws: Aws) -> str | None:
    bucket = aws.bucket()
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://app.example"], "AllowedHeaders": ["*"]}
    aws.s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    url = aws.s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"}).partition("?")[0]

    def allowed(origin: str) -> bool:
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        request = urllib.request.Request(url, method="OPTIONS", headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return bool(answer.headers.get("Access-Control-Allow-Origin") in (origin, "*"))
        except urllib.error.HTTPError:
            return False

    found = allowed("https://app.example"), allowed("https://other.example")
    return is_met(found == (True, False), "the other origin is let in" if found[0] else "the origin is kept out")


@behaviour(
    "s3.policy.enforced",
    "A bucket's policy that denies reading refuses it",
    source=GUIDE + "bucket-policies.html",
    hurts="open",
    without="a bucket's policy is stored and not enforced",
    features=["buckets.policy"],
)
def policy(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.s3.put_bucket_policy(Bucket=bucket, Policy=document)
    return refused(aws.s3.get_object, "AccessDenied", Bucket=bucket, Key="a")


@behaviour(
    "s3.public.blocked",
    "A public policy is refused where the bucket blocks public policies",
    source=GUIDE + "access-control-block-public-access.html",
    hurts="open",
    without="a public policy passes here and is refused on AWS",
    features=["buckets.public_access_block"],
)
def public(aws: Aws) -> str | None:
    bucket = aws.bucket()
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    aws.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(names, True))
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return refused(aws.s3.put_bucket_policy, "AccessDenied", Bucket=bucket, Policy=document)


@behaviour(
    "s3.bucket.names",
    "Names that no bucket may have are refused",
    source=GUIDE + "bucketnamingrules.html",
    hurts="accepted",
    without="a bucket's name that AWS refuses passes",
)
def names(aws: Aws) -> str | None:
    place = {"LocationConstraint": aws.region}
    for name in (aws.name("My_Bucket"), aws.name("a..b")):
        aws.afterwards(aws.s3.delete_bucket, Bucket=name)
        if seen := refused(aws.s3.create_bucket, "InvalidBucketName", Bucket=name, CreateBucketConfiguration=place):
            return seen
    return None


@behaviour(
    "s3.bucket.not_empty",
    "A bucket with objects is not deleted",
    source=API + "API_DeleteBucket.html",
    hurts="lost",
    without="a bucket with objects is deleted",
)
def not_empty(aws: Aws) -> str | None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    return refused(aws.s3.delete_bucket, "BucketNotEmpty", Bucket=bucket)


@behaviour(
    "s3.notification.queue",
    "An object's creation is told to a queue",
    source=GUIDE + "notification-how-to-event-types-and-destinations.html",
    hurts="lost",
    without="consumers of a bucket's events get none",
)
def notification(aws: Aws) -> str | None:
    bucket, url = aws.bucket(), aws.queue()
    aws.let_send(url, f"arn:aws:s3:::{bucket}", "s3")
    rule = {"QueueArn": aws.queue_arn(url), "Events": ["s3:ObjectCreated:*"]}
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    aws.s3.put_object(Bucket=bucket, Key="a b", Body=b"x")
    seen: list[Any] = []

    def told() -> bool:
        for body in aws.take(url, 1, 2):
            seen.extend(json.loads(body).get("Records", []))
        return bool(seen)

    aws.until(told, 10)
    keys = [one["s3"]["object"]["key"] for one in seen]
    return is_met(keys == ["a+b"], f"told are {keys}")


def _lifecycle(aws: Aws, rule: dict[str, Any]) -> list[dict[str, Any]]:
    """A bucket's lifecycle rules after one was put."""
    bucket = aws.bucket()
    aws.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    return list(aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])


def _algorithm(aws: Aws, bucket: str) -> str | None:
    """How a bucket encrypts by default."""
    rules = aws.s3.get_bucket_encryption(Bucket=bucket).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    return rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] if rules else None


def _upload(aws: Aws, bucket: str, key: str, parts: list[bytes]) -> None:
    upload = {"Bucket": bucket, "Key": key}
    upload["UploadId"] = aws.s3.create_multipart_upload(**upload)["UploadId"]
    made = [
        {"PartNumber": number, "ETag": aws.s3.upload_part(PartNumber=number, Body=body, **upload)["ETag"]}
        for number, body in enumerate(parts, 1)
    ]
    aws.s3.complete_multipart_upload(MultipartUpload={"Parts": made}, **upload)
