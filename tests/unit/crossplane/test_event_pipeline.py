"""The composition function and the lists make the same of the same pipeline.

The function runs in an image of its own and has its own code; this holds both together.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from localcloud_event_pipeline.resources import Pipeline, resources
from localcloud_event_pipeline.spec import read

TARGET = Target("eu-central-1", "123456789012", "other", "localcloud-1", {"environment": "dev"})
SPEC = {
    "region": TARGET.region,
    "account": TARGET.account,
    "providerConfig": TARGET.provider_config,
    "tags": TARGET.tags,
    "topic": "Producer_Events",
    "queue": "consumer-events",
    "table": "Consumer.Events",
}
# What is said of the pipeline: in the lists of the role aws_resources (entry -> fields), and in the object.
SAME: dict[str, tuple[dict[str, dict[str, Any]], dict[str, Any]]] = {
    "plain": ({}, {}),
    "times": (
        {"queue": {"visibility_timeout_seconds": 45, "message_retention_seconds": 600}},
        {"visibilityTimeoutSeconds": 45, "messageRetentionSeconds": 600},
    ),
    "long polling": ({"queue": {"receive_wait_time_seconds": 20}}, {"receiveWaitTimeSeconds": 20}),
    "raw": ({"subscription": {"raw_message_delivery": True}}, {"rawMessageDelivery": True}),
    "keys": (
        {"table": {"hash_key": {"name": "Who", "type": "N"}, "range_key": {"name": "At", "type": "B"}}},
        {"hashKey": {"name": "Who", "type": "N"}, "rangeKey": {"name": "At", "type": "B"}},
    ),
}


# A pipeline goes as a whole.
UNPROTECTED = {"deletion_protection": False}


def from_lists(entries: dict[str, dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    declared = {
        "topics": [{"name": SPEC["topic"], **entries.get("topic", {})}],
        "queues": [{"name": SPEC["queue"], **entries.get("queue", {})}],
        "subscriptions": [{"topic": SPEC["topic"], "queue": SPEC["queue"], **entries.get("subscription", {})}],
        "tables": [
            {"name": SPEC["table"], "hash_key": {"name": "Id", "type": "S"}, **UNPROTECTED, **entries.get("table", {})}
        ],
    }
    return {(one["kind"], one["metadata"]["name"]): one for one in derive(declared, TARGET)[0]}


def from_object(fields: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    made = resources(Pipeline(read({**SPEC, **fields}), TARGET.owner)).values()
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


@pytest.mark.parametrize("case", SAME)
def test_lists_and_object_make_the_same_resources(case: str) -> None:
    entries, fields = SAME[case]
    lists, composed = from_lists(entries), from_object(fields)
    for one in [*lists.values(), *composed.values()]:
        one["spec"].setdefault("deletionPolicy", "Delete")  # what the provider's kinds have by default
    assert composed == lists


def test_the_readmes_example_is_a_pipeline() -> None:
    text = (Path(__file__).resolve().parents[3] / "README.md").read_text()
    (example,) = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", text, re.S) if "EventPipeline" in one]
    assert read(example["spec"]).table == "justtrack-dev-devops-consumer-events"
