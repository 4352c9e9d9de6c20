"""A cluster is known by the UID of a namespace, a kind's tags by its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.identity import cluster_uid, kinds_with_tags
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError

VERSION = "iam.aws.upbound.io/v1beta1"


class Cluster:
    def __init__(self, refused: int = 0) -> None:
        self.refused = refused
        self.asked: list[str] = []

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        self.asked.append(path)
        if path == f"/apis/{VERSION}":
            return {"resources": [{"kind": "User", "name": "users"}, {"kind": "AccessKey", "name": "accesskeys"}]}
        if self.refused:
            raise ApiError(self.refused, "no")
        if path == "/api/v1/namespaces/kube-system":
            return {"metadata": {"uid": "u"}}
        name = path.rpartition("/")[2]
        if name in ("users.iam.aws.upbound.io", "accesskeys.iam.aws.upbound.io"):
            fields = {"tags": {}} if name.startswith("users") else {"status": {}}
            spec = {"properties": {"forProvider": {"properties": fields}}}
            schema = {"openAPIV3Schema": {"properties": {"spec": spec}}}
            return {"spec": {"versions": [{"name": "v1beta1", "schema": schema}]}}
        raise ApiError(404, "not found")


def obj(kind: str, version: str = VERSION, **parameters: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": {"forProvider": parameters}}


def test_a_cluster_is_known_by_the_uid_of_kube_system() -> None:
    assert cluster_uid(Cluster()) == "u"
    with pytest.raises(KubernetesError, match="Let the user get this namespace"):
        cluster_uid(Cluster(403))
    with pytest.raises(ApiError):
        cluster_uid(Cluster(500))


def test_which_kinds_have_tags_is_read_from_their_schemas() -> None:
    objects = [obj("User"), obj("AccessKey"), obj("Unknown"), obj("X", "example.org/v1")]
    assert kinds_with_tags(Cluster(), objects) == {(VERSION, "User")}
    assert kinds_with_tags(Cluster(403), objects) == set()
    with pytest.raises(ApiError):
        kinds_with_tags(Cluster(500), objects)


def test_what_has_tags_already_is_not_looked_up() -> None:
    cluster = Cluster()
    assert kinds_with_tags(cluster, [obj("User", tags={}), {**obj("User"), "spec": {}}]) == set()
    assert cluster.asked == []
