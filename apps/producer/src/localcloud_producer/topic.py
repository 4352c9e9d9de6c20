"""The SNS topic the producer publishes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud_events.message import Event, encode, message_attributes
from localcloud_events.problems import ResourceMissingError

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

# SNS's own limit for one PublishBatch.
BATCH = 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that SNS did not take, and SNS's words why."""

    event: Event
    reason: str


class Topic:
    """A topic that is known by its name. It is looked for, never made."""

    def __init__(self, client: SNSClient, name: str) -> None:
        self._client = client
        self._name = name
        self._arn = ""

    def find(self) -> None:
        """Find the topic's ARN; raises ResourceMissingError or an error of the SDK."""
        for page in self._client.get_paginator("list_topics").paginate():
            for topic in page["Topics"]:
                if topic["TopicArn"].rpartition(":")[2] == self._name:
                    self._arn = topic["TopicArn"]
                    return
        raise ResourceMissingError("SNS topic", self._name, self._client.meta.region_name)

    def publish(self, events: Sequence[Event]) -> list[Refusal]:
        """Publish up to BATCH events; give those which SNS refused. Raises an error of the SDK."""
        answer = self._client.publish_batch(
            TopicArn=self._arn,
            PublishBatchRequestEntries=[
                {"Id": str(place), "Message": encode(event), "MessageAttributes": message_attributes()}
                for place, event in enumerate(events)
            ],
        )
        return [Refusal(events[int(one["Id"])], f"{one['Code']}: {one.get('Message', '')}") for one in answer["Failed"]]
