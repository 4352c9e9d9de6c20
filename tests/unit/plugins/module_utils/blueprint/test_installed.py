"""Which blueprint is meant, what is remembered of it, and what two of them must not share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.installed import (
    chosen,
    collisions,
    entry_of,
    folder_of,
    images_of_all,
    known,
    missing_in,
    suffix_of,
    urls,
)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    for name in ("pipeline", "users_api"):
        (tmp_path / "ours" / name).mkdir(parents=True)
        (tmp_path / "ours" / name / "blueprint.yml").write_text("{}")
    return tmp_path / "ours"


def test_names_are_ours_and_paths_are_anybodys(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    assert folder_of("users-api", ours, tmp_path) == ours / "users_api"
    for asked, says in (
        ("orders", "There is no blueprint 'orders'; there are pipeline, users_api"),
        ("pipelin", "did you mean 'pipeline'?"),
        ("./orders", "has no blueprint.yml"),
        ("../nowhere/", "There is no folder"),
    ):
        with pytest.raises(ValueError, match="make new-blueprint|There is no") as error:
            folder_of(asked, ours, tmp_path)
        assert says in str(error.value)
    (tmp_path / "orders/blueprint.yml").write_text("{}")
    assert folder_of("./orders", ours, tmp_path) == tmp_path / "orders"
    assert folder_of(str(tmp_path / "orders"), ours, Path("/")) == tmp_path / "orders"
    with pytest.raises(ValueError, match=r"give it as \./orders"):
        folder_of("orders", ours, tmp_path)


def blueprint(**changed: Any) -> dict[str, Any]:
    return {
        "name": "orders", "folder": "/orders", "overrides": {}, "namespace": "orders", "releases": [{"name": "orders"}], "additions": [],
        "images": {}, "aws": {"topics": [{"name": "orders"}], "queues": []}, "composites": {"objects": []},
        "addresses": {"orders": {"title": None, "service": "orders", "node_port": 30100, "host": "", "paths": {"Docs": "/docs"}}},
        "links": {}, "variables": {}, "place": {}, **changed,
    }  # fmt: skip


def test_what_is_remembered() -> None:
    entry = entry_of(blueprint(), {"orders": "http://127.0.0.1:1"})
    assert entry["lists"] == {"topics": ["orders"]}
    assert entry["suffix"] == "-orders"
    assert entry["links"] == {"orders": "http://127.0.0.1:1", "Docs": "http://127.0.0.1:1/docs"}
    assert suffix_of("pipeline") == ""


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({"VERSION": "1.2", "DEBUG": True}, True),
        (None, True),
        ({"NPM_TOKEN": "n0t-to-be-kept"}, False),
        ({"INDEX": "https://me:n0t-to-be-kept@pypi.example"}, False),
        ({"SETTINGS": "url=n0t-to-be-kept"}, False),
    ],
)
def test_no_secret_of_a_build_is_remembered(tmp_path: Path, arguments: dict[str, Any] | None, kept: bool) -> None:
    image = {"build": {"context": str(tmp_path), "arguments": arguments}}
    images = {"web": image, "saved": {"archive": str(tmp_path)}}
    entry = entry_of(blueprint(images=images, variables={"npm_token": "n0t-to-be-kept", "db_password": ""}))
    assert ("n0t-to-be-kept" in str(entry)) is False
    assert ("web" in entry["images"]) is kept
    # What is remembered is what other blueprints' runs bring as well; nothing is built without its arguments.
    assert ("orders-web" in images_of_all({"orders": entry}, {"name": "other"})) is kept
    assert "orders-saved" in images_of_all({"orders": entry}, {"name": "other"})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, ["releases: 'orders'", "aws.topics: 'orders'", "addresses.orders: ", "addresses.orders.node_port: 30100"]),
        ({"namespace": "b"}, ["aws.topics: 'orders'", "addresses.orders: ", "addresses.orders.node_port: 30100"]),
        ({"namespace": "b", "aws": {"queues": [{"name": "orders"}]}, "addresses": {}}, []),
        ({"namespace": "b", "aws": {}, "addresses": {}, "place": {"prefix": "dev-"}}, ["place.prefix: 'dev-'"]),
    ],
)
def test_what_two_share_and_must_not(changed: dict[str, Any], says: list[str]) -> None:
    installed = {"first": entry_of(blueprint(name="first", place={"prefix": "dev-"}))}
    found = list(collisions("second", entry_of(blueprint(name="second", **changed)), installed))
    assert len(found) == len(says)
    assert all(one.startswith(start) and "first" in one for one, start in zip(found, says, strict=True))


def test_one_does_not_collide_with_itself_but_with_another_of_its_name(tmp_path: Path) -> None:
    entry = entry_of(blueprint())
    assert list(collisions("orders", entry, {"orders": entry})) == []
    other = {**entry, "folder": str(tmp_path)}
    assert "is that of the blueprint in" in next(collisions("orders", entry, {"orders": other}))


def test_what_older_versions_remembered(ours: Path) -> None:
    found = known({"cluster": "a", "installed": ["pipeline", "users_api"], "users_api_url": "x"}, "a", ours)
    assert found["users_api"] == {"folder": str(ours / "users_api"), "overrides": {}, "suffix": "-users-api"}
    assert known({"cluster": "a", "installed": ["pipeline"]}, "b", ours) == {}


def test_which_a_run_is_about(tmp_path: Path) -> None:
    installed = {"pipeline": {"folder": "/p"}, "orders": {"folder": str(tmp_path / "orders")}}
    assert chosen(installed, "", tmp_path) == ["pipeline", "orders"]
    assert chosen(installed, "orders", tmp_path) == chosen(installed, "./orders", tmp_path) == ["orders"]
    both = {name: {"folder": "/ours/config_api"} for name in ("config-api-dev", "config-api-prod")}
    assert chosen(both, "config-api", tmp_path) == ["config-api-dev", "config-api-prod"]
    assert chosen(both, "config_api_prod", tmp_path) == ["config-api-prod"]
    with pytest.raises(ValueError, match="'bills' is not installed; installed are pipeline, orders"):
        chosen(installed, "bills", tmp_path)
    with pytest.raises(ValueError, match="Run `make up` first"):
        chosen({}, "", tmp_path)


def test_where_addresses_answer() -> None:
    addresses = {"a": {"node_port": 30001}, "b": {"node_port": 0}}
    assert urls(addresses, "10.0.0.1", {"b": 5}) == {"a": "http://10.0.0.1:30001", "b": "http://127.0.0.1:5"}
    # A port that a node's address does not serve is forwarded.
    assert urls(addresses, "127.0.0.1", {"a": 4})["a"] == "http://127.0.0.1:4"
    assert urls(addresses, "", {"a": 4, "b": 5}) == {"a": "http://127.0.0.1:4", "b": "http://127.0.0.1:5"}


def test_what_is_missing_in_aws() -> None:
    there = {"topics": [{"name": "a"}], "tables": []}
    assert missing_in({"topics": ["a", "b"], "tables": ["t"], "queues": ["q"]}, there) == ["topic b", "table t"]


def test_images_of_others_stay_as_long_as_they_can_be_had(tmp_path: Path) -> None:
    images = {"web": {"build": {"context": str(tmp_path)}}, "old": {"archive": str(tmp_path / "gone.tar")}}
    installed = {"orders": {"images": images}, "pipeline": {"images": {"web": {"part": "consumer"}}}, "bare": {}}
    found = images_of_all(installed, {"name": "pipeline", "images": {"web": {"part": "producer"}}})
    assert found == {"pipeline-web": {"part": "producer"}, "orders-web": images["web"]}
    # Whichever of them a run is about.
    assert images_of_all(
        {**installed, "pipeline": {"images": {"web": {"part": "producer"}}}}, {"name": "orders", "images": images}
    ) == {
        **found,
        "orders-old": images["old"],
    }
