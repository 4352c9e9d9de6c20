"""What is removed is ours in the cluster and in AWS, and one that is not stops all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import Observed
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import Identity
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.deletion import remove
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from hypothesis import given
from hypothesis import strategies as st

VERSION = "dynamodb.aws.upbound.io/v1beta1"
BASE = f"/apis/{VERSION}/tables"
US = Identity("shop", "cluster-1")


def table(name: str, owner: str | None = "shop", **metadata: Any) -> dict[str, Any]:
    labels = {**({"localcloud.dev/owner": owner} if owner else {}), **metadata.pop("labels", {})}
    names = {"crossplane.io/external-name": name}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels, "annotations": names, **metadata},
        "spec": {"forProvider": {"region": "eu-central-1"}},
    }


class Cluster:
    """An API server with tables."""

    def __init__(self, *tables: dict[str, Any]) -> None:
        self.objects = {f"{BASE}/{one['metadata']['name']}": one for one in tables}
        self.deleted: list[tuple[str, str]] = []

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        if path == f"/apis/{VERSION}":
            return {"resources": [{"kind": "Table", "name": "tables", "verbs": ["delete"]}]}
        if path in self.objects:
            return self.objects[path]
        raise ApiError(404, "not found")

    def delete(self, path: str, uid: str) -> None:
        self.deleted.append((path, uid))


def references(*names: str) -> list[dict[str, str]]:
    return [{"api_version": VERSION, "kind": "Table", "name": name} for name in names]


def aws_tags(**tags: Any) -> Any:
    return lambda resources: Observed([{"tags": tags.get(one.external_name, {})} for one in resources], [])


def test_ours_goes_by_its_uid() -> None:
    cluster = Cluster(table("a"), table("b"), table("going", deletionTimestamp="2026-01-01T00:00:00Z"))
    done = remove(cluster, references("a", "going", "missing"), US, aws_tags(a=US.tags))
    assert [one["name"] for one in done] == ["a"]
    assert cluster.deleted == [(f"{BASE}/a", "uid-a")]


def test_check_mode_deletes_nothing() -> None:
    cluster = Cluster(table("a"))
    assert len(remove(cluster, references("a"), US, None, check_mode=True)) == 1
    assert cluster.deleted == []


def test_one_that_is_not_ours_stops_all_and_each_is_named() -> None:
    protected = table("data", labels={"localcloud.dev/deletion-protection": "true"})
    cluster = Cluster(table("a"), table("theirs", "billing"), table("taken"), protected)
    taken = {"localcloud.dev/owner": "billing", "localcloud.dev/cluster": "cluster-2"}
    with pytest.raises(KubernetesError) as error:
        remove(cluster, references("a", "theirs", "taken", "data"), US, aws_tags(taken=taken))
    for part in (
        "Table/theirs: owner billing in the cluster, not shop",
        "Table/data: holds data and is protected",
        "Table/taken: AWS has taken, and it has owner billing of cluster cluster-2",
        "deletionPolicy of the managed object to Orphan",
    ):
        assert part in error.value.message
    assert len(error.value.details["problems"]) == 3
    assert cluster.deleted == []


def test_a_protected_object_goes_where_that_is_asked_for() -> None:
    cluster = Cluster(table("data", labels={"localcloud.dev/deletion-protection": "true"}))
    assert len(remove(cluster, references("data"), US, None, protect=False)) == 1


def test_a_composite_stays_if_others_have_what_it_is_made_of() -> None:
    composite = table("whole")
    composite["spec"]["crossplane"] = {"resourceRefs": [{"apiVersion": VERSION, "kind": "Table", "name": "part"}]}
    cluster = Cluster(composite, table("part", None))
    with pytest.raises(KubernetesError, match="Table/part: AWS has part, and it has owner billing"):
        remove(cluster, references("whole"), US, aws_tags(part={"localcloud.dev/owner": "billing"}))
    assert cluster.deleted == []
    assert len(remove(cluster, references("whole"), US, aws_tags(part=US.tags))) == 1


OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(["shop", "billing", None]),
        st.sampled_from([None, "shop", "billing"]),
        st.sampled_from([None, "cluster-1", "cluster-2"]),
    ),
    max_size=6,
)


@given(OBJECTS)
def test_of_any_mixture_only_ours_is_touched(objects: list[tuple[str | None, str | None, str | None]]) -> None:
    names = [f"t{index}" for index in range(len(objects))]
    cluster = Cluster(*(table(name, owner) for name, (owner, _tag, _cluster) in zip(names, objects, strict=True)))
    tags = {
        name: {
            **({"localcloud.dev/owner": tag} if tag else {}),
            **({"localcloud.dev/cluster": uid} if uid else {}),
        }
        for name, (_owner, tag, uid) in zip(names, objects, strict=True)
    }
    foreign = [
        name for name, (owner, tag, uid) in zip(names, objects, strict=True)
        if owner != "shop" or ((tag or uid) and (tag, uid) != US)
    ]  # fmt: skip
    try:
        remove(cluster, references(*names), US, aws_tags(**tags))
    except KubernetesError as error:
        assert foreign
        assert all(f"Table/{name}:" in error.message for name in foreign)
        assert cluster.deleted == []
    else:
        assert not foreign
        assert sorted(uid for _path, uid in cluster.deleted) == sorted(f"uid-{name}" for name in names)
