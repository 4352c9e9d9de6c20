# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images that a user declares, as parts: what is built, fetched or read for them, and under which digests.

A build becomes two parts where its Dockerfile allows it: an image of all but the last COPYs, and the image with these. Only the second is
made again when a source changes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import holds_secret

from ..cluster.images_declared import BuildInput, DeclaredImage, full_reference
from . import dockerfile
from .parts import Part

# What tools and version control keep in a folder; and the stack's own state, which changes with each run.
LEFT_OUT = frozenset(
    {
        ".git",
        ".venv",
        ".localcloud",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".coverage",
    }
)
# The embedded node's Python, with pip and without, for a Dockerfile that takes its images by these arguments.
PYTHON_BASES = {"BASE_IMAGE": "python", "BUILD_IMAGE": "python-build"}


@dataclass(frozen=True)
class Wanted:
    """Parts of declared images: C(parts) by name with their C(files) as digests() takes them, and the part of each image."""

    parts: dict[str, Part] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        self.parts[part.name] = part
        self.files[part.name] = {name: fingerprint(path) for name, path in part.inputs.items()}


def fingerprint(path: Path) -> bytes:
    """A file's content and whether it may be run; of a symbolic link where it leads."""
    if path.is_symlink():
        return b"link " + os.fsencode(path.readlink())
    with path.open("rb") as file:
        kind = b"program " if path.stat().st_mode & 0o100 else b"file "
        return kind + hashlib.file_digest(file, "sha256").digest()


def pulled_references(images: Iterable[DeclaredImage]) -> dict[str, list[str]]:
    """All references that are fetched from registries, each with the paths of those that declare it."""
    found: dict[str, list[str]] = {}
    for image in images:
        if image.way == "pull":
            found.setdefault(image.source, []).append(f"images.{image.name}.pull")
        if image.build:
            for base in filter(None, _bases(image.build, image.build.dockerfile.read_text()).values()):
                found.setdefault(base, []).append(f"images.{image.name}.build.dockerfile")
    return found


def wanted(
    images: Iterable[DeclaredImage], digests: Mapping[str, str], archives: Mapping[str, tuple[str, str]]
) -> Wanted:
    """The parts of declared images.

    C(digests): of each of pulled_references(), what it is now. C(archives): of each archive's path, its format and its content's digest.
    Raises OSError.
    """
    result = Wanted()
    for image in images:
        result.images[image.name] = image.source if image.way == "part" else image.key
        named = {"image": {"name": image.name}}
        if image.way == "pull":
            result.add(_pulled(image.key, image.source, digests[image.source], named))
        elif image.way == "archive":
            form, content = archives[image.source]
            result.add(Part(image.key, "archive", (), {**named, "format": form}, {"archive": Path(image.source)}))
            result.files[image.key] = {"archive": content.encode()}
        elif image.build:
            for part in build_parts(image.key, image.build, named, digests):
                result.add(part)
    return result


def own_build(project: Path, part: Part) -> BuildInput:
    """What a part of the toolchain with the recipe C(build) is built from."""
    spec = part.spec
    return BuildInput(
        project,
        project / spec["dockerfile"],
        project / spec["requirements"] if "requirements" in spec else None,
        tuple(project / one for one in spec.get("sources", ())),
    )


def build_parts(key: str, build: BuildInput, spec: Mapping[str, Any], digests: Mapping[str, str]) -> Iterator[Part]:
    """The parts of one build: what its Dockerfile's FROMs fetch, then the image, or all but its last layer and that."""
    text = build.dockerfile.read_text()
    files = context_files(build)
    names: dict[str, str] = {}
    for base, reference in _bases(build, text).items():
        names[base] = (
            PYTHON_BASES[base] if reference is None else f"base-{hashlib.sha256(reference.encode()).hexdigest()[:8]}"
        )
        if reference is not None:
            yield _pulled(names[base], reference, digests[reference], {"image": {"name": "base"}})
    head, copies = dockerfile.split(text)
    requirements = str(build.requirements.relative_to(build.context)) if build.requirements else None
    needs = tuple(dict.fromkeys(names.values()))
    made = {"dockerfile": head, "arguments": dict(build.arguments), "bases": names, "requirements": requirements}
    if not copies:
        yield Part(key, "build", needs, {**made, **spec}, files)
        return
    used = {*dockerfile.used_files(head, files), *([requirements] if requirements else [])}
    base_spec = {**made, "image": {"name": f"{spec['image'].get('name', key)}-base"}}
    yield Part(f"{key}-base", "build", needs, base_spec, {name: path for name, path in files.items() if name in used})
    sources = [source for copy in copies for source in copy.sources]
    copied = {
        name: path for name, path in files.items() if any(dockerfile.is_within(name, source) for source in sources)
    }
    steps = [[list(copy.sources), copy.destination] for copy in copies]
    yield Part(key, "layer", (f"{key}-base",), {**spec, "copies": steps}, copied)


def build_problems(images: Iterable[DeclaredImage]) -> list[str]:
    """What is wrong with the Dockerfiles of declared images, each with its path."""
    return [
        f"images.{image.name}.build.dockerfile: {problem}"
        for image in images
        if image.build is not None
        for problem in _dockerfile_problems(image.build)
    ]


def _dockerfile_problems(build: BuildInput) -> Iterator[str]:
    try:
        text = build.dockerfile.read_text()
    except (OSError, ValueError) as error:
        yield f"{build.dockerfile} can't be read: {error}."
        return
    if not any(one.word == "FROM" for one in dockerfile.instructions(text)):
        yield f"{build.dockerfile} has no FROM."
    for base, reference in _bases(build, text).items():
        if reference is None and base not in PYTHON_BASES:
            yield f"{build.dockerfile} takes '{base}', which is not a reference of an image."
    files = context_files(build)
    for copy in dockerfile.split(text)[1]:
        for source in copy.sources:
            if not any(dockerfile.is_within(name, source) for name in files):
                yield f"{build.dockerfile} copies '{source}', which is not in {build.context}, or is left out of the build."


def context_files(build: BuildInput) -> dict[str, Path]:
    """The files of a build's context by their paths in it: those of C(sources), else all, but for what .dockerignore leaves out."""
    own = build.dockerfile.with_name(f"{build.dockerfile.name}.dockerignore")
    rules_file = own if own.is_file() else build.context / ".dockerignore"
    rules = dockerfile.ignored(rules_file.read_text()) if rules_file.is_file() else []
    found = {}
    for root in build.sources or (build.context,):
        for path in _files(root):
            name = str(PurePosixPath(path.relative_to(build.context)))
            if not dockerfile.is_ignored(name, rules):
                found[name] = path
    if build.requirements:
        found[str(build.requirements.relative_to(build.context))] = build.requirements
    return dict(sorted(found.items()))


def _files(root: Path) -> Iterator[Path]:
    if not root.is_dir() or root.is_symlink():
        yield root
        return
    for folder, names, files in os.walk(root):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        names[:] = [name for name in names if name not in LEFT_OUT and name not in links]
        yield from (Path(folder, name) for name in [*files, *links] if name not in LEFT_OUT)


def _pulled(name: str, reference: str, digest: str, spec: Mapping[str, Any]) -> Part:
    repository = reference.partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    return Part(name, "pull", (), {**spec, "reference": f"{repository}@{digest}"})


def _bases(build: BuildInput, text: str) -> dict[str, str | None]:
    """The images that a Dockerfile takes, as it names them, each with its full reference.

    One of PYTHON_BASES has none, and what is not a reference neither.
    """
    bases = dockerfile.bases(text, {**build.arguments, **node_arguments(text, build.arguments)})
    return {base: None if base in PYTHON_BASES else full_reference(base) for base in bases}


def node_arguments(text: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments by which a Dockerfile takes the node's Python where no other image is given, each with its own name as value."""
    return {name: name for name in PYTHON_BASES if name in dockerfile.arguments_of(text) and name not in arguments}


def with_builds(project: Path, parts: Mapping[str, Part]) -> Wanted:
    """The toolchain's own parts with the recipe C(build), each as the parts that it is made of. Raises OSError."""
    result = Wanted()
    for part in parts.values():
        if part.recipe == "build":
            for one in build_parts(part.name, own_build(project, part), {"image": part.spec["image"]}, {}):
                result.add(one)
    return result


def build_words(arguments: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """A build's arguments as words of its command, and the variables from which it takes those that look like secrets.

    Every user of a machine sees the commands of others, but not their environment.
    """
    secret = {name: value for name, value in arguments.items() if holds_secret(name, value)}
    words = [
        f"--build-arg={name}" if name in secret else f"--build-arg={name}={value}" for name, value in arguments.items()
    ]
    return words, secret
