# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import problems
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.problems import (
    Patience,
    Problem,
    distinct,
    problems_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import REVISION, Snapshot, trim

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
CASES = {
    name: case
    for group in ("images", "containers", "made")
    for name, case in yaml.safe_load((FIXTURES / f"workloads_{group}.yml").read_text()).items()
}


def snapshot(name, live=False):
    case = copy.deepcopy(CASES[name])
    return Snapshot(
        [trim(one, case["kind"]) for one in case["workloads"]],
        [trim(one, "Pod") for one in case["pods"]],
        [trim(one, "ReplicaSet") for one in case["replica_sets"]],
        [{**trim(one, "Event"), "live": live} for one in case["events"]],
    )


def found_in(seen):
    return problems_of(seen.workloads[0], seen)


def status_of(seen):
    return seen.pods[0]["status"]["containerStatuses"][0]


@pytest.mark.parametrize(
    ("name", "grace", "reason", "message", "step"),
    [
        ("wrongimage", 3, "ImagePullBackOff", "the node does not have this image", "load it into the node"),
        ("noreg", 20, "ImagePullBackOff", "the node can't resolve the registry's name", "correct the image's registry"),
        ("never", 0, "ErrImageNeverPull", "imagePullPolicy is Never", "load the image"),
        ("badname", 0, "InvalidImageName", "must be lowercase", "correct the image's name"),
        ("secret", 15, "CreateContainerConfigError", 'secret "nosuch" not found', "create the Secret"),
        ("crash", 0, "CrashLoopBackOff", "restarted 3 times, the last time it ended with exit code 1", "read its log"),
        ("start", 3, "StartError", 'exec: "/nosuch"', "correct the container's command"),
        ("unsched", 30, "Unschedulable", "Insufficient cpu", "add a node"),
        ("podsec", 3, "FailedCreate", 'violates PodSecurity "restricted:latest"', "correct the pod's securityContext"),
        (
            "podsec-sts",
            3,
            "FailedCreate",
            'violates PodSecurity "restricted:latest"',
            "correct the pod's securityContext",
        ),
        (
            "podsec-ds",
            3,
            "FailedCreate",
            'violates PodSecurity "restricted:latest"',
            "correct the pod's securityContext",
        ),
    ],
)
def test_what_does_not_heal(name, grace, reason, message, step):
    found = found_in(snapshot(name))[0]
    assert (found.reason, found.grace) == (reason, grace)
    assert message in found.message
    assert step in found.next_step
    if name not in ("unsched", "podsec", "podsec-sts", "podsec-ds"):
        assert found.pod.startswith(name)
        assert found.container == "app"
        assert found.image == CASES[name]["pods"][0]["spec"]["containers"][0]["image"]
    assert found.wants_log == (name == "crash")


@pytest.mark.parametrize("name", ["good", "sts", "ds", "probe"])
def test_nothing_is_wrong_with_what_runs(name):
    assert found_in(snapshot(name)) == []


@pytest.mark.parametrize(
    ("message", "cause", "grace"),
    [
        ("failed to resolve reference: docker.io/x/y:1: not found", "does not have this image", 3),
        ("unexpected status: 401 Unauthorized", "refuses the node", 3),
        ("pull access denied, repository does not exist or may require authorization", "refuses the node", 3),
        ("dial tcp 10.0.0.1:5000: connect: connection refused", "can't reach", 20),
        ("unexpected status from HEAD request: 503 Service Unavailable", "can't reach", 20),
        ("lookup registry: no such host", "can't resolve", 20),
        ("http: server gave HTTP response to HTTPS client", "plain http", 3),
        ("tls: failed to verify certificate: x509: unknown authority", "certificate", 3),
        ("no match for platform in manifest", "architecture", 3),
        ("something new", "can't pull", 20),
    ],
)
def test_causes_of_a_failed_pull(message, cause, grace):
    seen = snapshot("noreg")
    status_of(seen)["state"] = {"waiting": {"reason": "ErrImagePull", "message": message}}
    found = found_in(seen)[0]
    assert cause in found.message
    assert found.grace == grace


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('pods "a" is forbidden: exceeded quota: q, requested: pods=1', "quota is used up"),
        ('error looking up service account a/b: serviceaccount "b" not found', "ServiceAccount does not exist"),
        ('admission webhook "x" denied the request', "admission webhook"),
        ("something new", "its pods can't be made: something new"),
    ],
)
def test_causes_of_pods_that_are_not_made(message, cause):
    seen = snapshot("podsec")
    seen.replica_sets[0]["status"]["conditions"][0]["message"] = message
    assert cause in found_in(seen)[0].message


def test_the_failure_of_an_older_replica_set_does_not_matter():
    seen = snapshot("podsec")
    newer = copy.deepcopy(seen.replica_sets[0])
    newer["metadata"]["annotations"][REVISION] = "2"
    newer["metadata"]["uid"] = "newer"
    newer["status"]["conditions"] = []
    seen.workloads[0]["metadata"]["annotations"][REVISION] = "2"
    assert found_in(seen._replace(replica_sets=[seen.replica_sets[0], newer])) == []


def test_pods_of_an_older_template_are_not_judged():
    seen = snapshot("crash")
    seen.workloads[0]["metadata"]["annotations"][REVISION] = "2"
    assert found_in(seen) == []


def test_nothing_is_judged_before_the_controller_looked():
    seen = snapshot("crash")
    seen.workloads[0]["metadata"]["generation"] += 1
    assert found_in(seen) == []


def test_localstack_without_a_license_is_known_at_its_first_end():
    seen = snapshot("crash")
    seen.pods[0]["spec"]["containers"][0]["image"] = "localstack/localstack:2026.3.0"
    status_of(seen).update(state={"terminated": {"exitCode": 55, "reason": "Error"}}, lastState={}, restartCount=0)
    found = found_in(seen)[0]
    assert (found.reason, found.grace) == ("NoLicense", 0)
    assert "did not accept its token" in found.message
    assert "localstack_service_engine=ministack" in found.next_step


def test_a_stateful_set_waits_for_its_broken_old_pod():
    seen = snapshot("sts")
    seen.workloads[0]["status"].update(updateRevision="sts-2", availableReplicas=1)
    status_of(seen).update(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=5)
    found = found_in(seen)[0]
    assert (found.reason, found.grace) == ("CrashLoopBackOff", 15)
    assert "delete the pod sts-0" in found.next_step


@pytest.mark.parametrize(("count", "expected"), [(2, 0), (3, 1)])
def test_a_few_restarts_are_no_crash_loop(count, expected):
    seen = snapshot("crash")
    for pod in seen.pods:
        pod["status"]["containerStatuses"][0]["restartCount"] = count
    assert len(distinct(found_in(seen))) == expected


def test_a_container_that_runs_again_is_no_crash_loop():
    seen = snapshot("crash")
    for pod in seen.pods:
        pod["status"]["containerStatuses"][0]["state"] = {"running": {}}
    assert found_in(seen) == []


@pytest.mark.parametrize(
    ("ended", "step"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "memory limit"),
        ({"exitCode": 0, "reason": "Completed"}, "must keep running"),
        ({"exitCode": 127, "reason": "Error"}, "not in the image"),
        ({"exitCode": 143, "reason": "Error"}, "liveness probe"),
        ({"exitCode": 1, "reason": "Error"}, "read its log"),
    ],
)
def test_what_to_do_about_an_exit_code(ended, step):
    assert step in problems.crash_step(ended)


@pytest.mark.parametrize(("live", "last", "expected"), [(True, "30", 1), (False, "30", 0), (True, "10", 0)])
def test_a_volume_counts_when_its_event_came_again_while_we_watched(live, last, expected):
    seen = snapshot("mount", live=live)
    for event in seen.events:
        event.update(firstTimestamp="2026-01-01T00:00:00Z", lastTimestamp=f"2026-01-01T00:00:{last}Z")
    assert [one.reason for one in found_in(seen)] == ["FailedMount"] * expected


def test_init_containers_are_judged():
    seen = snapshot("secret")
    pod = seen.pods[0]
    pod["status"]["initContainerStatuses"] = pod["status"].pop("containerStatuses")
    assert found_in(seen)[0].reason == "CreateContainerConfigError"


def test_a_pod_that_ended_is_replaced_by_its_controller():
    seen = snapshot("secret")
    seen.pods[0]["status"]["phase"] = "Failed"
    assert found_in(seen) == []


def test_a_paused_deployment():
    seen = snapshot("probe")
    seen.workloads[0]["spec"]["paused"] = True
    assert found_in(seen)[0].next_step == "kubectl rollout resume deployment/probe"


def test_an_update_on_delete():
    seen = snapshot("sts")
    seen.workloads[0]["spec"]["updateStrategy"] = {"type": "OnDelete"}
    seen.workloads[0]["status"].update(updateRevision="sts-2", updatedReplicas=0)
    assert found_in(seen)[0].next_step == "delete sts-0, sts-1"


def problem(key="a", grace=3.0, pod="p"):
    return Problem((key,), grace, "Reason", "message", "step", pod=pod)


def test_patience_lasts_as_long_as_the_grace():
    patience = Patience()
    assert patience.overdue([problem()], 10) == ([], 13)
    assert patience.overdue([problem()], 12.9) == ([], 13)
    assert patience.overdue([problem()], 13) == ([problem()], None)


def test_what_healed_in_between_starts_anew():
    patience = Patience()
    patience.overdue([problem()], 10)
    assert patience.overdue([], 12) == ([], None)
    assert patience.overdue([problem()], 14) == ([], 17)


def test_another_wording_is_the_same_problem():
    patience = Patience()
    patience.overdue([problem(grace=20)], 10)
    later = problem(grace=20)._replace(reason="ImagePullBackOff")
    assert patience.overdue([later], 30) == ([later], None)


def test_replicas_with_the_same_problem_are_told_once():
    assert distinct([problem("a", pod="p1"), problem("b", pod="p2")]) == [problem("a", pod="p1")]
