# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import conditions as rules

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "fixtures" / "crossplane_objects.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_verdict_and_cause(case):
    wanted = case.get("wanted", ["Synced", "Ready"])
    obj = rules.trim(case["object"], "sns.aws.upbound.io/v1beta1", "Topic")
    verdict = rules.evaluate(obj, wanted)
    assert verdict.ready is case["ready"]
    assert verdict.condition == case.get("condition")
    if verdict.ready:
        assert rules.permanent_cause(obj, wanted) is None
        return
    cause = rules.likely_cause(obj, verdict, None)
    if "cause" in case:
        assert (cause and cause.cause) == case["cause"] or case["cause"] in cause.cause
    assert (rules.permanent_cause(obj, wanted) is not None) is case.get("permanent", False)


def test_nothing_of_a_secret_is_kept():
    secret = {
        "metadata": {
            "name": "aws-creds",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"creds": "hush"}}'},
            "labels": {"a": "hush"},
        },
        "data": {"creds": "hush"},
        "stringData": {"creds": "hush"},
        "spec": {"forProvider": {"value": "hush"}},
        "status": {"atProvider": {"value": "hush", "arn": {"not": "hush"}}},
    }
    assert "hush" not in json.dumps(rules.trim(secret, "v1", "Secret"))


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (rules.Verdict(False, rules.NOT_FOUND), "does not exist"),
        (rules.Verdict(False, rules.NOT_SERVED), "CRD is not installed"),
        (rules.Verdict(False, rules.UNREACHABLE, None, "connection refused"), "does not answer"),
        (
            rules.Verdict(False, rules.UNREACHABLE, None, 'topics is forbidden: User "x"'),
            "refuses the kubeconfig's user",
        ),
        (rules.Verdict(False, rules.UNREACHABLE, None, "certificate verify failed"), "certificate"),
        (rules.Verdict(False, rules.UNREACHABLE, None, "The kubeconfig /x cannot be used"), "no usable kubeconfig"),
    ],
)
def test_causes_without_an_object(verdict, says):
    assert says in rules.likely_cause(None, verdict, None).cause


def test_a_creation_that_goes_on_after_one_that_failed_is_not_lost():
    conditions = [
        {"type": "Synced", "status": "False", "reason": "ReconcileError", "message": "create failed: no queue"}
    ]
    annotations = {"crossplane.io/external-create-pending": "2026-01-01T00:00:00Z"}
    obj = {"metadata": {"name": "x", "annotations": annotations}, "status": {"conditions": conditions}}
    assert rules.permanent_cause(obj, ["Synced"]) is None
    conditions[0]["message"] = "cannot determine creation result - remove the annotation"
    assert rules.permanent_cause(obj, ["Synced"]).permanent


def test_the_last_event_may_tell_the_cause():
    obj = {"metadata": {"name": "x"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    verdict = rules.evaluate(obj, ["Ready"])
    assert rules.likely_cause(obj, verdict, None) is None
    assert "denies" in rules.likely_cause(obj, verdict, "Warning X: AccessDenied: no").cause


def test_seconds_from_creation_to_ready():
    obj = {
        "metadata": {"name": "x", "creationTimestamp": "2026-01-01T12:00:00Z"},
        "status": {
            "conditions": [
                {"type": "Synced", "lastTransitionTime": "2026-01-01T12:00:03Z"},
                {"type": "Ready", "lastTransitionTime": "2026-01-01T12:00:26Z"},
            ]
        },
    }
    assert rules.ready_seconds(obj, ["Synced", "Ready"]) == 26
    assert rules.ready_seconds(obj, ["Other"]) is None
    assert rules.ready_seconds(obj, []) is None


def test_long_texts_are_cut_in_the_middle():
    text = rules.shorten("head " + "x" * 500 + "\n api error  InvalidClientTokenId", 60)
    assert len(text) == 60
    assert text.startswith("head ")
    assert text.endswith("api error InvalidClientTokenId")
    assert rules.shorten("a\n b", 10) == "a b"
    assert rules.shorten(None, 10) == ""


def row(name, cause=None, **more):
    base = {
        "kind": "Queue",
        "name": name,
        "namespace": None,
        "condition": "Ready=False",
        "reason": None,
        "message": "m",
    }
    return {**base, "last_event": None, "cause": cause, "next_step": cause and "do it", **more}


def test_a_report_has_a_line_per_resource_and_each_cause_once():
    rows = [row(f"q{number}", "it is so") for number in range(5)] + [row("web", namespace="apps", kind="Deployment")]
    lines = rules.report(rows, 9, 30.2).splitlines()
    assert lines[0] == "6 of 9 resources not ready after 30 s:"
    assert lines[1].split() == ["RESOURCE", "CONDITION", "REASON", "MESSAGE", "LAST", "EVENT"]
    assert [line.split()[0] for line in lines[2:8]] == [
        "Queue/q0",
        "Queue/q1",
        "Queue/q2",
        "Queue/q3",
        "Queue/q4",
        "Deployment/web",
    ]
    assert lines[8:] == ["Likely cause (Queue/q0, Queue/q1, Queue/q2 and 2 more): it is so. Next: do it."]
    assert {line.index("Ready=False") for line in lines[2:8]} == {lines[1].index("CONDITION")}


def test_a_report_without_a_known_cause_says_so():
    text = rules.report([row("q")], 1, 1, absent=True)
    assert "not gone" in text
    assert "No known cause fits" in text
