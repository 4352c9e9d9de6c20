"""Applications are waited for, and asked to be compared at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.argocd.status import REFRESH
from ansible_collections.localcloud.stack.plugins.module_utils.argocd.wait import API, Options, Waiter
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError

from tests.unit.plugins.module_utils.argocd.test_status import REVISION, application

BEHIND = application(sync={"status": "Synced", "revision": "b" * 40})
BROKEN = application(
    sync={"status": "Unknown"}, conditions=[{"type": "ComparisonError", "message": "helm template: no such value"}]
)
AWAY = application(
    sync={"status": "Unknown"}, conditions=[{"type": "ComparisonError", "message": "dial tcp: connection refused"}]
)


class Script:
    """An API server whose list of Applications is the next of a script at each look; the last one stays."""

    def __init__(self, *looks: list[Any], served: bool = True) -> None:
        self.looks = list(looks)
        self.served = served
        self.merged: list[tuple[str, Any]] = []

    def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        if path == API:
            if not self.served:
                raise ApiError(404, "not found")
            return {}
        return {"items": self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]}

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        self.merged.append((path, patch))


def waiter(api: Script, timeout: float = 5, patience: float = 0) -> Waiter:
    options = Options(["web-dev"], revision=REVISION, timeout=timeout)
    return Waiter(api, options, interval=0.001, patience=patience)


def test_what_is_as_wanted_is_not_touched() -> None:
    api = Script([application()])
    assert waiter(api).wait()["done"]
    assert api.merged == []


def test_what_is_behind_is_compared_at_once_and_once() -> None:
    api = Script([BEHIND], [BEHIND], [BEHIND], [application()])
    assert waiter(api).wait()["done"]
    path = f"{API}/namespaces/argocd/applications/web-dev"
    assert api.merged == [(path, {"metadata": {"annotations": {REFRESH: "normal"}}})]


def test_an_application_that_its_set_has_not_made_yet_is_waited_for() -> None:
    api = Script([], [], [application()])
    assert waiter(api).wait()["done"]
    assert api.merged == []


def test_what_waiting_does_not_cure_fails_early_with_the_reason() -> None:
    with pytest.raises(KubernetesError, match="helm template: no such value") as failed:
        waiter(Script([BROKEN]), timeout=60).wait()
    assert failed.value.details["waited_seconds"] < 30


def test_an_old_message_is_given_time_to_go() -> None:
    api = Script([BROKEN], [BROKEN], [application()])
    assert waiter(api, patience=5).wait()["done"]


def test_a_git_server_that_is_away_is_waited_for_up_to_the_time_limit() -> None:
    with pytest.raises(KubernetesError, match="what runs goes on running"):
        waiter(Script([AWAY]), timeout=0.5).wait()
    assert waiter(Script([AWAY], [AWAY], [application()])).wait()["done"]


def test_a_cluster_without_argo_cd_is_named() -> None:
    with pytest.raises(KubernetesError, match="has no Argo CD"):
        waiter(Script([], served=False)).wait()


def test_a_look_does_not_wait_and_does_not_fail() -> None:
    api = Script([BEHIND])
    assert waiter(api).look()["done"] is False
    assert api.merged == []
