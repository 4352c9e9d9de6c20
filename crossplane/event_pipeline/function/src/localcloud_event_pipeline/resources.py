"""From a pipeline's spec to the managed resources that make it; pure.

Names, references and ARNs follow the same rules as the collection's module_utils/aws_resources, which makes the same
resources from lists; a unit test holds both together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud_event_pipeline.spec import Key, Spec

Object = dict[str, Any]
OWNER_LABEL = "localcloud.dev/owner"
API_VERSIONS = {
    "Topic": "sns.aws.upbound.io/v1beta1",
    "TopicSubscription": "sns.aws.upbound.io/v1beta1",
    "Queue": "sqs.aws.upbound.io/v1beta1",
    "Table": "dynamodb.aws.upbound.io/v1beta1",
}
NAMED_BY_US = ("Topic", "Table")  # to the others AWS gives a URL or an ARN


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline's spec and the label that marks its resources (empty for none), with all that is derived from them."""

    spec: Spec
    owner: str = ""

    @property
    def topic(self) -> str:
        """The topic's name in AWS."""
        return self.spec.topic + self.spec.suffix

    @property
    def queue(self) -> str:
        """The queue's name in AWS."""
        return self.spec.queue + self.spec.suffix

    @property
    def dead_letter_queue(self) -> str:
        """The dead-letter queue's name in AWS, if there is one."""
        return self.spec.dead_letter_name + self.spec.suffix

    def arn(self, service: str, name: str) -> str:
        """The ARN of a topic or queue."""
        return f"arn:aws:{service}:{self.spec.region}:{self.spec.account}:{name}"


def resources(pipeline: Pipeline) -> dict[str, Object]:
    """The managed resources by their names in the composition.

    There is no policy among them: it is the queue's own field, which saves 25 s of the provider's waiting.
    """
    made = {"topic": topic(pipeline), "queue": queue(pipeline)}
    if pipeline.spec.dead_letter:
        made["dead-letter-queue"] = dead_letter_queue(pipeline)
    return {**made, "subscription": subscription(pipeline), "table": table(pipeline)}


def topic(pipeline: Pipeline) -> Object:
    """The SNS topic."""
    parameters: Object = {"tags": pipeline.spec.tags}
    if pipeline.spec.fifo:
        parameters |= {"fifoTopic": True, "contentBasedDeduplication": True}
    return _managed(pipeline, "Topic", pipeline.topic, parameters)


def queue(pipeline: Pipeline) -> Object:
    """The SQS queue. Its policy lets exactly the pipeline's topic send."""
    spec = pipeline.spec
    parameters = _queue_parameters(pipeline, pipeline.queue)
    optional = {
        "visibilityTimeoutSeconds": spec.visibility_timeout_seconds,
        "messageRetentionSeconds": spec.message_retention_seconds,
        "receiveWaitTimeSeconds": spec.receive_wait_time_seconds,
    }
    parameters |= {name: value for name, value in optional.items() if value is not None}
    parameters["policy"] = _json(send_policy(pipeline))
    if spec.dead_letter:
        parameters["redrivePolicy"] = _json(
            {
                "deadLetterTargetArn": pipeline.arn("sqs", pipeline.dead_letter_queue),
                "maxReceiveCount": spec.dead_letter.max_receive_count,
            }
        )
    return _managed(pipeline, "Queue", pipeline.queue, parameters)


def dead_letter_queue(pipeline: Pipeline) -> Object:
    """The queue of what could not be worked on. Only the pipeline's queue may send its messages there."""
    assert pipeline.spec.dead_letter is not None  # noqa: S101
    parameters = _queue_parameters(pipeline, pipeline.dead_letter_queue)
    parameters["messageRetentionSeconds"] = pipeline.spec.dead_letter.message_retention_seconds
    parameters["redriveAllowPolicy"] = _json(
        {"redrivePermission": "byQueue", "sourceQueueArns": [pipeline.arn("sqs", pipeline.queue)]}
    )
    return _managed(pipeline, "Queue", pipeline.dead_letter_queue, parameters)


def send_policy(pipeline: Pipeline) -> Object:
    """Let SNS send to the queue for this topic only."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TopicsSend",
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": pipeline.arn("sqs", pipeline.queue),
                "Condition": {"ArnEquals": {"aws:SourceArn": [pipeline.arn("sns", pipeline.topic)]}},
            }
        ],
    }


def subscription(pipeline: Pipeline) -> Object:
    """The queue's subscription to the topic.

    The topic is a reference, as it must exist first. The queue is named by ARN: it exists long before it is Ready after
    its 25 s, for which a reference would wait.
    """
    spec = pipeline.spec
    parameters: Object = {
        "protocol": "sqs",
        "topicArnRef": {"name": object_name(pipeline.topic)},
        "endpoint": pipeline.arn("sqs", pipeline.queue),
        "rawMessageDelivery": spec.raw_message_delivery,
    }
    if spec.filter_policy is not None:
        parameters |= {"filterPolicy": _json(spec.filter_policy), "filterPolicyScope": spec.filter_policy_scope}
    name = f"{object_name(pipeline.topic)}.{object_name(pipeline.queue)}"
    return _managed(pipeline, "TopicSubscription", name, parameters)


def table(pipeline: Pipeline) -> Object:
    """The DynamoDB table, paid by request."""
    spec = pipeline.spec
    keys: list[Key] = [spec.hash_key, *([spec.range_key] if spec.range_key else [])]
    parameters: Object = {
        "attribute": [{"name": key.name, "type": key.type} for key in keys],
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": spec.hash_key.name,
        "tags": spec.tags,
    }
    if spec.range_key:
        parameters["rangeKey"] = spec.range_key.name
    return _managed(pipeline, "Table", spec.table, parameters)


def object_name(name: str) -> str:
    """A Kubernetes object name for an AWS name."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")


def _queue_parameters(pipeline: Pipeline, name: str) -> Object:
    parameters: Object = {"name": name, "tags": pipeline.spec.tags}
    if pipeline.spec.fifo:
        parameters |= {"fifoQueue": True, "contentBasedDeduplication": True}
    return parameters


def _managed(pipeline: Pipeline, kind: str, name: str, parameters: Mapping[str, Any]) -> Object:
    metadata: Object = {"name": object_name(name)}
    if pipeline.owner:
        metadata["labels"] = {OWNER_LABEL: pipeline.owner}
    if kind in NAMED_BY_US:
        metadata["annotations"] = {"crossplane.io/external-name": name}
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": metadata,
        "spec": {
            "deletionPolicy": pipeline.spec.deletion_policy,
            "forProvider": {"region": pipeline.spec.region, **parameters},
            "providerConfigRef": {"name": pipeline.spec.provider_config},
        },
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
