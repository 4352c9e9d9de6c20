"""What an EventPipeline's spec says, checked; pure.

definition.yaml says the same to the API server, which refuses a bad object before it is stored. The rules stand here
once more because an object may have been stored under an older definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel

FIFO_SUFFIX = ".fifo"
LONGEST_QUEUE = 80  # SQS CreateQueue, suffix included
LONGEST_TOPIC = 256  # SNS CreateTopic, suffix included

# SNS CreateTopic, SQS CreateQueue, DynamoDB CreateTable.
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,256}$")]
QueueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
Retention = Annotated[int, Field(ge=60, le=1209600)]


class InvalidSpecError(Exception):
    """The spec can't be made into resources; the message names every bad field by its path."""


class Part(BaseModel):
    """A part of the spec, with camelCase names as Kubernetes has them. What Crossplane itself adds is left alone."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


class Key(Part):
    """A key of the table: an attribute's name and DynamoDB type."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    type: Literal["S", "N", "B"] = "S"


class DeadLetter(Part):
    """Where messages go that were received too often without being deleted. Retention in s."""

    name: QueueName | None = None
    max_receive_count: Annotated[int, Field(ge=1, le=1000)] = 5
    message_retention_seconds: Retention = 1209600


class Spec(Part):
    """The wanted pipeline. Times are in s."""

    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] = "000000000000"
    provider_config: str = "default"
    deletion_policy: Literal["Delete", "Orphan"] = "Delete"
    topic: TopicName
    queue: QueueName
    table: TableName
    fifo: bool = False
    visibility_timeout_seconds: Annotated[int, Field(ge=0, le=43200)] | None = None
    message_retention_seconds: Retention | None = None
    receive_wait_time_seconds: Annotated[int, Field(ge=0, le=20)] | None = None
    raw_message_delivery: bool = False
    filter_policy: dict[str, Any] | None = None
    filter_policy_scope: Literal["MessageAttributes", "MessageBody"] = "MessageAttributes"
    dead_letter: DeadLetter | None = None
    hash_key: Key = Key(name="Id", type="S")
    range_key: Key | None = None
    tags: Annotated[dict[str, str], Field(max_length=50)] = {}

    @property
    def suffix(self) -> str:
        """What AWS wants at the end of the names of FIFO topics and queues."""
        return FIFO_SUFFIX if self.fifo else ""

    @property
    def dead_letter_name(self) -> str:
        """Name of the dead-letter queue, without suffix."""
        return (self.dead_letter and self.dead_letter.name) or f"{self.queue}-dlq"

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if len(self.topic + self.suffix) > LONGEST_TOPIC:
            raise ValueError(f"topic: with {FIFO_SUFFIX} it is longer than AWS's {LONGEST_TOPIC} characters")
        if len(self.queue + self.suffix) > LONGEST_QUEUE:
            raise ValueError(f"queue: with {FIFO_SUFFIX} it is longer than AWS's {LONGEST_QUEUE} characters")
        if self.dead_letter and len(self.dead_letter_name + self.suffix) > LONGEST_QUEUE:
            raise ValueError(
                f"deadLetter.name: {self.dead_letter_name + self.suffix!r} is longer than AWS's {LONGEST_QUEUE} "
                "characters; give a shorter one"
            )
        if self.dead_letter and self.dead_letter_name == self.queue:
            raise ValueError("deadLetter.name: the queue can't be its own dead-letter queue")
        if self.range_key and self.range_key.name == self.hash_key.name:
            raise ValueError("rangeKey.name: it is the hash key's; the two need names of their own")
        return self


def read(spec: Mapping[str, Any]) -> Spec:
    """Check a spec as it stands in the object. Raises InvalidSpecError, which names all that is wrong."""
    try:
        return Spec.model_validate(spec)
    except ValidationError as error:
        raise InvalidSpecError("; ".join(_explain(one) for one in error.errors())) from None


def _explain(problem: Mapping[str, Any]) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # a rule over several fields, which names its field itself
        return f"spec.{message}"
    return f"{'.'.join(map(str, ('spec', *problem['loc'])))}: {message}, not {problem['input']!r}"
