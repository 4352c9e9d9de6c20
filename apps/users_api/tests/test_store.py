"""What holds between table and bucket, whatever fails when."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from pictures import picture
from running import BUCKET, TABLE

from localcloud_users_api.images import KINDS
from localcloud_users_api.model import NewUser
from localcloud_users_api.store import NoSuchUserError, Store, UserExistsError

ANN = NewUser(name="Ann", email="ann@example.com")
LOST = ReadTimeoutError(endpoint_url="http://aws")
GONE = EndpointConnectionError(endpoint_url="http://aws")


def refusal(code: str, status: int = 400, retries: int = 0) -> ClientError:
    about: Any = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": about}, "Any")


class Proxy:
    """A client of which some calls are others'."""

    def __init__(self, client: Any, **calls: Callable[..., Any]) -> None:
        self._client = client
        self.__dict__.update(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def fail(error: Exception, first: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Make a call that fails, after another was made if there is one."""

    def call(**arguments: Any) -> Any:
        if first is not None:
            first(**arguments)
        raise error

    return call


def changed(store: Store, **parts: Any) -> Store:
    return Store(**{name: parts.get(name, getattr(store, name)) for name in Store.__slots__})


def create(store: Store, user: NewUser = ANN):
    return store.create(user, io.BytesIO(picture()), KINDS["PNG"])


def consistent(aws: SimpleNamespace) -> bool:
    """Whether every user has an avatar and every avatar a user."""
    items = aws.dynamodb.scan(TableName=TABLE)["Items"]
    return sorted(item["avatar_key"]["S"] for item in items) == sorted(aws.keys())


def test_the_avatar_is_there_before_the_user(store, aws):
    seen = []

    def put(**arguments):
        seen.append(aws.keys())
        return aws.dynamodb.put_item(**arguments)

    user = create(changed(store, dynamodb=Proxy(aws.dynamodb, put_item=put)))
    assert seen == [[user.avatar_key]] and consistent(aws)


def test_no_user_without_an_avatar(store, aws):
    with pytest.raises(ClientError):
        create(changed(store, s3=Proxy(aws.s3, put_object=fail(refusal("AccessDenied", 403)))))
    assert aws.emails() == [] and aws.keys() == []


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDeniedException"),
        refusal("ResourceNotFoundException"),
        refusal("InternalServerError", 500, retries=1),
        refusal("ThrottlingException", 400, retries=1),
    ],
)
def test_a_refused_user_takes_the_avatar_along(store, aws, error):
    with pytest.raises(ClientError) as raised:
        create(changed(store, dynamodb=Proxy(aws.dynamodb, put_item=fail(error))))
    assert raised.value is error
    assert aws.emails() == [] and aws.keys() == []


def test_a_missing_table_takes_the_avatar_along(store, aws):
    aws.dynamodb.delete_table(TableName=TABLE)
    with pytest.raises(ClientError):
        create(store)
    assert aws.keys() == []


@pytest.mark.parametrize("error", [LOST, refusal("InternalServerError", 500, retries=1)])
def test_a_user_whose_answer_was_lost_is_there_with_the_avatar(store, aws, error):
    lossy = Proxy(aws.dynamodb, put_item=fail(error, first=aws.dynamodb.put_item))
    user = create(changed(store, dynamodb=lossy))
    assert aws.emails() == ["ann@example.com"] and aws.keys() == [user.avatar_key]


def test_a_second_try_that_finds_its_own_user_is_no_conflict(store, aws):
    def put(**arguments):
        aws.dynamodb.put_item(**arguments)
        aws.dynamodb.put_item(**arguments)

    user = create(changed(store, dynamodb=Proxy(aws.dynamodb, put_item=put)))
    assert store.get("ann@example.com") == user and consistent(aws)


@pytest.mark.parametrize("reading", [None, GONE])
def test_where_nobody_knows_the_avatar_stays_for_the_sweep(store, aws, reading):
    calls = {"put_item": fail(LOST), **({"get_item": fail(reading)} if reading else {})}
    with pytest.raises(ReadTimeoutError):
        create(changed(store, dynamodb=Proxy(aws.dynamodb, **calls)))
    assert len(aws.keys()) == 1
    assert store.sweep(datetime.now(UTC)) == 0
    assert store.sweep(datetime.now(UTC) + timedelta(hours=2)) == 1
    assert aws.keys() == []


def test_an_avatar_that_can_not_be_undone_is_left_to_the_sweep(store, aws):
    broken = changed(
        store,
        dynamodb=Proxy(aws.dynamodb, put_item=fail(refusal("AccessDeniedException"))),
        s3=Proxy(aws.s3, delete_object=fail(GONE)),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        create(broken)
    assert len(aws.keys()) == 1
    assert store.sweep(datetime.now(UTC) + timedelta(hours=2)) == 1


def test_a_conflict_leaves_the_first_user_alone(store, aws):
    first = create(store)
    with pytest.raises(UserExistsError):
        create(store)
    assert store.get("ann@example.com") == first and aws.keys() == [first.avatar_key]


def test_of_many_at_once_one_wins(store, aws):
    many = 8
    barrier = Barrier(many)
    writing = Lock()

    def put(**arguments):
        # DynamoDB looks at the condition and writes in one step, moto in two.
        with writing:
            return aws.dynamodb.put_item(**arguments)

    store = changed(store, dynamodb=Proxy(aws.dynamodb, put_item=put))

    def attempt(number: int) -> str:
        barrier.wait()
        try:
            return create(store, NewUser(name=f"Ann {number}", email="ann@example.com")).name
        except UserExistsError:
            return ""

    with ThreadPoolExecutor(many) as pool:
        won = [name for name in pool.map(attempt, range(many)) if name]
    assert len(won) == 1 and store.get("ann@example.com").name == won[0] and consistent(aws)


def test_a_deletion_that_fails_half_way_leaves_no_user(store, aws):
    create(store)
    changed(store, s3=Proxy(aws.s3, delete_object=fail(GONE))).delete("ann@example.com")
    assert aws.emails() == [] and len(aws.keys()) == 1
    assert store.sweep(datetime.now(UTC) + timedelta(hours=2)) == 1


def test_a_deletion_that_fails_at_once_changes_nothing(store, aws):
    create(store)
    with pytest.raises(EndpointConnectionError):
        changed(store, dynamodb=Proxy(aws.dynamodb, delete_item=fail(GONE))).delete("ann@example.com")
    assert aws.emails() == ["ann@example.com"] and consistent(aws)


class Killed(BaseException):
    """The process dies: nothing is undone."""


@pytest.mark.parametrize("calls", [{"put_item": fail(Killed())}, {"delete_item": fail(Killed())}, {}])
def test_a_process_that_dies_at_any_call_leaves_no_user_without_an_avatar(store, aws, calls):
    killed = changed(store, dynamodb=Proxy(aws.dynamodb, **calls), s3=Proxy(aws.s3, delete_object=fail(Killed())))
    for step in (lambda: create(killed), lambda: killed.delete("ann@example.com")):
        with suppress(Killed, NoSuchUserError):
            step()
    assert {item["avatar_key"]["S"] for item in aws.dynamodb.scan(TableName=TABLE)["Items"]} <= set(aws.keys())
    store.sweep(datetime.now(UTC) + timedelta(hours=2))
    assert consistent(aws)


def test_the_sweep_takes_only_orphans_of_its_own_table(store, aws):
    user = create(store)
    for key in (f"avatars/{TABLE}/old.png", "avatars/other-table/old.png", "other.png"):
        aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert store.sweep(datetime.now(UTC) + timedelta(hours=2)) == 1
    assert sorted(aws.keys()) == sorted([user.avatar_key, "avatars/other-table/old.png", "other.png"])


def test_a_sweep_that_can_not_read_the_table_removes_nothing(store, aws):
    create(store)
    aws.dynamodb.delete_table(TableName=TABLE)
    with pytest.raises(ClientError):
        store.sweep(datetime.now(UTC) + timedelta(hours=2))
    assert len(aws.keys()) == 1


def test_a_page_that_aws_cuts_short_goes_on(store, aws):
    for number in range(4):
        create(store, NewUser(name="x", email=f"u{number}@example.com"))

    def scan(**arguments):
        return aws.dynamodb.scan(**{**arguments, "Limit": 1})

    cut = changed(store, dynamodb=Proxy(aws.dynamodb, scan=scan))
    seen, after = [], None
    while not seen or after:
        users, after = cut.page(3, after)
        seen += [user.email for user in users]
    assert sorted(seen) == [f"u{number}@example.com" for number in range(4)]


def test_the_check_names_what_is_missing(store, aws):
    store.check()
    aws.s3.delete_bucket(Bucket=BUCKET)
    with pytest.raises(ClientError, match="HeadBucket"):
        store.check()
