"""Whether an Application is as its repository says, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.argocd.status import REFRESH, evaluate, report, row

REVISION = "a" * 40


def application(**status: Any) -> dict[str, Any]:
    good = {
        "sync": {"status": "Synced", "revision": REVISION},
        "health": {"status": "Healthy"},
        "operationState": {"phase": "Succeeded"},
    }
    return {"metadata": {"name": "web-dev"}, "status": {**good, **status}}


def test_synced_and_healthy_at_the_wanted_revision() -> None:
    assert evaluate(application(), REVISION).done
    assert evaluate(application()).done


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"sync": {"status": "OutOfSync", "revision": REVISION}}, "sync OutOfSync"),
        ({"sync": {"status": "Synced", "revision": "b" * 40}}, "at bbbbbbbbbb, not aaaaaaaaaa"),
        ({"health": {"status": "Progressing"}}, "health Progressing"),
        ({"operationState": {"phase": "Running"}}, "operation Running"),
        ({"sync": {}, "health": {}, "operationState": {}}, "sync Unknown"),
    ],
)
def test_what_is_in_the_way(status: dict[str, Any], says: str) -> None:
    verdict = evaluate(application(**status), REVISION)
    assert not verdict.done
    assert says in verdict.state


def test_an_application_that_is_not_there_or_is_compared_or_goes() -> None:
    assert "not there yet" in evaluate(None).state
    compared = application()
    compared["metadata"]["annotations"] = {REFRESH: "normal"}
    assert evaluate(compared).state == "being compared"
    going = application()
    going["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
    assert not evaluate(going).done


def test_health_may_be_left_out() -> None:
    assert evaluate(application(health={"status": "Progressing"}), REVISION, healthy=False).done


@pytest.mark.parametrize(
    ("message", "cause", "hopeless"),
    [
        (
            "failed to list refs: dial tcp 10.0.0.1:80: connect: connection refused",
            "the Git server does not answer",
            False,
        ),
        ("authentication required: Unauthorized", "no valid credentials", True),
        ("unable to resolve 'nope' to a commit SHA", "no such branch", True),
        ("charts/web: app path does not exist", "no chart at this path", True),
        (
            "values don't meet the specifications of the schema(s) in the following chart(s)",
            "breaks the chart's schema",
            True,
        ),
        ("failed to generate manifest: error converting YAML to JSON", "can't be rendered", True),
        ("resource :Namespace is not permitted in project dev", "does not allow", True),
        ("something new", "", False),
    ],
)
def test_the_likely_cause_of_an_error(message: str, cause: str, hopeless: bool) -> None:
    status = {"sync": {"status": "Unknown"}, "conditions": [{"type": "ComparisonError", "message": message}]}
    verdict = evaluate(application(**status), REVISION)
    assert cause in verdict.cause
    assert bool(verdict.cause) is bool(cause)
    assert verdict.hopeless is hopeless
    assert verdict.messages == [f"ComparisonError: {message}"]


def test_resources_are_named_with_what_they_say() -> None:
    verdict = evaluate(
        application(
            sync={"status": "OutOfSync", "revision": REVISION},
            health={"status": "Degraded"},
            operationState={
                "phase": "Failed",
                "message": "one or more objects failed to apply",
                "syncResult": {
                    "resources": [
                        {
                            "kind": "Service",
                            "name": "web",
                            "status": "SyncFailed",
                            "message": 'Service "web" is invalid',
                        },
                        {"kind": "ConfigMap", "name": "web", "status": "Synced"},
                    ]
                },
            },
            resources=[
                {
                    "kind": "Deployment",
                    "name": "web",
                    "health": {"status": "Degraded", "message": "exceeded its progress deadline"},
                },
                {"kind": "ConfigMap", "name": "web", "status": "Synced"},
            ],
        ),
        REVISION,
    )
    assert verdict.messages == [
        "operation Failed: one or more objects failed to apply",
        'Service web: Service "web" is invalid',
        "Deployment web is Degraded: exceeded its progress deadline",
    ]
    assert verdict.hopeless


def test_nothing_secret_and_nothing_that_acts_on_a_terminal_is_told() -> None:
    message = "fatal: https://git:ghp_hidden@git.example.com/a: \x1b[31mdenied"
    found = application(sync={"status": "Unknown"}, conditions=[{"type": "ComparisonError", "message": message}])
    told = row("web-dev", found, evaluate(found))["messages"][0]
    assert "ghp_hidden" not in told
    assert "\x1b" not in told


def test_the_report_has_state_cause_and_next_step() -> None:
    broken = application(
        sync={"status": "Unknown"}, conditions=[{"type": "ComparisonError", "message": "helm template: no"}]
    )
    rows = [row("web-dev", broken, evaluate(broken)), row("api-dev", application(), evaluate(application()))]
    said = report(rows, "argocd", 12.3)
    assert said.splitlines() == [
        "After 12 s 1 of 2 Applications in namespace argocd are not as their repository says:",
        "- web-dev: sync Unknown",
        "  ComparisonError: helm template: no",
        "  Likely the chart or its values can't be rendered. Correct them, or go back by git revert, and push.",
        "Look: kubectl -n argocd describe application web-dev",
    ]


def test_an_operation_that_failed_before_a_way_back_is_past() -> None:
    failed = {
        "phase": "Failed",
        "message": "one or more objects failed to apply",
        "syncResult": {"revision": "b" * 40, "resources": [{"kind": "Service", "name": "x", "status": "SyncFailed"}]},
    }
    assert evaluate(application(operationState=failed), REVISION).done
    pushed = evaluate(application(operationState=failed, sync={"status": "OutOfSync", "revision": REVISION}), REVISION)
    assert pushed.messages == []
    assert not pushed.hopeless
