"""Only what is being deleted is let go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.finalizers import abandon, abandon_these
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError

TOPICS = ("sns.aws.upbound.io/v1beta1", "Topic")


def topic(
    name: str,
    *,
    deleted: bool,
    finalizers: tuple[str, ...] = ("finalizer.managedresource.crossplane.io",),
    owner: str = "ours",
) -> Any:
    deletion = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    labels = {"localcloud.dev/owner": owner} if owner else {}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "finalizers": list(finalizers),
            "labels": labels,
            "resourceVersion": "7",
            **deletion,
        }
    }


class Cluster:
    """An API server that serves topics; a name in `gone` goes before it's changed, one in `denied` may not be changed.

    One in `changing` is changed by others meanwhile, one in `sold` gets another owner after it was listed.
    """

    def __init__(self, *topics: Any, gone: str = "", denied: str = "", changing: str = "", sold: str = "") -> None:
        self.topics, self.gone, self.denied, self.changing, self.sold = topics, gone, denied, changing, sold
        self.merged: list[tuple[str, Any]] = []
        self.asked: list[Mapping[str, str]] = []

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        if path == "/apis/sns.aws.upbound.io/v1beta1":
            return {"resources": [{"kind": "Topic", "name": "topics"}, {"kind": "Topic", "name": "topics/status"}]}
        if path == "/apis/sns.aws.upbound.io/v1beta1/topics":
            self.asked.append(params)
            return {"items": list(self.topics)}
        name = path.rsplit("/", 1)[1]
        for one in self.topics:
            if one["metadata"]["name"] == name and name != self.gone:
                return topic(name, deleted=True, owner="theirs") if name == self.sold else one
        raise ApiError(404, "not found")

    def merge(self, path: str, patch: Any) -> None:
        name = path.rsplit("/", 1)[1]
        if name == self.gone:
            raise ApiError(404, "not found")
        if name == self.changing:
            self.changing = ""
            raise ApiError(409, "the object has been modified")
        if name == self.denied:
            raise ApiError(403, "forbidden")
        self.merged.append((path, patch))


PATCH = {"metadata": {"finalizers": None, "resourceVersion": "7"}}
PATH = "/apis/sns.aws.upbound.io/v1beta1/topics"


def test_deleted_objects_lose_their_finalizers() -> None:
    cluster = Cluster(
        topic("old", deleted=True), topic("living", deleted=False), topic("free", deleted=True, finalizers=())
    )
    assert abandon(cluster, [TOPICS], "ours", "app=orders") == ["Topic old"]
    assert cluster.merged == [(f"{PATH}/old", PATCH)]
    assert cluster.asked[0]["labelSelector"] == "localcloud.dev/owner=ours,app=orders"


def test_what_others_own_keeps_its_finalizers() -> None:
    cluster = Cluster(
        topic("theirs", deleted=True, owner="theirs"),
        topic("nobodys", deleted=True, owner=""),
        topic("old", deleted=True),
    )
    assert abandon(cluster, [TOPICS], "ours") == ["Topic old"]
    assert [path for path, _patch in cluster.merged] == [f"{PATH}/old"]
    assert abandon(cluster, [TOPICS], "") == []


def test_the_owner_is_read_again_just_before() -> None:
    cluster = Cluster(topic("old", deleted=True), sold="old")
    assert abandon(cluster, [TOPICS], "ours") == []
    assert cluster.merged == []


def test_what_changes_meanwhile_is_read_again() -> None:
    cluster = Cluster(topic("old", deleted=True), changing="old")
    assert abandon(cluster, [TOPICS], "ours") == ["Topic old"]
    assert cluster.merged == [(f"{PATH}/old", PATCH)]


def reference(name: str, **more: str) -> dict[str, str]:
    return {"api_version": TOPICS[0], "kind": TOPICS[1], "name": name, **more}


def test_of_single_objects_only_ours_and_those_of_a_known_uid_lose_their_finalizers() -> None:
    cluster = Cluster(
        topic("mine", deleted=True),
        topic("theirs", deleted=True, owner="theirs"),
        topic("nobodys", deleted=True, owner=""),
        topic("lock", deleted=True, owner=""),
        topic("living", deleted=False),
    )
    asked = [
        reference("mine"),
        reference("theirs"),
        reference("theirs", uid="uid-of-one-before"),
        reference("nobodys"),
        reference("lock", uid="uid-lock"),
        reference("living"),
        reference("missing"),
        {"api_version": "x.org/v1", "kind": "X", "name": "x"},
    ]
    assert abandon_these(cluster, asked, "ours") == ["Topic lock", "Topic mine"]
    assert [path for path, _patch in cluster.merged] == [f"{PATH}/mine", f"{PATH}/lock"]
    assert abandon_these(Cluster(topic("nobodys", deleted=True, owner="")), [reference("nobodys")], "") == []


def test_check_mode_changes_nothing() -> None:
    cluster = Cluster(topic("old", deleted=True))
    assert abandon(cluster, [TOPICS], "ours", check_mode=True) == ["Topic old"]
    assert cluster.merged == []


def test_a_kind_that_is_not_served_has_no_objects() -> None:
    assert abandon(Cluster(), [("sqs.aws.upbound.io/v1beta1", "Queue")], "ours") == []


def test_what_went_by_itself_is_no_error() -> None:
    assert abandon(Cluster(topic("old", deleted=True), gone="old"), [TOPICS], "ours") == ["Topic old"]


def test_a_refusal_is_an_error() -> None:
    with pytest.raises(ApiError, match="forbidden"):
        abandon(Cluster(topic("old", deleted=True), denied="old"), [TOPICS], "ours")
