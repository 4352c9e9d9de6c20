"""The SQS queues that are looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localcloud_events.problems import MISSING, ResourceMissingError, cause_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

COUNTS: dict[str, QueueAttributeNameType] = {
    "visible": "ApproximateNumberOfMessages",
    "not_visible": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
ATTRIBUTES: list[QueueAttributeNameType] = ["QueueArn", "RedrivePolicy", *COUNTS.values()]


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue has, by state. `source` is the queue whose dead letters it takes, or empty."""

    arn: str
    source: str
    visible: int
    not_visible: int
    delayed: int

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.arn.rpartition(":")[2]


class Queues:
    """Queues that are known by their names, and the dead-letter queues that they name. They are never made."""

    def __init__(self, client: SQSClient, names: Sequence[str]) -> None:
        self._client = client
        self._names = names
        self._urls: dict[str, str] = {}

    def find(self) -> None:
        """Find the queues' URLs; raises ResourceMissingError or another error of the SDK."""
        self._urls = {name: self._url(name) for name in self._names}

    def depths(self) -> list[Depth]:
        """Give the depth of each, a dead-letter queue after its source.

        Raises ResourceMissingError or an error of the SDK.
        """
        found: dict[str, Depth] = {}
        for name in self._names:
            attributes = self._attributes(name)
            depth = _depth(attributes, "")
            found.setdefault(depth.arn, depth)
            dead = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn", "")
            if dead and dead.rpartition(":")[2] not in self._names:
                found.setdefault(dead, _depth(self._attributes(dead.rpartition(":")[2]), name))
        return list(found.values())

    def _attributes(self, name: str) -> dict[str, str]:
        if name not in self._urls:
            self._urls[name] = self._url(name)
        answer = self._client.get_queue_attributes(QueueUrl=self._urls[name], AttributeNames=ATTRIBUTES)
        return {str(key): value for key, value in answer["Attributes"].items()}

    def _url(self, name: str) -> str:
        try:
            return str(self._client.get_queue_url(QueueName=name)["QueueUrl"])
        except ClientError as error:
            if cause_of(error) == MISSING:
                raise ResourceMissingError("SQS queue", name, self._client.meta.region_name) from error
            raise


def _depth(attributes: dict[str, str], source: str) -> Depth:
    counts = {state: int(attributes.get(attribute, 0)) for state, attribute in COUNTS.items()}
    return Depth(arn=attributes["QueueArn"], source=source, **counts)
