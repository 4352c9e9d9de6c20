"""The composition function and the lists make the same of the same pipeline, by the same code, which is in the image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import Identity, marked
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.extra import composed_of
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import FEATURES, places
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import copy_sources
from localcloud_event_pipeline.resources import Pipeline, declared, resources
from localcloud_event_pipeline.spec import read

PROJECT = Path(__file__).resolve().parents[3]
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
    "filter": (
        {"subscription": {"filter_policy": {"kind": ["a"]}, "filter_policy_scope": "MessageBody"}},
        {"filterPolicy": {"kind": ["a"]}, "filterPolicyScope": "MessageBody"},
    ),
    "dead letter": (
        {"queue": {"dead_letter": {"max_receive_count": 3, "message_retention_seconds": 600}}},
        {"deadLetter": {"maxReceiveCount": 3, "messageRetentionSeconds": 600}},
    ),
    "fifo": (
        {
            "topic": {"name": "Producer_Events.fifo", "content_based_deduplication": True},
            "queue": {"name": "consumer-events.fifo", "content_based_deduplication": True},
            "subscription": {"topic": "Producer_Events.fifo", "queue": "consumer-events.fifo"},
        },
        {"fifo": True},
    ),
    "China": ({"target": {"region": "cn-north-1"}}, {"region": "cn-north-1"}),
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
    return {
        (one["kind"], one["metadata"]["name"]): one
        for one in derive(declared, replace(TARGET, **entries.get("target", {})))[0]
    }


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


@pytest.mark.parametrize("case", SAME)
def test_an_engine_is_compared_with_all_that_a_pipeline_rests_on(case: str) -> None:
    """engine_behaviours reads the object as the lists that the function makes of it, but for the dead-letter queue's own entry."""
    spec = {**SPEC, **SAME[case][1]}
    lists = declared(Pipeline(read(spec), TARGET.owner))
    lists["queues"] = lists["queues"][:1]
    objects = {"extra_manifests": [{"kind": "EventPipeline", "spec": spec}]}

    def rests_on(what: dict[str, Any]) -> set[str]:
        return {name for name, feature in FEATURES.items() if any(places(feature, what))}

    assert rests_on(objects) == rests_on(lists) != set()


@pytest.mark.parametrize(
    "fields", [{}, {"fifo": True}, {"deadLetter": {}}, {"deadLetter": {"name": "Lost"}, "fifo": True}]
)
def test_what_a_pipeline_will_be_made_of_is_known_before(fields: dict[str, Any]) -> None:
    manifest = {
        "apiVersion": "localcloud.dev/v1alpha1",
        "kind": "EventPipeline",
        "metadata": {"name": "p"},
        "spec": {**SPEC, **fields},
    }
    expected = {(one["kind"], one["metadata"]["name"]): ExternalResource.of(one, None) for one in composed_of(manifest)}
    made = {key: one for key, one in from_object(fields).items() if key[0] != "TopicSubscription"}
    assert expected.keys() == made.keys()
    for key, one in made.items():
        resource = ExternalResource.of(one, None)
        assert (expected[key].kind, expected[key].parameters["region"]) == (
            resource.kind,
            resource.parameters["region"],
        )
        # A queue is looked for by its name.
        assert expected[key].external_name == resource.external_name
    assert composed_of({**manifest, "kind": "Other"}) == composed_of({**manifest, "spec": None}) == []


def test_lists_and_object_carry_the_same_tags_of_ownership() -> None:
    us = Identity(TARGET.owner, "cluster-1")
    lists = marked(list(from_lists({}).values()), us, lambda _one: False)
    made = resources(Pipeline(read(SPEC), us.owner, us.cluster)).values()
    tags = {(one["kind"], one["metadata"]["name"]): one["spec"]["forProvider"].get("tags") for one in lists}
    assert {(one["kind"], one["metadata"]["name"]): one["spec"]["forProvider"].get("tags") for one in made} == tags
    assert tags["Table", "consumer.events"] == {"environment": "dev", **us.tags}


def test_the_readmes_example_is_a_pipeline() -> None:
    text = (PROJECT / "README.md").read_text()
    (example,) = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", text, re.S) if "EventPipeline" in one]
    assert read(example["spec"]).table == "justtrack-dev-devops-consumer-events"


def test_the_image_has_all_that_the_function_imports(tmp_path: Path) -> None:
    """As toolchain/parts.yml and the Dockerfile put it together, where there is neither Ansible nor boto3."""
    part = yaml.safe_load((PROJECT / "toolchain/parts.yml").read_text())["parts"]["event-pipeline"]
    copy_sources(PROJECT, part["sources"], tmp_path / "src")
    shutil.copytree(tmp_path / "src/crossplane/event_pipeline/function/src", tmp_path, dirs_exist_ok=True)
    collection = tmp_path / "ansible_collections/localcloud/stack"
    shutil.copytree(tmp_path / "src/plugins", collection / "plugins")
    # So that it goes before the one that is installed here.
    (collection / "plugins/module_utils/__init__.py").touch()
    program = f"""
import sys
sys.modules.update(dict.fromkeys(("ansible", "boto3", "botocore", "kubernetes")))
sys.path.insert(0, {str(tmp_path)!r})
from localcloud_event_pipeline.resources import Pipeline, declared, resources
from localcloud_event_pipeline.spec import read
import ansible_collections.localcloud.stack.plugins.module_utils.aws_resources as used
assert used.__file__.startswith({str(tmp_path)!r}), used.__file__
print(sorted(resources(Pipeline(read({SPEC!r})))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['queue', 'subscription', 'table', 'topic']"
