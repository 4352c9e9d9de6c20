# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared images in Docker's or Podman's own store, and in the nodes of a kind cluster: only what is not there is made or loaded."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import (
    ImageError,
    archive_content,
    explain_pull,
    last_line,
)

from ..toolchain.declared import build_words, context_files, fingerprint, own_build
from ..toolchain.parts import project_parts
from .engine import DOCKER, Engine
from .images_declared import BuildInput, DeclaredImage

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    pass

REPOSITORY = "localcloud.local"

# A command, and variables that it gets besides; exit code, output, errors.
Run = t.Callable[[list[str], dict[str, str]], tuple[int, str, str]]


def with_commands(commands: t.Mapping[str, str], engine: Engine = DOCKER) -> Run:
    """Runs a command; one of these names by its path. kind uses C(engine)."""

    def run_with(command: list[str], variables: dict[str, str]) -> tuple[int, str, str]:
        return run_command(
            [commands.get(command[0]) or command[0], *command[1:]], environ_update={**engine.variables, **variables}
        )

    return run_with


class DockerImages(t.NamedTuple):
    """C(images): reference by name; C(made), C(loaded): names of those that were not in Docker, and not in a node of kind."""

    images: dict[str, str]
    made: list[str]
    loaded: list[str]


def docker_parts(project: Path) -> dict[str, BuildInput]:
    """The toolchain's parts that Docker can build, as they have a Dockerfile that stands by itself."""
    parts = project_parts(project)
    return {name: own_build(project, part) for name, part in parts.items() if part.recipe == "build"}


def bring(
    images: t.Sequence[DeclaredImage],
    project: Path,
    arguments: t.Mapping[str, str],
    kind_cluster: str,
    check_mode: bool,
    run: Run,
    engine: Engine = DOCKER,
) -> DockerImages:
    """Make sure that the images are in the engine and, with a kind cluster, in its nodes. Raises ImageError with all that fails.

    C(arguments) go to every build that says nothing else.
    """
    builds = {one.name: _build_of(one, project, arguments) for one in images if one.way in ("build", "part")}
    references = {one.name: _reference(one, builds.get(one.name)) for one in images}
    there = set(_do(run, engine.name, "image", "ls", "--format", "{{ .Repository }}:{{ .Tag }}").split())
    missing = [one for one in images if references[one.name] not in there]
    in_nodes = _in_nodes(kind_cluster, run, engine) if kind_cluster else None
    unloaded = [one.name for one in images if in_nodes is not None and references[one.name] not in in_nodes]
    result = DockerImages(references, [one.name for one in missing], unloaded)
    if check_mode:
        return result
    # What may be refused comes before what takes long.
    for wave in ([one for one in missing if one.name not in builds], [one for one in missing if one.name in builds]):
        problems = []
        for one in wave:
            try:
                _make(one, references[one.name], builds.get(one.name), run, engine)
            except ImageError as error:
                problems.append(f"images.{one.name}: {error}")
        if problems:
            raise ImageError("\n".join(problems))
    if unloaded:
        _load([references[name] for name in unloaded], kind_cluster, run, engine)
    return result


def load_archives(
    archives: t.Mapping[str, str], cluster: str, check_mode: bool, run: Run, engine: Engine = DOCKER
) -> list[str]:
    """Make sure that a kind cluster's nodes have these images, archives by their references; those that were missing in one. Raises ImageError."""
    there = _in_nodes(cluster, run, engine)
    missing = [reference for reference in archives if reference not in there]
    if missing and not check_mode:
        _do(run, "kind", "load", "image-archive", *(archives[one] for one in missing), "--name", cluster)
    return missing


def _build_of(image: DeclaredImage, project: Path, arguments: t.Mapping[str, str]) -> BuildInput:
    build = image.build or docker_parts(project).get(image.source)
    if build is None:
        raise ImageError(
            f"images.{image.name}: there is no part '{image.source}' that Docker can build. Correct part, or give build."
        )
    return replace(build, arguments={**arguments, **build.arguments})


def _reference(image: DeclaredImage, build: BuildInput | None) -> str:
    if build:
        files = {name: fingerprint(path).hex() for name, path in context_files(build).items()}
        said: t.Any = [build.dockerfile.read_text(), dict(build.arguments), files]
    else:
        said = archive_content(image.source).digest if image.way == "archive" else image.source
    return f"{REPOSITORY}/{image.name}:{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]}"


def _make(image: DeclaredImage, reference: str, build: BuildInput | None, run: Run, engine: Engine) -> None:
    if build:
        given, variables = build_words(build.arguments)
        command = (
            engine.name,
            "build",
            "--tag",
            reference,
            "--file",
            str(build.dockerfile),
            *given,
            str(build.context),
        )
        _do(run, *command, **variables)
        return
    if image.way == "archive":
        loaded = re.search(r"Loaded image(?: ID)?: (\S+)", _do(run, engine.name, "load", "--input", image.source))
        if not loaded:
            raise ImageError(
                f"{engine.title} loaded {image.source}, but does not say as which image. Make it with `{engine.name} save NAME:TAG`."
            )
        name = loaded[1]
    else:
        name = image.source
        status, out, err = run([engine.name, "pull", "--quiet", name], {})
        if status:
            raise ImageError(explain_pull(name, err or out))
    _do(run, engine.name, "tag", name, reference)


def _in_nodes(cluster: str, run: Run, engine: Engine) -> set[str]:
    """The images that every node of a kind cluster has."""
    nodes = _do(run, "kind", "get", "nodes", "--name", cluster).split()
    if not nodes:
        raise ImageError(
            f"kind has no cluster '{cluster}' on this machine. Make it with `kind create cluster`, or choose another context."
        )
    held = [
        set(_do(run, engine.name, "exec", node, "ctr", "--namespace", "k8s.io", "images", "ls", "-q").split())
        for node in nodes
    ]
    return set.intersection(*held)


def _load(references: list[str], cluster: str, run: Run, engine: Engine) -> None:
    """By an archive: `kind load docker-image` finds no image of Docker's containerd store in a node (kubernetes-sigs/kind#4236)."""
    with tempfile.TemporaryDirectory(prefix="docker_images.", dir=os.environ.get("TMPDIR") or "/var/tmp") as folder:
        archive = f"{folder}/images.tar"
        _do(run, engine.name, "image", "save", *engine.several_images, "--output", archive, *references)
        _do(run, "kind", "load", "image-archive", archive, "--name", cluster)


def _do(run: Run, *command: str, **variables: str) -> str:
    status, out, err = run(list(command), variables)
    if status:
        raise ImageError(f"`{' '.join(command[:3])} …` failed: {last_line(err or out)}")
    return out
