# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import rollout as rules
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import Snapshot, trim

MADE = yaml.safe_load((pathlib.Path(__file__).parents[1] / "fixtures" / "workloads_made.yml").read_text())


def snapshot(case):
    """A case of the fixtures as the module sees it."""
    return Snapshot(
        [trim(one, case["kind"]) for one in case["workloads"]],
        [trim(one, "Pod") for one in case["pods"]],
        [trim(one, "ReplicaSet") for one in case["replica_sets"]],
        [trim(one, "Event") for one in case["events"]],
    )


def workload(name, **status):
    """A fixture's workload with another status."""
    found = copy.deepcopy(snapshot(MADE[name]).workloads[0])
    found["status"].update(status)
    return found


def with_spec(obj, **spec):
    obj["spec"].update(spec)
    return obj


@pytest.mark.parametrize("name", ["good", "sts", "ds"])
def test_rolled_out(name):
    assert rules.rollout(workload(name)) == (True, "rolled out")


@pytest.mark.parametrize(
    ("obj", "state"),
    [
        (workload("good", observedGeneration=0), "its controller has not seen the newest specification yet"),
        (workload("good", updatedReplicas=1), "1 of 2 new pods are made"),
        (workload("good", replicas=3), "1 old pods are still to be removed"),
        (
            workload("good", replicas=3, updatedReplicas=3, availableReplicas=3),
            "1 surplus pods are still to be removed",
        ),
        (workload("good", availableReplicas=1), "1 of 2 pods are available"),
        (workload("sts", availableReplicas=1), "1 of 2 pods are available"),
        (workload("sts", replicas=3), "1 surplus pods are still to be removed"),
        (workload("sts", updateRevision="sts-2", updatedReplicas=1), "1 of 2 pods are updated"),
        (workload("ds", desiredNumberScheduled=2), "1 of 2 new pods are made"),
        (workload("ds", numberAvailable=0), "0 of 1 pods are available"),
        (workload("podsec"), "0 of 1 new pods are made"),
    ],
)
def test_not_rolled_out(obj, state):
    assert rules.rollout(obj) == (False, state)


def test_a_newer_generation_is_waited_for():
    changed = workload("good")
    changed["metadata"]["generation"] = 2
    assert not rules.rollout(changed).done
    changed["status"]["observedGeneration"] = 2
    assert rules.rollout(changed).done


def test_a_deleted_workload_is_not_rolled_out():
    deleted = workload("good")
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert rules.rollout(deleted) == (False, "it is being deleted")


def test_no_replicas_are_rolled_out():
    none = with_spec(workload("good", replicas=0, updatedReplicas=0, availableReplicas=0), replicas=0)
    assert rules.rollout(none).done


def test_a_partition_keeps_old_pods():
    strategy = {"rollingUpdate": {"partition": 1}}
    half = with_spec(workload("sts", updateRevision="sts-2", updatedReplicas=1), updateStrategy=strategy)
    assert rules.rollout(half).done


def test_an_older_server_counts_only_ready_pods_of_a_stateful_set():
    old = workload("sts", readyReplicas=2)
    del old["status"]["availableReplicas"]
    assert rules.rollout(old).done
    old["status"]["readyReplicas"] = 1
    assert not rules.rollout(old).done


def names(pods):
    return [pod["metadata"]["name"] for pod in pods]


@pytest.mark.parametrize(("name", "count"), [("good", 2), ("sts", 2), ("ds", 1)])
def test_own_pods_are_the_new_ones(name, count):
    every = snapshot(MADE["good"]), snapshot(MADE["sts"]), snapshot(MADE["ds"])
    mixed = Snapshot([], *([obj for one in every for obj in one[part]] for part in (1, 2, 3)))
    found = rules.pods_of(workload(name), mixed)
    assert len(found.new) == count
    assert all(one.startswith(name) for one in names(found.new))
    assert found.old == []


def test_pods_of_an_older_template_are_told_apart():
    seen = snapshot(MADE["good"])
    deployment = copy.deepcopy(seen.workloads[0])
    deployment["metadata"]["annotations"][rules.REVISION] = "2"
    assert rules.newest_replica_set(deployment, seen) is None
    assert len(rules.pods_of(deployment, seen).old) == 2

    stateful = workload("sts", updateRevision="sts-2")
    assert len(rules.pods_of(stateful, snapshot(MADE["sts"])).old) == 2

    daemon = workload("ds")
    daemon["metadata"]["annotations"][rules.TEMPLATE_GENERATION] = "2"
    assert len(rules.pods_of(daemon, snapshot(MADE["ds"])).old) == 1


def test_pods_that_are_being_deleted_do_not_count():
    seen = copy.deepcopy(snapshot(MADE["good"]))
    seen.pods[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert names(rules.pods_of(seen.workloads[0], seen).new) == [seen.pods[1]["metadata"]["name"]]


def test_environment_and_commands_are_not_kept():
    pod = {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "b", "env": [1], "command": ["c"]}]},
    }
    assert trim(pod, "Pod")["spec"]["containers"] == [{"name": "a", "image": "b"}]


def test_a_pod_tells_since_when_it_is_ready():
    since = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:05Z"}
    pod = {
        "metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
        "status": {"conditions": [since]},
    }
    row = rules.pod_row(trim(pod, "Pod"))
    assert (row["created_at"], row["ready_at"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z")
    since["status"] = "False"
    assert rules.pod_row(trim(pod, "Pod"))["ready_at"] is None


def test_a_pod_as_it_is_returned():
    assert rules.pod_row(snapshot(MADE["sts"]).pods[0]) == {
        "name": "sts-0",
        "phase": "Running",
        "ready": True,
        "restarts": 0,
        "started": None,
        "created_at": None,
        "ready_at": None,
        "images": ["localhost/localcloud/pause:1"],
        "node": "node-1",
    }
