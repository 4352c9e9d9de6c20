"""Imports within module_utils go down only, from floor to floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4] / "plugins/module_utils"
PREFIX = "ansible_collections.localcloud.stack.plugins.module_utils."
# From the lowest to the highest. Whoever moves a file names it here.
FLOORS = (
    ("common.*",),
    (
        "aws.*",
        "k8s.*",
        "images.*",
        "toolchain.*",
        "node.*",
        "cluster.engine",
        "cluster.images_declared",
        "cluster.docker_images",
    ),
    ("emulators.engine", "emulators.endpoint", "emulators.fault_proxy"),
    ("emulators.engines.*",),
    ("emulators.engines",),
    ("emulators.registry",),
    ("emulators.health", "emulators.settings", "emulators.behaviours"),
    ("aws_info.*", "argocd.*", "helm.*", "prometheus.*", "workloads.*", "cluster.*"),
    ("crossplane.*",),
    (
        "aws_resources.models",
        "aws_resources.target",
        "aws_resources.messages",
        "aws_resources.fields",
        "aws_resources.comparison",
    ),
    ("aws_resources.entry", "aws_resources.extra", "aws_resources.observe"),
    ("aws_resources.kind",),
    ("aws_resources.kinds.*",),
    ("aws_resources.kinds",),
    ("aws_resources.catalog",),
    ("aws_resources.declared",),
    ("aws_resources",),
    ("drift.*",),
    ("probe.*",),
    ("blueprint.*",),
    ("report.*",),
)
ALONE = {"boto3": {"aws.client"}, "botocore": {"aws.client"}, "pydantic": {"aws_resources.models"}}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imports(name: str) -> Iterator[str]:
    """The modules that a file imports, those of module_utils without what all of them begin with."""
    package = name.split(".") if FILES[name].stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name.removeprefix(PREFIX) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [".".join(package[: len(package) + 1 - node.level])] if node.level else []
            module = ".".join([*base, node.module] if node.module else base).removeprefix(PREFIX)
            # What is imported from a package may be a module of it.
            yield from {one if one in FILES else module for one in (f"{module}.{one.name}" for one in node.names)}


def floor_of(name: str) -> int | None:
    """The floor of a module; None for what is not one of ours, and for a package without anything of its own."""
    return next((level for level, names in enumerate(FLOORS) if any(fnmatch(name, one) for one in names)), None)


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    own = floor_of(name)
    higher = [one for one in imports(name) if (level := floor_of(one)) is not None and own is not None and level > own]
    assert higher == []
    assert own is not None or FILES[name].stem == "__init__", f"{name} is on no floor"


@pytest.mark.parametrize("library", ALONE)
def test_a_library_is_behind_one_file(library: str) -> None:
    users = {name for name in FILES if any(one.split(".")[0] == library for one in imports(name))}
    assert users == ALONE[library]
