"""Only what is being deleted is let go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_abandon import abandon
from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import ApiError

TOPICS = ("sns.aws.upbound.io/v1beta1", "Topic")


def topic(
    name: str, *, deleted: bool, finalizers: tuple[str, ...] = ("finalizer.managedresource.crossplane.io",)
) -> Any:
    deletion = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    return {"metadata": {"name": name, "finalizers": list(finalizers), **deletion}}


class Cluster:
    """An API server that serves topics; a name in `gone` goes before it's changed, one in `denied` may not be changed."""

    def __init__(self, *topics: Any, gone: str = "", denied: str = "") -> None:
        self.topics, self.gone, self.denied = topics, gone, denied
        self.merged: list[tuple[str, Any]] = []
        self.asked: list[Mapping[str, str]] = []

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        if path == "/apis/sns.aws.upbound.io/v1beta1":
            return {"resources": [{"kind": "Topic", "name": "topics"}, {"kind": "Topic", "name": "topics/status"}]}
        if path == "/apis/sns.aws.upbound.io/v1beta1/topics":
            self.asked.append(params)
            return {"items": list(self.topics)}
        raise ApiError(404, "not found")

    def merge(self, path: str, patch: Any) -> None:
        name = path.rsplit("/", 1)[1]
        if name == self.gone:
            raise ApiError(404, "not found")
        if name == self.denied:
            raise ApiError(403, "forbidden")
        self.merged.append((path, patch))


def test_deleted_objects_lose_their_finalizers() -> None:
    cluster = Cluster(
        topic("old", deleted=True), topic("living", deleted=False), topic("free", deleted=True, finalizers=())
    )
    assert abandon(cluster, [TOPICS], "app=orders") == ["Topic old"]
    assert cluster.merged == [("/apis/sns.aws.upbound.io/v1beta1/topics/old", {"metadata": {"finalizers": None}})]
    assert cluster.asked[0]["labelSelector"] == "app=orders"


def test_check_mode_changes_nothing() -> None:
    cluster = Cluster(topic("old", deleted=True))
    assert abandon(cluster, [TOPICS], "", check_mode=True) == ["Topic old"]
    assert cluster.merged == []


def test_a_kind_that_is_not_served_has_no_objects() -> None:
    assert abandon(Cluster(), [("sqs.aws.upbound.io/v1beta1", "Queue")], "") == []


def test_what_went_by_itself_is_no_error() -> None:
    assert abandon(Cluster(topic("old", deleted=True), gone="old"), [TOPICS], "") == ["Topic old"]


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(ApiError, match="forbidden"):
        abandon(Cluster(topic("old", deleted=True), denied="old"), [TOPICS], "")
