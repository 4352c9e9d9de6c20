"""Pods that a killed node left as ready."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.node.stale import PODS, mark_unready

STARTED = datetime.datetime(2026, 11, 1, 12, 0, tzinfo=datetime.UTC)
BEFORE, AFTER = "2026-11-01T11:59:00Z", "2026-11-01T12:00:05Z"


def pod(name: str, since: str, ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "apps", "name": name, "resourceVersion": "7"},
        "status": {
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": BEFORE},
                {"type": "Ready", "status": ready, "lastTransitionTime": BEFORE},
            ],
            "containerStatuses": [{"name": "app", "state": {"running": {"startedAt": since}}}],
        },
    }


class Api:
    def __init__(self, *pods: dict[str, Any], status: int = 0) -> None:
        self.pods, self.status = list(pods), status
        self.patches: dict[str, dict[str, Any]] = {}

    def get(self, path: str, params: Any) -> dict[str, Any]:
        assert path == PODS
        return {"items": copy.deepcopy(self.pods)}

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        if self.status:
            raise ApiError(self.status, "refused")
        self.patches[path] = patch


def test_only_those_whose_containers_ran_before_the_node() -> None:
    ended = pod("ended", BEFORE)
    ended["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 255}}
    api = Api(pod("stale", BEFORE), pod("again", AFTER), pod("unready", BEFORE, "False"), ended, {"metadata": {}})
    assert mark_unready(api, STARTED) == 1
    assert list(api.patches) == ["/api/v1/namespaces/apps/pods/stale/status"]
    patch = api.patches["/api/v1/namespaces/apps/pods/stale/status"]
    assert patch["metadata"] == {"resourceVersion": "7"}
    scheduled, ready = patch["status"]["conditions"]
    assert (scheduled["status"], scheduled["lastTransitionTime"]) == ("True", BEFORE)
    assert (ready["status"], ready["reason"]) == ("False", "NodeRestarted")


@pytest.mark.parametrize("status", [404, 409])
def test_a_newer_status_of_the_kubelet_counts(status: int) -> None:
    assert mark_unready(Api(pod("stale", BEFORE), status=status), STARTED) == 0


def test_a_refusal_is_told() -> None:
    with pytest.raises(ApiError, match="refused"):
        mark_unready(Api(pod("stale", BEFORE), status=403), STARTED)
