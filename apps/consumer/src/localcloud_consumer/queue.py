"""The SQS queue the consumer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud_consumer.batch import Delivery
from localcloud_events.problems import MISSING, ResourceMissingError, cause_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# SQS's own limit, for receiving and for deleting.
BATCH = 10


class Queue:
    """A queue that is known by its name. It is looked for, never made."""

    def __init__(self, client: SQSClient, name: str) -> None:
        self._client = client
        self._name = name
        self._url = ""

    def find(self) -> None:
        """Find the queue's URL; raises ResourceMissingError or another error of the SDK."""
        try:
            self._url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        except ClientError as error:
            if cause_of(error) == MISSING:
                raise ResourceMissingError("SQS queue", self._name, self._client.meta.region_name) from error
            raise

    def receive(self, wait_seconds: int) -> list[Any]:
        """Receive up to BATCH messages, waiting up to `wait_seconds` for the first; raises an error of the SDK."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return list(answer.get("Messages", []))

    def delete(self, deliveries: Sequence[Delivery]) -> dict[str, str]:
        """Delete messages; give the reasons of those that stay, by message id. Raises an SDK's error."""
        failures: dict[str, str] = {}
        for first in range(0, len(deliveries), BATCH):
            failures |= self._delete_batch(deliveries[first : first + BATCH])
        return failures

    def _delete_batch(self, deliveries: Sequence[Delivery]) -> dict[str, str]:
        answer = self._client.delete_message_batch(
            QueueUrl=self._url,
            Entries=[{"Id": str(place), "ReceiptHandle": one.receipt} for place, one in enumerate(deliveries)],
        )
        return {
            deliveries[int(one["Id"])].message_id: f"{one['Code']}: {one.get('Message', '')}"
            for one in answer.get("Failed", [])
        }
