# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import report
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import Snapshot, trim

CONTAINERS = yaml.safe_load((pathlib.Path(__file__).parents[1] / "fixtures" / "workloads_containers.yml").read_text())
SECRET = "correct-horse"


def snapshot(name):
    case = copy.deepcopy(CONTAINERS[name])
    return Snapshot(
        [trim(one, case["kind"]) for one in case["workloads"]],
        [trim(one, "Pod") for one in case["pods"]],
        [trim(one, "ReplicaSet") for one in case["replica_sets"]],
        [trim(one, "Event") for one in case["events"]],
    )


@pytest.mark.parametrize(
    "line",
    [
        f"DB_PASSWORD={SECRET}",
        f'{{"aws_secret_access_key": "{SECRET}", "b": 1}}',
        f"input_value={{'api_key': '{SECRET}'}}",
        f"token: {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"postgres://user:{SECRET}@host/db",
    ],
)
def test_secrets_are_masked(line):
    assert SECRET not in report.masked(line)
    assert "***" in report.masked(line)


@pytest.mark.parametrize("line", ['secret "nosuch" not found', "cannot reach table orders", "http://host:80/path"])
def test_other_text_stays(line):
    assert report.masked(line) == line


def test_the_last_lines_of_a_log():
    text = "\n".join(f"line {number}" for number in range(20)) + "\nPASSWORD=a\n" + "x" * 1000 + "\n"
    lines = report.log_lines(text, 3)
    assert lines == ["line 19", "PASSWORD=***", "x" * 300]


ROW = {
    "workload": "orders",
    "pod": "orders-1",
    "container": "app",
    "image": "x:1",
    "reason": "CrashLoopBackOff",
    "message": "it was restarted 3 times.",
    "next_step": "read its log",
    "log": ["boom"],
}


def test_a_problem_in_words():
    assert report.hopeless([ROW], "Deployment", "apps") == (
        "Deployment apps/orders can't roll out, pod orders-1, container app, image x:1: CrashLoopBackOff: it was "
        "restarted 3 times. Next step: read its log.\nLast lines of its log:\n  | boom"
    )


def test_many_problems_are_cut():
    text = report.hopeless([{**ROW, "log": []}] * 7, "Deployment", "apps")
    assert text.count("Next step") == 5
    assert text.endswith("And 2 more problems.")


def test_nothing_matched():
    text = report.none_matched("Deployment", "apps", "the labels a=b", ["web"], 2)
    assert text.startswith("Waited 2 s, but no Deployment in namespace apps matched the labels a=b; there are: web.")
    assert "there are: none." in report.none_matched("Deployment", "apps", "x", [], 2)
    assert "the namespace does not exist" in report.none_matched("Deployment", "apps", "x", None, 2)


def test_a_failing_probe_when_the_time_is_up():
    seen = snapshot("probe")
    lines = report.timed_out(seen.workloads, ["gone"], "Deployment", seen, 12).splitlines()
    assert lines[:3] == [
        "Waited 12 s, but 2 of 2 Deployments did not roll out.",
        "Deployment apps/probe: 0 of 1 pods are available",
        "Deployment gone: it does not exist",
    ]
    assert lines[3].split() == ["POD", "PHASE", "READY", "RESTARTS", "CONTAINERS", "LAST", "WARNING"]
    assert "app running, not ready" in lines[4]
    assert "Unhealthy: Readiness probe failed: dial tcp" in lines[4]
    assert lines[5].startswith("Likely cause: container app runs but its probe fails: Readiness probe failed: dial tcp")


def test_a_container_that_is_slow_to_be_ready():
    seen = snapshot("probe")._replace(events=[])
    assert report.likely_causes(seen.workloads[0], seen) == [
        "container app runs but is not ready yet. Read its log, or raise timeout."
    ]


def test_a_problem_within_its_grace_is_the_likely_cause():
    seen = snapshot("secret")
    assert 'secret "nosuch" not found' in report.likely_causes(seen.workloads[0], seen)[0]


def test_a_closed_readiness_gate():
    seen = snapshot("probe")._replace(events=[])
    pod = seen.pods[0]
    pod["spec"]["readinessGates"] = [{"conditionType": "example.com/lb"}]
    pod["status"]["containerStatuses"][0]["ready"] = True
    pod["status"]["conditions"] = [{"type": "ContainersReady", "status": "True"}]
    assert report.likely_causes(seen.workloads[0], seen) == ["the pod's readiness gates are not open: example.com/lb."]


def test_a_controller_that_does_not_run():
    seen = snapshot("probe")
    seen.workloads[0]["metadata"]["generation"] = 9
    assert "kube-controller-manager" in report.likely_causes(seen.workloads[0], seen)[0]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"name": "a", "state": {"running": {}}, "ready": True}, "a running"),
        ({"name": "a", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}, "a ended (exit code 1, Error)"),
        ({"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff"}}}, "a waiting (ImagePullBackOff)"),
        ({"name": "a"}, "a waiting (unknown)"),
    ],
)
def test_states_of_containers(status, text):
    assert report.container_state(status) == text
