"""What is remembered of clusters is enough to take everything away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.stack_state import (
    RecordError,
    cluster_key,
    described,
    former_releases,
    is_contained,
    known_records,
    own_cluster,
    remembered,
    removal_steps,
    without_blueprint,
    without_release,
)
from hypothesis import given
from hypothesis import strategies as st

KIND = {"kind": "kind", "context": "kind-localcloud-1", "kubeconfig": "k", "server": "https://127.0.0.1:1"}
EMBEDDED = {"kind": "embedded", "context": "localcloud-1", "kubeconfig": "k", "server": ""}
THEIRS = {"kind": "existing", "context": "kind-a", "kubeconfig": "k", "server": "https://127.0.0.1:6443"}


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "blueprint": "pipeline",
        "namespace": "devopstest",
        "emulator_namespace": "devopstest",
        "release": "t1",
        "suffix": "",
        "engine": "localstack",
        "endpoint": "",
        **fields,
    }


def test_a_cluster_is_known_by_its_server_not_by_its_context() -> None:
    assert cluster_key(EMBEDDED) == "embedded"
    # Made again, it has another address.
    assert {cluster_key({**KIND, "server": f"https://127.0.0.1:{port}"}) for port in (1, 2)} == {"kind"}
    assert cluster_key({}) == ""
    assert cluster_key(THEIRS) == cluster_key({**THEIRS, "kubeconfig": "another"})
    assert cluster_key(THEIRS) != cluster_key({**THEIRS, "server": "https://127.0.0.1:7443"})


@given(st.text(min_size=1), st.text())
def test_a_key_is_a_file_name(context: str, server: str) -> None:
    assert "/" not in cluster_key({**THEIRS, "context": context, "server": server})
    assert not cluster_key({**THEIRS, "context": context, "server": server}).startswith(".")


FIELDS = st.fixed_dictionaries(
    {name: st.sampled_from("ab") for name in ("blueprint", "namespace", "emulator_namespace", "release", "suffix")}
    | {"engine": st.sampled_from(["localstack", "outside"]), "endpoint": st.just("")}
)


@given(st.lists(FIELDS, max_size=5))
def test_removal_covers_all_that_any_run_installed(entries: list[dict[str, Any]]) -> None:
    record: dict[str, Any] = {}
    for one in entries:
        record = remembered(record, THEIRS, [one])
        assert remembered(record, THEIRS, [one]) == record
    steps = removal_steps(record)
    for role, fields in (
        ("apps", ("namespace", "release")),
        ("aws_resources", ("suffix",)),
        ("localstack_service", ("emulator_namespace",)),
    ):
        removed = [tuple(one["entry"][field] for field in fields) for one in steps if one["role"] == role]
        assert set(removed) == {tuple(one[field] for field in fields) for one in entries}
        assert role == "apps" or len(removed) == len(set(removed))


def test_the_order_of_removal() -> None:
    record = remembered({}, THEIRS, [entry(), entry(release="users-api", suffix="-users-api")])
    assert [(one["role"], one["tasks"]) for one in removal_steps(record)] == [
        ("apps", "absent"),
        ("apps", "absent"),
        ("crossplane", "absent_composites"),
        ("aws_resources", "absent"),
        ("aws_resources", "absent"),
        ("crossplane", "absent"),
        ("localstack_service", "absent"),
    ]


def test_an_edit_of_an_application_changes_no_record() -> None:
    facts = {**EMBEDDED, "parts": {"helm": {"path": "/helm", "image": None}}}
    first, second = (
        remembered(
            {},
            {
                **facts,
                "parts": {**facts["parts"], "consumer": {"path": tag, "image": tag}},
                "images": {"consumer": tag},
            },
            [entry()],
        )
        for tag in ("consumer:1", "consumer:2")
    )
    assert first == second
    assert first["cluster"]["parts"] == facts["parts"]


ORDERS = {"blueprint": "orders", "namespace": "orders", "release": "orders", "suffix": "-orders"}


def test_one_blueprint_goes_without_what_others_share() -> None:
    record = remembered({}, THEIRS, [entry(), entry(**ORDERS), entry(**{**ORDERS, "release": ""})])
    steps = [(one["role"], one["tasks"], one["entry"]["suffix"]) for one in removal_steps(record, "orders")]
    assert steps == [
        ("apps", "absent", "-orders"),
        ("aws_resources", "absent", "-orders"),
        ("apps", "absent", "-orders"),
    ]
    left = without_blueprint(record, "orders")
    assert left["installed"] == [entry()]
    # The emulator of a stack without any blueprint is still found.
    (last,) = without_blueprint(left, "pipeline")["installed"]
    assert (last["blueprint"], last["release"], last["emulator_namespace"]) == ("", "", "devopstest")
    assert [one["role"] for one in removal_steps({"installed": [last]})][-1] == "localstack_service"


def test_a_release_that_is_no_longer_declared() -> None:
    record = remembered({}, THEIRS, [entry(), entry(release="old"), entry(**ORDERS)])
    assert former_releases(record, [entry()]) == [entry(release="old")]
    assert former_releases(record, [entry(namespace="b")]) == [entry(), entry(release="old")]
    assert without_release(record, entry(release="old"))["installed"] == [entry(), entry(release=""), entry(**ORDERS)]


def test_what_goes_with_the_node() -> None:
    inside = remembered({}, EMBEDDED, [entry()])
    assert is_contained(inside)
    assert not is_contained(remembered(inside, EMBEDDED, [entry(engine="aws")]))
    assert is_contained(remembered({}, KIND, [entry()]))
    assert not is_contained(remembered({}, {**KIND, "kind": "existing"}, [entry()]))
    assert not is_contained(remembered({}, THEIRS, [entry()]))


def test_a_cluster_in_a_message() -> None:
    record = remembered({}, THEIRS, [entry(engine="outside", endpoint="http://10.0.0.1:4566")])
    assert described(record) == "context kind-a of k (http://10.0.0.1:4566)"
    assert described({"cluster": EMBEDDED, "installed": []}) == "the embedded node"
    assert described({"cluster": KIND, "installed": []}) == "the kind cluster"
    assert own_cluster(KIND) == "the kind cluster localcloud-1"
    assert own_cluster(EMBEDDED) == "the embedded node localcloud-1"


def test_every_record_is_known_and_a_cluster_from_before_there_were_records(tmp_path: Path) -> None:
    (tmp_path / "installed-a.json").write_text(json.dumps(remembered({}, THEIRS, [entry()])))
    found = known_records(tmp_path, EMBEDDED, [entry()])
    assert [one["key"] for one in found] == ["a", "embedded"]
    assert found[1]["record"] == {"cluster": EMBEDDED, "installed": [entry()]}
    assert known_records(tmp_path / "none", {}, [entry()]) == []


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"cluster": {}}', '{"cluster": 1, "installed": []}'])
def test_a_damaged_record_is_named(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "installed-a.json").write_text(damaged)
    with pytest.raises(RecordError, match=r"installed-a\.json says which cluster has to be emptied"):
        known_records(tmp_path, {}, [])
