"""What of a blueprint a repository says, and what is refused before anything is pushed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.installed import collisions, entry_of

from tests.unit.plugins.module_utils.blueprint.test_reader import reading


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chart = tmp_path / "orders/chart"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: orders\n")
    (chart / "values.yaml").write_text("version: 0.1.0\nreplicas: 1\n")
    (chart / "values-dev.yaml").write_text("version: v1\n")
    return tmp_path / "orders"


def blueprint(**gitops: Any) -> dict[str, Any]:
    return {
        "variables": {"token": "", "on": True},
        "gitops": {"environment": "dev", **gitops},
        "releases": [
            {"name": "web", "chart": "chart", "values": {"version": "v1", "replicas": 3, "extra": "{{ token }}"}}
        ],
    }


def test_services_are_releases_with_what_their_files_do_not_say(folder: Path) -> None:
    found = reading(folder, blueprint())
    assert found.problems == []
    (service,) = found.blueprint["gitops"]["services"]
    assert service == {
        "name": "web",
        "chart": str(folder / "chart"),
        "path": "charts/chart",
        "values": {"replicas": 3, "extra": ""},
    }
    entry = entry_of(found.blueprint)
    assert entry["additions"] == ["argocd"]
    assert entry["gitops"]["services"] == [{key: service[key] for key in ("name", "path", "values")}]


def test_what_is_switched_off_is_not_there(folder: Path) -> None:
    found = reading(folder, blueprint(when=False))
    assert found.problems == []
    assert found.blueprint["gitops"] is None
    assert "gitops" not in entry_of(found.blueprint)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"gitops": {"environment": "dev", "repository": "https://t0ken-hidden@git.example.com/a"}},
            "with credentials in it",
        ),
        ({"gitops": {"environment": "dev", "repository": "git.example.com/a"}}, "is not a URL of a Git repository"),
        ({"gitops": {"environment": "Dev!"}}, "gitops.environment: 'Dev!' is not a name of Kubernetes"),
        ({"releases": []}, "there is no release that could follow a repository"),
        (
            {"releases": [{"name": "web", "chart": "oci://registry.example.com/web", "version": "1"}]},
            "releases[0].chart: with gitops it must be a folder",
        ),
    ],
)
def test_what_can_not_be_followed_is_refused(folder: Path, changed: dict[str, Any], says: str) -> None:
    problems = " ".join(reading(folder, {**blueprint(), **changed}).problems)
    assert says in problems
    assert "t0ken-hidden" not in problems


def test_a_values_file_that_is_not_yaml_is_named(folder: Path) -> None:
    (folder / "chart/values-dev.yaml").write_text("a: [\n")
    problems = " ".join(reading(folder, blueprint()).problems)
    assert "releases[0].values" in problems
    assert "chart/values-dev.yaml can't be read" in problems
    (folder / "chart/values-dev.yaml").write_text("- a\n")
    assert "values-dev.yaml must be a map" in " ".join(reading(folder, blueprint()).problems)


def test_a_secret_among_the_values_is_refused_as_everybody_could_read_it(folder: Path) -> None:
    raw = blueprint()
    raw["variables"]["token"] = "pa55-hidden"
    problems = " ".join(reading(folder, raw).problems)
    assert "give the chart the name of a Secret instead" in problems
    assert "pa55-hidden" not in problems


def test_two_charts_of_one_name_do_not_fit_into_one_folder(folder: Path) -> None:
    other = folder / "other/chart"
    other.mkdir(parents=True)
    (other / "Chart.yaml").write_text("name: other\n")
    raw = blueprint()
    raw["releases"].append({"name": "api", "chart": "other/chart"})
    assert "has the same name" in " ".join(reading(folder, raw).problems)


def test_two_blueprints_of_one_environment_collide(folder: Path) -> None:
    entry = entry_of(reading(folder, blueprint()).blueprint)
    others = {"other": {"gitops": {"environment": "dev"}}}
    assert "gitops.environment: 'dev' is that of the blueprint other, too" in collisions("orders", entry, others)
    assert yaml.safe_dump(entry["gitops"])
