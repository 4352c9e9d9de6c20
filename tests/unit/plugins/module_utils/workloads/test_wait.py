# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib
import queue

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import wait as waiting
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.wait import Options, Waiter

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
CASES = {
    name: case
    for group in ("images", "containers", "made")
    for name, case in yaml.safe_load((FIXTURES / f"workloads_{group}.yml").read_text()).items()
}
APPS, CORE = "/apis/apps/v1/namespaces/apps", "/api/v1/namespaces/apps"
DEPLOYMENTS, PODS, EVENTS = f"{APPS}/deployments", f"{CORE}/pods", f"{CORE}/events"
PARTS = {DEPLOYMENTS: "workloads", f"{APPS}/replicasets": "replica_sets", PODS: "pods", EVENTS: "events"}
PARTS |= {f"{APPS}/statefulsets": "workloads", f"{APPS}/daemonsets": "workloads"}


class Cluster:
    """An API server with a script: objects by path, failures by path, and watches that say what they're fed."""

    def __init__(self, *names):
        self.objects = {path: [obj for name in names for obj in CASES[name][part]] for path, part in PARTS.items()}
        self.failures = {}
        self.feeds = {path: queue.Queue() for path in PARTS}
        self.lists, self.watches, self.logs = [], [], []
        self.log = "boom\nPASSWORD=hunter2\n"

    def connect(self):
        pass

    def get(self, path, params):
        self.lists.append(path)
        if self.failures.get(path):
            raise self.failures[path].pop(0)
        if path == CORE:
            return {"metadata": {"name": "apps"}}
        return {"items": copy.deepcopy(self.objects[path]), "metadata": {"resourceVersion": "1"}}

    def text(self, path, params):
        self.logs.append((path, params))
        return self.log

    def watch(self, path, params, silence):
        self.watches.append((path, params["resourceVersion"]))
        while True:
            one = self.feeds[path].get(timeout=5)
            if one is None:
                return
            if isinstance(one, ApiError):
                raise one
            yield one

    def say(self, kind, obj, path=DEPLOYMENTS, version="2"):
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = version
        self.feeds[path].put({"type": kind, "object": obj})


def waiter(cluster, *names, timeout=5.0, **options):
    return Waiter(cluster, Options("apps", list(names), timeout=timeout, **options), pause=0.01)


def unfinished(name="good"):
    obj = copy.deepcopy(CASES[name]["workloads"][0])
    obj["status"]["availableReplicas"] = 1
    return obj


def ready(pod, status="True"):
    """The pod with another condition Ready."""
    changed = copy.deepcopy(pod)
    others = [one for one in changed["status"].get("conditions", []) if one["type"] != "Ready"]
    changed["status"]["conditions"] = [*others, {"type": "Ready", "status": status}]
    return changed


def test_what_is_rolled_out_is_not_waited_for():
    result = waiter(Cluster("good", "crash"), "good").wait()
    (found,) = result["workloads"]
    assert found["seconds"] is not None
    assert found["seconds"] <= result["waited_seconds"] < 30
    assert {**found, "seconds": None} == {
        "name": "good",
        "kind": "Deployment",
        "replicas": 2,
        "rolled_out": True,
        "state": "rolled out",
        "seconds": None,
    }
    assert [pod["name"][:5] for pod in result["pods"]] == ["good-", "good-"]
    assert all(pod["ready"] and pod["node"] == "node-1" for pod in result["pods"])


@pytest.mark.parametrize(("kind", "name"), [("StatefulSet", "sts"), ("DaemonSet", "ds")])
def test_other_kinds(kind, name):
    result = waiter(Cluster(name), name, kind=kind).wait()
    assert result["workloads"][0]["rolled_out"]
    assert result["pods"]


def test_a_watch_tells_that_it_is_done():
    cluster = Cluster("good")
    cluster.objects[DEPLOYMENTS] = [unfinished()]
    cluster.say("MODIFIED", CASES["good"]["workloads"][0])
    assert waiter(cluster, "good").wait()["workloads"][0]["rolled_out"]
    assert (DEPLOYMENTS, "1") in cluster.watches


def test_a_workload_that_is_made_later():
    cluster = Cluster("good")
    cluster.objects[DEPLOYMENTS] = []
    cluster.say("ADDED", CASES["good"]["workloads"][0])
    assert waiter(cluster, "good").wait()["workloads"][0]["rolled_out"]


@pytest.mark.parametrize(
    "ending",
    [
        None,
        ApiError(0, "connection reset"),
        ApiError(410, "too old resource version"),
        {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}},
        {"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}},
    ],
)
def test_a_watch_that_ends_is_taken_up_again(ending):
    cluster = Cluster("good")
    cluster.objects[DEPLOYMENTS] = [unfinished()]
    cluster.feeds[DEPLOYMENTS].put(ending)
    cluster.say("MODIFIED", CASES["good"]["workloads"][0])
    assert waiter(cluster, "good").wait()["workloads"][0]["rolled_out"]
    # A watch that ended in good order goes on from its version; after anything else the list is read again.
    assert cluster.lists.count(DEPLOYMENTS) == (1 if ending is None else 2)


def test_an_api_server_that_is_still_starting():
    cluster = Cluster("good")
    cluster.failures = {path: [ApiError(0, "connection refused"), ApiError(503, "starting")] for path in PARTS}
    assert waiter(cluster, "good").wait()["workloads"][0]["rolled_out"]


def test_events_may_be_forbidden():
    cluster = Cluster("good")
    cluster.failures = {EVENTS: [ApiError(403, "forbidden")]}
    assert waiter(cluster, "good").wait()["workloads"][0]["rolled_out"]


def test_a_refusal_ends_the_wait(monkeypatch):
    monkeypatch.setattr(waiting, "DENIED_SECONDS", 0.05)
    cluster = Cluster("good")
    cluster.failures = {PODS: [ApiError(403, "pods is forbidden")] * 1000}
    with pytest.raises(
        KubernetesError, match=r"does not let us read Pods in namespace apps: pods is forbidden\. Check"
    ):
        waiter(cluster, "good").wait()


def test_silence_from_the_start_ends_the_wait(monkeypatch):
    monkeypatch.setattr(waiting, "SILENT_SECONDS", 0.05)
    cluster = Cluster("good")
    cluster.failures = {path: [ApiError(0, "connection refused")] * 1000 for path in PARTS}
    with pytest.raises(KubernetesError, match=r"does not answer \(connection refused\)\. Start the cluster"):
        waiter(cluster, "good").wait()


def test_silence_until_the_time_is_up():
    cluster = Cluster("good")
    cluster.failures = {path: [ApiError(0, "connection refused")] * 1000 for path in PARTS}
    with pytest.raises(
        KubernetesError, match=r"Waited \d+ s, but the API server does not answer \(connection refused\)"
    ):
        waiter(cluster, "good", timeout=0.5).wait()


def test_a_crash_loop_ends_the_wait_with_its_log():
    cluster = Cluster("crash", "good")
    with pytest.raises(KubernetesError) as caught:
        waiter(cluster, "crash", "good").wait()
    assert caught.value.message.startswith("Deployment apps/crash can't roll out, pod crash-")
    assert caught.value.message.endswith("  | boom\n  | PASSWORD=***")
    (problem,) = caught.value.details["problems"]  # two replicas suffer from the same
    assert (problem["reason"], problem["log"]) == ("CrashLoopBackOff", ["boom", "PASSWORD=***"])
    path, params = cluster.logs[0]
    assert path.startswith(f"{PODS}/crash-")
    assert params == {"container": "app", "tailLines": "10", "previous": "true"}
    assert [one["rolled_out"] for one in caught.value.details["workloads"]] == [False, True]


def test_a_problem_gets_its_grace():
    with pytest.raises(KubernetesError, match=r"can't roll out, pod unsched-\S+: Unschedulable") as caught:
        waiter(Cluster("unsched"), "unsched", unschedulable_after=0.2).wait()
    assert caught.value.details["waited_seconds"] >= 0.2


def test_a_problem_that_heals_within_its_grace():
    cluster = Cluster("unsched")
    done = unfinished("unsched")
    done["status"].update(availableReplicas=1)
    cluster.say("MODIFIED", ready(cluster.objects[PODS][0]), PODS)
    cluster.say("MODIFIED", done)
    assert waiter(cluster, "unsched").wait()["workloads"][0]["rolled_out"]


def test_pods_that_are_not_ready_count_before_their_controller_does():
    cluster = Cluster("sts")
    there = cluster.objects[PODS]
    cluster.objects[PODS] = [ready(there[0], "False"), *there[1:]]
    assert waiter(cluster, "sts", kind="StatefulSet").look()[0]["workloads"][0]["state"] == "1 of 2 pods are ready"
    cluster.say("MODIFIED", there[0], PODS)
    assert waiter(cluster, "sts", kind="StatefulSet").wait()["workloads"][0]["state"] == "rolled out"


def test_the_time_is_up():
    with pytest.raises(KubernetesError, match=r"Waited \d+ s, but 1 of 2 Deployments did not roll out") as caught:
        waiter(Cluster("probe", "good"), "probe", "good", timeout=0.5).wait()
    assert "Likely cause: container app runs but its probe fails" in caught.value.message
    assert caught.value.details["problems"] == []


def test_nothing_matches():
    with pytest.raises(KubernetesError, match="matched the names web; there are: good, probe"):
        waiter(Cluster("good", "probe"), "web", timeout=0.5).wait()


def test_nothing_matches_in_a_namespace_that_is_not_there():
    cluster = Cluster()
    cluster.failures = {CORE: [ApiError(404, "not found")]}
    with pytest.raises(KubernetesError, match="the namespace does not exist"):
        waiter(cluster, "web", timeout=0.5).wait()


def test_one_name_of_two_is_missing():
    with pytest.raises(KubernetesError, match="Deployment web: it does not exist"):
        waiter(Cluster("good"), "good", "web", timeout=0.5).wait()


def test_nothing_to_wait_for():
    with pytest.raises(KubernetesError, match="nothing to wait for"):
        waiter(Cluster())


def test_selectors_go_to_the_server():
    by_label = Waiter(Cluster(), Options("apps", label_selector="a=b"))
    assert by_label.sources.workloads.params() == {"labelSelector": "a=b"}
    assert waiter(Cluster(), "web").sources.workloads.params() == {"fieldSelector": "metadata.name=web"}
    assert waiter(Cluster(), "web", "api").sources.workloads.params() == {}


def test_one_look_never_fails():
    result, unseen = waiter(Cluster("crash"), "crash").look()
    assert unseen is None
    assert (result["workloads"][0]["rolled_out"], result["workloads"][0]["seconds"]) == (False, None)
    assert [one["reason"] for one in result["problems"]] == ["CrashLoopBackOff"]
    cluster = Cluster("crash")
    cluster.failures = {DEPLOYMENTS: [ApiError(0, "connection refused")]}
    result, unseen = waiter(cluster, "crash").look()
    assert unseen == "The cluster can't be looked at: connection refused"
    assert result["workloads"] == []
