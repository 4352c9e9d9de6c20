"""The build context of the execution environment holds the pins, and what is needed to build it without a network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.utils import canonicalize_name, parse_wheel_filename

from tests.collection.conftest import PROJECT, run

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.*?))?(?: \\)?$", re.M)
# As the header of requirements/execution.in has it.
PYTHON = "3.11"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build context that ansible-builder wrote."""
    folder = tmp_path_factory.mktemp("context")
    run([sys.executable, PROJECT / "scripts/execution_environment.py", folder], home=Path.home())
    return folder / "_build"


def pins(name: str) -> dict[str, str]:
    """Versions by package of a file of requirements, of those that are for the Python of the execution environment."""
    lines = PIN.findall((PROJECT / f"requirements/{name}.txt").read_text())
    here = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    return {package: version for package, version, marker in lines if not marker or Marker(marker).evaluate(here)}


def test_it_has_what_the_checkout_runs_with() -> None:
    assert pins("runtime").items() <= pins("execution").items()


def test_what_plugins_import_is_part_of_what_the_checkout_runs_with() -> None:
    plugins, runtime = (
        set((PROJECT / f"requirements/{name}.in").read_text().splitlines()) for name in ("plugins", "runtime")
    )
    assert {line for line in plugins if not line.startswith("#")} < runtime


def test_packages_are_installed_by_their_hashes_from_the_context(context: Path) -> None:
    (step,) = re.findall(r"^RUN .*-m pip install .*-r .*$", (context.parent / "Containerfile").read_text(), re.M)
    assert "--require-hashes" in step
    assert "--no-index" in step
    copied = context / "requirements/execution.txt"
    assert copied.read_text() == (PROJECT / "requirements/execution.txt").read_text()
    held = {name: str(version) for name, version, *_rest in map(parse_wheel_filename, wheels(context))}
    wanted = {canonicalize_name(name): version for name, version in pins("execution").items()}
    assert held.items() <= wanted.items()
    assert {"ansible-core", "ansible-runner", "boto3", "kubernetes"} <= set(held)


def wheels(context: Path) -> list[str]:
    """Names of the wheels in the context; there is nothing else beside them."""
    found = sorted(path.name for path in (context / "wheels").iterdir())
    assert all(name.endswith(".whl") for name in found)
    return found


def test_the_collections_are_those_of_the_checkout(context: Path) -> None:
    wanted = {
        one["name"]: one["version"] for one in yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]
    }
    galaxy = yaml.safe_load((PROJECT / "galaxy.yml").read_text())
    wanted[f"{galaxy['namespace']}.{galaxy['name']}"] = galaxy["version"]
    manifests = (context / "ansible_collections").glob("*/*/MANIFEST.json")
    described = [yaml.safe_load(path.read_text())["collection_info"] for path in manifests]
    assert {f"{one['namespace']}.{one['name']}": one["version"] for one in described} == wanted
    assert not (context / "ansible_collections/localcloud/stack/tests").exists()
