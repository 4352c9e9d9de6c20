"""Which pins are behind their registries or past their end, and what a raised pin changes."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    specification = importlib.util.spec_from_file_location("outdated", PROJECT / "scripts/outdated.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "outdated", module)
    specification.loader.exec_module(module)
    return module


def test_every_pin_of_the_project_is_listed(script: ModuleType) -> None:
    found = {(one.file, one.name): one.version for one in script.pins()}
    parts = yaml.safe_load((PROJECT / "toolchain/parts.yml").read_text())["parts"]
    for name, part in parts.items():
        if "module" in part and not part["version"].startswith("{"):
            assert found["toolchain/parts.yml", name] == part["version"]
    assert ("toolchain/parts.yml", "kubernetes-schemas") not in found
    assert found["toolchain/parts.yml", "kubernetes-1.36"].startswith("v1.36.")
    assert found["requirements.yml", "kubernetes.core"]
    assert found["requirements/core-oldest.in", "ansible-core"]
    assert found["requirements/ministack.in", "ministack"]


@pytest.mark.parametrize(
    ("module", "following"),
    [("helm.sh/helm/v3", "helm.sh/helm/v4"), ("k8s.io/kubernetes", "k8s.io/kubernetes/v2"), ("a.b/c/v9", "a.b/c/v10")],
)
def test_the_next_major_version_of_a_module(script: ModuleType, module: str, following: str) -> None:
    assert script.next_major(module) == following


def test_the_newest_is_a_release(script: ModuleType) -> None:
    assert script.newest_of(["2.22.0rc1", "2.21.5", "2.9.27", "nonsense"]) == "2.21.5"
    assert script.newest_of(["1.0b1"]) == ""
    said = "ansible-core (2.21.5)\nAvailable versions: 2.21.5, 2.21.4\n"
    assert script.newest_package("ansible-core", lambda *_: said) == "2.21.5"
    assert script.newest_module("a.b/c", run=lambda *_: json.dumps({"Version": "v1.2.3"})) == "v1.2.3"


def test_what_no_registry_serves_is_left_out(script: ModuleType) -> None:
    def refuses(*_command: object) -> str:
        raise script.OutdatedError("410 Gone")

    assert (script.newest_module("a.b/c", run=refuses), script.newest_package("a", refuses)) == ("", "")


def test_an_end_of_support_is_named_with_its_source(script: ModuleType) -> None:
    ends = {
        "k8s.io/kubernetes": {"source": "there", "cycles": {"1.3": dt.date(2019, 1, 1), "1.34": dt.date(2026, 10, 27)}}
    }
    pin = script.Pin("parts.yml", "kubernetes", "go", "k8s.io/kubernetes", "v1.34.2")
    assert script.end_of(pin, ends) == (dt.date(2026, 10, 27), "there")
    assert script.end_of(pin._replace(version="v1.35.0"), ends) == (None, "")
    assert script.end_of(pin._replace(package="other"), ends) == (None, "")
    row = script.Found(pin, "v1.37.2", "", *script.end_of(pin, ends)).row(dt.date(2026, 11, 29))
    assert row == ["parts.yml", "kubernetes", "v1.34.2", "v1.37.2", "", "2026-10-27 (ended)", "there"]
    assert script.Found(pin, "v1.33.9", "", None, "").row(dt.date(2026, 1, 1))[3] == "", "what is older is not newest"
    current = script.Found(pin, "v1.34.2", "", dt.date(2026, 10, 27), "there").row(dt.date(2026, 10, 27))
    assert current[3:6] == ["", "", "2026-10-27"]


def test_the_table_of_ends_is_of_pins_that_are_there(script: ModuleType) -> None:
    ends = yaml.safe_load((PROJECT / "docs/support.yml").read_text())
    assert set(ends) <= {one.package for one in script.pins()}
    for known in ends.values():
        assert known["source"].startswith("https://")
        assert all(isinstance(end, dt.date) for end in known["cycles"].values())


def test_every_kubernetes_that_a_node_may_have_has_an_end_of_support(script: ModuleType) -> None:
    ends = yaml.safe_load((PROJECT / "docs/support.yml").read_text())
    found = [one for one in script.pins() if one.package == "k8s.io/kubernetes"]
    releases = yaml.safe_load((PROJECT / "toolchain/parts.yml").read_text())["kubernetes_releases"]
    assert [one.name for one in found] == ["kubernetes", *(f"kubernetes-{release}" for release in releases)]
    assert [one.name for one in found if script.end_of(one, ends)[0] is None] == []


PARTS = """\
parts:
  # Kept.
  helm-3:
    recipe: go
    module: helm.sh/helm/v3
    version: v3.22.0
    stamp:
      helm.sh/helm/v3/internal/version.version: "{helm-3}"
  etcd:
    recipe: go
    module: go.etcd.io/etcd/server/v3
    version: v3.22.0
"""


def project(script: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: Path, **requirements: str) -> list[Any]:
    """A project with these files of requirements; the commands that are run in it, each with its folder."""
    (folder / "toolchain/helm-3").mkdir(parents=True)
    (folder / "toolchain/helm-3/go.mod").write_text("module x\n\ntool helm.sh/helm/v3/cmd/helm\n")
    (folder / "toolchain/parts.yml").write_text(PARTS)
    (folder / "requirements").mkdir()
    for name, text in requirements.items():
        (folder / f"requirements/{name}.in").write_text(text)
    monkeypatch.setattr(script, "PROJECT", folder)
    monkeypatch.setattr(script, "PARTS", folder / "toolchain/parts.yml")
    monkeypatch.setattr(script, "REQUIREMENTS", folder / "requirements")
    return []


def test_a_raised_part_changes_its_entry_and_its_go_mod_alone(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = project(script, monkeypatch, tmp_path)

    def run(command: Sequence[str], folder: Path) -> str:
        done.append((list(command), folder))
        return json.dumps({"Version": "v3.23.0"})

    script.lift("helm-3", None, run)
    assert done[-1] == (["go", "get", "-tool", "helm.sh/helm/v3/cmd/helm@v3.23.0"], tmp_path / "toolchain/helm-3")
    wanted = PARTS.replace("v3.22.0", "v3.23.0", 1)
    assert (tmp_path / "toolchain/parts.yml").read_text() == wanted


KUBERNETES = """\
kubernetes_releases:
  "1.36": {version: v1.36.3, folder: kubernetes-1.36}
parts:
  kubernetes:
    module: k8s.io/kubernetes
    version: v1.37.2
  kubernetes-schemas:
    module: k8s.io/kubernetes
    version: "{kubernetes}"
"""
GO_MOD = """\
require k8s.io/kubernetes v1.37.2

tool (
\tk8s.io/kubernetes/cmd/kubeadm
)

replace (
\tk8s.io/api => k8s.io/api v0.37.2
\tk8s.io/gone => k8s.io/gone v0.37.2
)
"""


@pytest.mark.parametrize(
    ("name", "version", "folders"),
    [
        ("kubernetes", "v1.37.3", ["kubernetes", "kubernetes-schemas"]),
        ("kubernetes-1.36", "v1.36.4", ["kubernetes-1.36"]),
    ],
)
def test_a_raised_kubernetes_takes_its_staged_modules_and_what_follows_it_along(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, version: str, folders: list[str]
) -> None:
    project(script, monkeypatch, tmp_path)
    (tmp_path / "toolchain/parts.yml").write_text(KUBERNETES)
    upstream = tmp_path / "upstream.mod"
    upstream.write_text(
        "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tk8s.io/new => ./staging/src/k8s.io/new\n)\n"
    )
    for folder, text in (
        ("kubernetes", GO_MOD),
        ("kubernetes-1.36", GO_MOD),
        ("kubernetes-schemas", "require k8s.io/kubernetes v1.37.2\n"),
    ):
        (tmp_path / "toolchain" / folder).mkdir()
        (tmp_path / "toolchain" / folder / "go.mod").write_text(text)
    done = []

    def run(command: Sequence[str], folder: Path) -> str:
        done.append((" ".join(command), folder.name))
        return json.dumps({"GoMod": str(upstream)})

    script.lift(name, version, run)
    assert [folder for command, folder in done if command.startswith("go get ")] == folders
    assert ("go mod tidy", name) in done
    numbers = version.replace("v1.", "v0.")
    replaces = f"replace (\n\tk8s.io/api => k8s.io/api {numbers}\n\tk8s.io/new => k8s.io/new {numbers}\n)\n"
    assert (tmp_path / f"toolchain/{name}/go.mod").read_text().endswith(replaces)
    old = {"kubernetes": "v1.37.2", "kubernetes-1.36": "v1.36.3"}[name]
    assert (tmp_path / "toolchain/parts.yml").read_text() == KUBERNETES.replace(old, version)


def test_a_raised_requirement_changes_each_file_that_pins_it(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = "uv pip compile --python-version 3.13 --no-header requirements/b.in -o requirements/b.txt"
    runtime = (
        'boto3\nansible-core==2.19.14 ; python_version < "3.12"\nansible-core==2.21.5 ; python_version >= "3.12"\n'
    )
    done = project(
        script,
        monkeypatch,
        tmp_path,
        a=runtime,
        b=f"# {command}\nansible-core==2.19.0\nx[y]==1\n",
        **{"c": "boto3\n", "core-oldest": "ansible-core==2.19.0\n"},
    )

    def run(command: Sequence[str], _folder: Path) -> str:
        done.append(" ".join(command))
        return ""

    script.lift("ansible-core", "2.21.6", run)
    assert (tmp_path / "requirements/a.in").read_text() == runtime.replace("2.21.5", "2.21.6")
    assert (tmp_path / "requirements/b.in").read_text() == f"# {command}\nansible-core==2.21.6\nx[y]==1\n"
    assert (tmp_path / "requirements/core-oldest.in").read_text() == "ansible-core==2.19.0\n"
    usual, named = done
    assert usual.startswith("uv pip compile --universal")
    assert usual.endswith("requirements/a.in -o requirements/a.txt --quiet --upgrade-package ansible-core")
    assert named == f"{command} --quiet --upgrade-package ansible-core"


def test_what_is_pinned_nowhere(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project(script, monkeypatch, tmp_path)
    with pytest.raises(script.OutdatedError, match="'helm-9' is no part .* `make outdated` lists all"):
        script.lift("helm-9", None)
    with pytest.raises(
        script.OutdatedError,
        match=r"serves no release of go.etcd.io/etcd/server/v3. Give one: make raise PART=etcd TO=v…",
    ):
        script.lift_part("etcd", {"module": "go.etcd.io/etcd/server/v3", "version": "v3.22.0"}, "")
