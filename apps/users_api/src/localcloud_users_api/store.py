"""Users in DynamoDB, their avatars in S3, and what holds between the two.

An avatar is written before its user and removed after it. So a process that dies at any point may leave an avatar that
no user has, which sweep() removes, but never a user without an avatar.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import ClientError

from localcloud_events.problems import PROBLEMS, code_of
from localcloud_users_api.images import MEDIA_TYPES, Kind
from localcloud_users_api.model import NewUser, User, new_avatar_key
from localcloud_web.outages import explain

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

EXISTS = "ConditionalCheckFailedException"
SERVER_ERROR = 500
# An avatar younger than this may belong to a user that is about to be written: every call is over long before.
GRACE = timedelta(hours=1)
# S3's own limit of one DeleteObjects.
BATCH = 1000
# No address, so no user's key: reading it proves that the table answers.
PROBE = "readiness"
PRESIGNED_SECONDS = 3600
# Items in each further call for a page, and seconds after which none follows.
SCAN, READING = 1000, 2.0


class UserExistsError(Exception):
    """There is a user of this address already."""


class NoSuchUserError(Exception):
    """There is no user of this address."""


@dataclass(frozen=True, slots=True)
class Avatar:
    """An avatar's bytes, their media type, and a tag that is another for every other avatar."""

    content: bytes
    media_type: str
    tag: str


def avatar_tag(user: User) -> str:
    """Give the tag (in the sense of HTTP) of the user's avatar."""
    return f'"{user.avatar_key.rpartition("/")[2]}"'


@dataclass(frozen=True, slots=True)
class Store:
    """The users. Every method blocks, and raises one of localcloud_events.problems.PROBLEMS if AWS does not answer."""

    dynamodb: DynamoDBClient
    s3: S3Client
    table: str
    bucket: str
    log: FilteringBoundLogger
    endpoint: str = ""

    @property
    def prefix(self) -> str:
        """Where the avatars are. It names the table, so that two tables can share a bucket and sweep it."""
        return f"avatars/{self.table}/"

    def check(self) -> None:
        """Make sure that table and bucket answer."""
        self.dynamodb.get_item(TableName=self.table, Key=_key(PROBE))
        self.s3.head_bucket(Bucket=self.bucket)

    def page(self, limit: int, after: str | None = None) -> tuple[list[User], str | None]:
        """Read up to `limit` users that follow the key `after`; give them and the key to go on from if there are more.

        Items of another shape are passed over. Where there are so many that it takes longer than READING, the page is
        shorter than `limit`, or empty, and the key is the one that DynamoDB goes on from.
        """
        end = time.monotonic() + READING
        users: list[User] = []
        # One more than asked for, so that the last page knows itself.
        size = limit + 1
        while True:
            start: Any = {} if after is None else {"ExclusiveStartKey": _key(after)}
            answer = self.dynamodb.scan(TableName=self.table, Limit=size, **start)
            users += [user for item in answer["Items"] if (user := _from_item(item))]
            if len(users) > limit:
                return users[:limit], users[limit - 1].email
            last = answer.get("LastEvaluatedKey")
            after = str(last["email"]["S"]) if last else None
            if after is None or time.monotonic() > end:
                return users, after
            size = SCAN

    def get(self, email: str) -> User:
        """Read one user; raises NoSuchUserError."""
        answer = self.dynamodb.get_item(TableName=self.table, Key=_key(email), ConsistentRead=True)
        user = _from_item(answer.get("Item", {}))
        if user is None:
            raise NoSuchUserError
        return user

    def avatar(self, user: User) -> Avatar:
        """Read the user's avatar; raises NoSuchUserError if the user was deleted meanwhile."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=user.avatar_key)
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
            raise NoSuchUserError from None
        suffix = user.avatar_key[user.avatar_key.rfind(".") :]
        return Avatar(answer["Body"].read(), MEDIA_TYPES.get(suffix, "application/octet-stream"), avatar_tag(user))

    def presigned(self, user: User) -> str:
        """Give an address at S3 itself, valid for PRESIGNED_SECONDS. Sends no request."""
        return self.s3.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": user.avatar_key}, ExpiresIn=PRESIGNED_SECONDS
        )

    def create(self, new: NewUser, avatar: BinaryIO, kind: Kind) -> User:
        """Store a user with an avatar; raises UserExistsError. After an error neither is there."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        user = User(new.email, new.name, new_avatar_key(self.prefix, kind.suffix), now)
        self.s3.put_object(Bucket=self.bucket, Key=user.avatar_key, Body=avatar, ContentType=kind.media_type)
        try:
            self._insert(user)
        except PROBLEMS as error:
            self._settle(user, error)
        return user

    def delete(self, email: str) -> None:
        """Remove a user and the avatar; raises NoSuchUserError."""
        answer = self.dynamodb.delete_item(TableName=self.table, Key=_key(email), ReturnValues="ALL_OLD")
        if "Attributes" not in answer:
            raise NoSuchUserError
        user = _from_item(answer["Attributes"])
        if user is not None:
            self._discard(user.avatar_key)

    def sweep(self, now: datetime) -> int:
        """Remove the avatars that no user has and that are older than GRACE; give their number.

        Reads the whole table, if there is any old avatar. Safe beside everything else, another sweep included.
        """
        # The avatars first: whatever is found is older than GRACE, so its user, if there is one, is in the table.
        old = {key for key, modified in self._avatars() if modified < now - GRACE}
        if not old:
            return 0
        orphans = sorted(old - set(self._used()))
        for place in range(0, len(orphans), BATCH):
            self.s3.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in orphans[place : place + BATCH]], "Quiet": True},
            )
        return len(orphans)

    def _insert(self, user: User) -> None:
        self.dynamodb.put_item(
            TableName=self.table,
            Item={
                "email": {"S": user.email},
                "name": {"S": user.name},
                "avatar_key": {"S": user.avatar_key},
                "created_at": {"S": user.created_at},
            },
            ConditionExpression="attribute_not_exists(email)",
        )

    def _settle(self, user: User, error: Exception) -> None:
        """Deal with a user who may or may not have been written; raises unless the user is there after all."""
        stored = None if _refused(error) else self._read_after(error, user.email)
        if stored == user:
            # It was written, only the answer was lost; a second try then finds its own user there.
            return
        if isinstance(error, ClientError):
            self._discard(user.avatar_key)
        # Else the write may still arrive: the avatar stays, and the sweep decides.
        if stored is not None:
            raise UserExistsError from None
        raise error

    def _read_after(self, error: Exception, email: str) -> User | None:
        try:
            return self.get(email)
        except NoSuchUserError:
            return None
        except PROBLEMS:
            # It is unknown whether the user was written: the avatar stays, and the sweep decides.
            raise error from None

    def _discard(self, key: str) -> None:
        try:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        except PROBLEMS as error:
            self.log.warning("orphaned avatar, left to the sweep", **explain(error, self.endpoint), key=key)

    def _avatars(self) -> Iterator[tuple[str, datetime]]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            for one in page.get("Contents", []):
                yield one["Key"], one["LastModified"]

    def _used(self) -> Iterator[str]:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ProjectionExpression="avatar_key", ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                yield item.get("avatar_key", {}).get("S", "")


def _key(email: str) -> dict[str, Any]:
    return {"email": {"S": email}}


def _from_item(item: Any) -> User | None:
    """Give the user of an item, None for one that this service did not write."""
    try:
        return User(item["email"]["S"], item["name"]["S"], item["avatar_key"]["S"], item["created_at"]["S"])
    except KeyError:
        return None


def _refused(error: Exception) -> bool:
    """Whether AWS's first and only answer said that it did nothing, for a reason other than the user being there."""
    if not isinstance(error, ClientError) or code_of(error) == EXISTS:
        return False
    about = error.response.get("ResponseMetadata", {})
    return about.get("RetryAttempts", 0) == 0 and about.get("HTTPStatusCode", 400) < SERVER_ERROR
