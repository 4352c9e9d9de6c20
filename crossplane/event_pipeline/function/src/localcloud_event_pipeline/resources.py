"""From a pipeline's spec to the managed resources that make it; pure.

A pipeline is lists of the role aws_resources, of which the same code (module_utils/aws_resources) makes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import Identity, marked
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive

from localcloud_event_pipeline.spec import InvalidSpecError, Spec

Object = dict[str, Any]
# Labels of the object. Its resources carry the first as a label in the cluster, and both as tags in AWS.
OWNER_LABEL = "localcloud.dev/owner"
CLUSTER_LABEL = "localcloud.dev/cluster"
# Where the lists' problems stand in the spec.
PATHS = {
    "aws_resources_topics[0].name": "spec.topic",
    "aws_resources_queues[0].name": "spec.queue",
    "aws_resources_subscriptions[0].filter_policy": "spec.filterPolicy",
    "aws_resources_tables[0].name": "spec.table",
    "aws_resources_tags": "spec.tags",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline's spec and the labels that mark its resources (empty for none), with all that is derived from them."""

    spec: Spec
    owner: str = ""
    cluster: str = ""

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


def resources(pipeline: Pipeline) -> dict[str, Object]:
    """The managed resources by their names in the composition. Raises InvalidSpecError for what AWS would refuse."""
    spec = pipeline.spec
    target = Target(
        region=spec.region,
        account=spec.account,
        provider_config=spec.provider_config,
        owner=pipeline.owner,
        tags=spec.tags,
    )
    made, problems = derive(declared(pipeline), target)
    if problems:
        # Of the tags each entry says it again.
        own = [one for one in problems if "with aws_resources_tags" not in one]
        raise InvalidSpecError("; ".join(map(_in_spec, own)))
    if pipeline.owner and pipeline.cluster:
        made = marked(made, Identity(pipeline.owner, pipeline.cluster), lambda _one: False)
    return {_name_of(one, pipeline): _finished(one, pipeline) for one in made}


def declared(pipeline: Pipeline) -> dict[str, list[Object]]:
    """The pipeline as the lists of the role aws_resources."""
    spec = pipeline.spec
    deduplication = {"content_based_deduplication": True} if spec.fifo else {}
    subscription = {"topic": pipeline.topic, "queue": pipeline.queue, "raw_message_delivery": spec.raw_message_delivery}
    if spec.filter_policy is not None:
        subscription |= {"filter_policy": spec.filter_policy, "filter_policy_scope": spec.filter_policy_scope}
    table = {
        "name": spec.table,
        "hash_key": spec.hash_key.model_dump(),
        "range_key": spec.range_key and spec.range_key.model_dump(),
        # A pipeline goes as a whole.
        "deletion_protection": False,
    }
    return {
        "topics": [{"name": pipeline.topic, **deduplication}],
        "queues": [{**one, **deduplication} for one in _queues(pipeline)],
        "subscriptions": [subscription],
        "tables": [table],
    }


def _queues(pipeline: Pipeline) -> list[Object]:
    spec = pipeline.spec
    queue: Object = {
        "name": pipeline.queue,
        "visibility_timeout_seconds": spec.visibility_timeout_seconds,
        "message_retention_seconds": spec.message_retention_seconds,
        "receive_wait_time_seconds": spec.receive_wait_time_seconds,
    }
    if spec.dead_letter is None:
        return [queue]
    dead = {"name": pipeline.dead_letter_queue, "message_retention_seconds": spec.dead_letter.message_retention_seconds}
    taken = {"queue": pipeline.dead_letter_queue, "max_receive_count": spec.dead_letter.max_receive_count}
    return [{**queue, "dead_letter": taken}, dead]


def _name_of(made: Object, pipeline: Pipeline) -> str:
    """A resource's name in the composition."""
    if made["kind"] == "Queue" and made["spec"]["forProvider"]["name"] != pipeline.queue:
        return "dead-letter-queue"
    return {"Topic": "topic", "Queue": "queue", "TopicSubscription": "subscription", "Table": "table"}[made["kind"]]


def _finished(made: Object, pipeline: Pipeline) -> Object:
    """With the pipeline's deletion policy, and without a label that is empty."""
    metadata = {name: value for name, value in made["metadata"].items() if name != "labels" or pipeline.owner}
    return {**made, "metadata": metadata, "spec": {"deletionPolicy": pipeline.spec.deletion_policy, **made["spec"]}}


def _in_spec(problem: str) -> str:
    """A problem of the lists with its place in the spec."""
    path, _colon, text = problem.partition(": ")
    return f"{PATHS.get(path, 'spec')}: {text}"
