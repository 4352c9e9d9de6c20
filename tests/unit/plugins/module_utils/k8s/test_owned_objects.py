"""Removal takes what carries our label, and nothing else, whatever else there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import OWNER, foreign_problems
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.owned_objects import Scope, remove
from hypothesis import given
from hypothesis import strategies as st

OURS = Scope(frozenset({"ours"}))
VERBS = ["delete", "get", "list"]
CONFIG_MAPS = "/api/v1/namespaces/space/configmaps"
SPACE = "/api/v1/namespaces/space"


def made(name: str, owner: str | None = None, **metadata: Any) -> dict[str, Any]:
    labels = {} if owner is None else {OWNER: owner}
    return {"metadata": {"name": name, "namespace": "space", "uid": f"uid-{name}", "labels": labels, **metadata}}


def space(owner: str | None) -> dict[str, Any]:
    return {"metadata": {"name": "space", "uid": "uid-space", "labels": {} if owner is None else {OWNER: owner}}}


class Cluster:
    """An API server with ConfigMaps and a namespace; what is in `held` is not gone after its deletion."""

    def __init__(self, config_maps: list[dict[str, Any]], namespace: Any = None, held: tuple[str, ...] = ()) -> None:
        self.objects = {f"{CONFIG_MAPS}/{one['metadata']['name']}": one for one in config_maps}
        if namespace:
            self.objects[SPACE] = namespace
        self.held = held
        self.deleted: list[str] = []

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        if path == "/apis":
            return {"groups": []}
        if path == "/api/v1":
            kinds = (("ConfigMap", "configmaps", True), ("Namespace", "namespaces", False))
            return {
                "resources": [
                    {"kind": kind, "name": name, "namespaced": spaced, "verbs": VERBS} for kind, name, spaced in kinds
                ]
            }
        if path == CONFIG_MAPS:
            return {"items": [one for key, one in self.objects.items() if key.startswith(f"{CONFIG_MAPS}/")]}
        if path in self.objects:
            return self.objects[path]
        raise ApiError(404, "not found")

    def delete(self, path: str, uid: str, foreground: bool = False) -> None:
        assert self.objects[path]["metadata"]["uid"] == uid
        self.deleted.append(path)
        if self.objects[path]["metadata"]["name"] not in self.held:
            del self.objects[path]


def references(*names: str) -> list[dict[str, Any]]:
    return [{"api_version": "v1", "kind": "ConfigMap", "name": name, "namespace": "space"} for name in names]


OWNERS = st.sampled_from([None, "", "ours", "theirs", "ours-too"])


@given(st.dictionaries(st.sampled_from("abcdef"), OWNERS), OWNERS, st.sets(st.sampled_from("abcdefgh")))
def test_only_ours_goes_whatever_is_there(owners: dict[str, str | None], of_space: str | None, asked: set[str]) -> None:
    cluster = Cluster([made(name, owner) for name, owner in owners.items()], space(of_space))
    done = remove(cluster, references(*asked), ["space"], OURS, timeout=1)
    going = {name for name in asked if owners.get(name) == "ours"}
    emptied = of_space == "ours" and set(owners) == going
    assert set(cluster.deleted) == {f"{CONFIG_MAPS}/{name}" for name in going} | ({SPACE} if emptied else set())
    assert {one["name"] for one in done.kept} == (asked & set(owners)) - going | (set() if emptied else {"space"})


@given(st.dictionaries(st.sampled_from("abc"), OWNERS), OWNERS)
def test_without_an_owner_nothing_is_ours(owners: dict[str, str | None], of_space: str | None) -> None:
    cluster = Cluster([made(name, owner) for name, owner in owners.items()], space(of_space))
    remove(cluster, references("a", "b", "c"), ["space"], Scope(frozenset({""})), timeout=1)
    assert cluster.deleted == []


def test_check_mode_says_the_same_and_removes_nothing() -> None:
    cluster = Cluster([made("a", "ours"), made("b", "ours"), made("c", "theirs")], space("ours"))
    done = remove(cluster, references("a", "c"), ["space"], OURS, timeout=1, check_mode=True)
    assert [one["name"] for one in done.removed] == ["a"]
    assert [(one["name"], one["owner"], one["reason"]) for one in done.kept] == [
        ("c", "theirs", "owner theirs"),
        ("space", "ours", "not empty: ConfigMap/c (space)"),
    ]
    assert cluster.deleted == []


@pytest.mark.parametrize(
    "belonging",
    [
        made("kube-root-ca.crt"),
        made("owned", ownerReferences=[{"kind": "Service", "name": "s"}]),
        made("token", annotations={"kubernetes.io/service-account.name": "default"}),
    ],
)
def test_what_belongs_to_the_namespace_goes_with_it(belonging: dict[str, Any]) -> None:
    cluster = Cluster([belonging], space("ours"))
    assert [one["kind"] for one in remove(cluster, [], ["space"], OURS, timeout=1).removed] == ["Namespace"]


def test_in_check_mode_the_releases_of_ours_count_as_gone() -> None:
    theirs = made("record", labels={"owner": "helm", "name": "orders"})
    of_release = made("map", annotations={"meta.helm.sh/release-name": "orders"})
    cluster = Cluster([theirs, of_release], space("ours"))
    ours = Scope(frozenset({"ours"}), frozenset({"orders"}))
    assert [one["kind"] for one in remove(cluster, [], ["space"], ours, 1, check_mode=True).removed] == ["Namespace"]
    assert [one["kind"] for one in remove(cluster, [], ["space"], ours, 1).kept] == ["Namespace"]


def test_what_is_not_gone_in_time_is_named_with_what_holds_it() -> None:
    cluster = Cluster([made("a", "ours", finalizers=["example.com/wait"])], held=("a",))
    with pytest.raises(KubernetesError, match=r"ConfigMap/a \(space\) \(finalizers example.com/wait\)"):
        remove(cluster, references("a"), [], OURS, timeout=0)


def test_another_object_that_got_the_name_stays() -> None:
    class Replaced(Cluster):
        def delete(self, path: str, uid: str, foreground: bool = False) -> None:
            self.objects[path] = made("a", "theirs", uid="uid-new")
            raise ApiError(409, "the UID in the precondition does not match")

    cluster = Replaced([made("a", "ours")])
    remove(cluster, references("a"), [], OURS, timeout=1)
    assert cluster.objects[f"{CONFIG_MAPS}/a"]["metadata"]["uid"] == "uid-new"


def test_a_kind_that_is_not_served_has_no_objects() -> None:
    reference = {"api_version": "example.com/v1", "kind": "Thing", "name": "a"}
    assert remove(Cluster([]), [reference], [], OURS, timeout=1) == ([], [])


def test_one_message_names_all_that_others_own() -> None:
    rows = [
        {"kind": "Service", "name": "a", "namespace": "n", "owner": "x"},
        {"kind": "Secret", "name": "b", "owner": None},
    ]
    (problem,) = foreign_problems(rows, "Take another name.")
    assert "Service/a (n), owner x; Secret/b, no label localcloud.dev/owner" in problem
    assert foreign_problems([], "Take another name.") == []
