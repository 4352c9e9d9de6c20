"""The DynamoDB table the consumer writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from localcloud_consumer.batch import Item
from localcloud_events.problems import MISSING, ResourceMissingError, cause_of, code_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

USABLE = ("ACTIVE", "UPDATING")
# Tries for the items a busy table left out of a batch; what is still left then is tried again by the next step.
TRIES = 5


@dataclass(slots=True)
class Outcome:
    """What became of a batch: ids of the items that are stored, and the reasons of those the table will never take.

    An id that is in neither was not written for lack of throughput.
    """

    stored: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


class Table:
    """A table that is known by its name. It is looked for, never made."""

    def __init__(self, client: DynamoDBClient, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep

    def find(self) -> None:
        """Check that the table can be used; raises ResourceMissingError or another error of the SDK."""
        try:
            state = self._client.describe_table(TableName=self._name)["Table"]["TableStatus"]
        except ClientError as error:
            if cause_of(error) == MISSING:
                raise self._missing("does not exist") from error
            raise
        if state not in USABLE:
            raise self._missing(f"is {state}")

    def write(self, items: Sequence[Item]) -> Outcome:
        """Write up to 25 items with different ids, replacing those of the same id; raises an error of the SDK."""
        try:
            left = self._write_batch(items)
        except ClientError as error:
            if code_of(error) != "ValidationException":
                raise
            # One bad item makes DynamoDB refuse the whole batch: the others must not pay for it.
            return self._write_each(items)
        ids = {_id(item) for item in items}
        return Outcome(stored=ids - {_id(item) for item in left})

    def _write_batch(self, items: Sequence[Item]) -> list[Item]:
        left = list(items)

        def attempt() -> list[Item]:
            nonlocal left
            left = self._put_all(left)
            return left

        retrying = Retrying(
            retry=retry_if_result(bool),
            wait=wait_exponential_jitter(multiplier=0.05, max=1, jitter=0.05),
            stop=stop_after_attempt(TRIES),
            sleep=self._sleep,
            retry_error_callback=_give_left,
        )
        return list(retrying(attempt))

    def _put_all(self, items: Sequence[Item]) -> list[Item]:
        answer = self._client.batch_write_item(
            RequestItems={self._name: [{"PutRequest": {"Item": item}} for item in items]}
        )
        left = answer.get("UnprocessedItems", {}).get(self._name, [])
        return [dict(request["PutRequest"]["Item"]) for request in left]

    def _write_each(self, items: Sequence[Item]) -> Outcome:
        outcome = Outcome()
        for item in items:
            try:
                self._client.put_item(TableName=self._name, Item=item)
                outcome.stored.add(_id(item))
            except ClientError as error:
                if code_of(error) != "ValidationException":
                    raise
                outcome.refused[_id(item)] = str(error)
        return outcome

    def _missing(self, state: str) -> ResourceMissingError:
        return ResourceMissingError("DynamoDB table", self._name, self._client.meta.region_name, state)


def _id(item: Item) -> str:
    return str(item["Id"]["S"])


def _give_left(state: RetryCallState) -> list[Item]:
    return list(state.outcome.result()) if state.outcome else []
