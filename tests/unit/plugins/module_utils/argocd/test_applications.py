"""What Argo CD is told follows from the environments alone."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.argocd.applications import (
    application_names,
    environments,
    objects,
    overlay,
)
from hypothesis import given
from hypothesis import strategies as st

MAPS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
URL = "http://git.invalid/stack.git"


def entry(environment: str, *names: str, repository: str = "", **values: Any) -> dict[str, Any]:
    services = [{"name": name, "path": f"charts/{name}", "values": values} for name in names or ("web", "api")]
    told = {"environment": environment, "namespace": f"ns-{environment}", "repository": repository, "branch": "main"}
    return {"gitops": {**told, "services": services}}


def merged(first: Any, second: Any) -> Any:
    """As Helm merges values."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return second
    return {**first, **{key: merged(first[key], one) if key in first else one for key, one in second.items()}}


@given(MAPS, MAPS, MAPS)
def test_files_and_overlay_together_say_what_the_values_say(values: Any, first: Any, second: Any) -> None:
    known = merged(first, second)
    assert merged(known, overlay(values, [first, second])) == merged(known, values)


@given(MAPS, MAPS)
def test_what_the_files_say_is_not_said_again(values: Any, known: Any) -> None:
    assert overlay(merged(known, values), [known]) == overlay(values, [known])
    assert overlay(known, [known]) == {}


def test_a_version_of_a_values_file_is_left_to_the_repository() -> None:
    values = {
        "version": "v1",
        "image": "node/web@sha256:1",
        "global": {"aws": {"region": "eu-west-1", "endpoint": "x"}},
    }
    files = [{"version": "0.1.0", "global": {"aws": {"region": "eu-west-1"}}}, {"version": "v1"}]
    assert overlay(values, files) == {"image": "node/web@sha256:1", "global": {"aws": {"endpoint": "x"}}}


def test_installed_environments_and_the_present_one() -> None:
    installed = {"b": entry("prod"), "a": entry("dev"), "other": {"releases": []}}
    found = environments(installed, entry("dev", image="new"), "a", URL)
    assert [(one["environment"], one["repository"]) for one in found] == [("dev", URL), ("prod", URL)]
    assert found[0]["services"][0]["values"] == {"image": "new"}
    assert [one["environment"] for one in environments(installed, {"releases": []}, "a", URL)] == ["prod"]
    assert [one["environment"] for one in environments(installed, {}, "", URL)] == ["dev", "prod"]


def test_a_repository_of_ones_own_is_in_one_place() -> None:
    own = "https://git.example.com/me/config.git"
    found = environments({}, entry("dev", repository=own), "a", URL)
    assert [one["repository"] for one in found] == [own]
    project = objects(found, "argocd", "o")[0]
    assert project["spec"]["sourceRepos"] == [own]


def test_an_application_set_for_each_service_makes_an_application_for_each_environment() -> None:
    all_environments = environments({"b": entry("prod")}, entry("dev"), "a", URL)
    made = objects(all_environments, "argocd", "mine")
    assert [(one["kind"], one["metadata"]["name"]) for one in made] == [
        ("AppProject", "dev"),
        ("AppProject", "prod"),
        ("ApplicationSet", "api"),
        ("ApplicationSet", "web"),
    ]
    assert all(one["metadata"]["labels"] == {"localcloud.dev/owner": "mine"} for one in made)
    spec = made[3]["spec"]
    assert spec["goTemplate"] is True
    elements = spec["generators"][0]["list"]["elements"]
    assert [one["environment"] for one in elements] == ["dev", "prod"]
    assert application_names(all_environments[0]) == ["web-dev", "api-dev"]
    # A template fills in text alone.
    assert all(isinstance(value, str) for one in elements for value in one.values())


def test_an_environment_gets_into_its_own_namespace_only() -> None:
    (project, *_sets) = objects(environments({}, entry("dev"), "a", URL), "argocd", "o")
    assert project["spec"]["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "ns-dev"}]
    assert "clusterResourceWhitelist" not in project["spec"]


def test_values_come_as_yaml() -> None:
    made = objects(environments({}, entry("dev", version="1e5", nested={"on": True}), "a", URL), "argocd", "o")
    element = made[1]["spec"]["generators"][0]["list"]["elements"][0]
    assert yaml.safe_load(element["values"]) == {"version": "1e5", "nested": {"on": True}}


def test_what_goes_is_deleted_with_all_that_it_consists_of() -> None:
    made = objects(environments({}, entry("dev"), "a", URL), "argocd", "o")
    assert made[1]["spec"]["template"]["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
