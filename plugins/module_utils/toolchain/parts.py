# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of the embedded node: what they are, in which order they are built, and under which digest they are kept.

Pure, but for project_parts(), which reads the list.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

IMAGE_REPOSITORY = "localhost/localcloud"
DIGEST_LENGTH = 16
# Recipes of images that run a program of their own, rather than a component of the node.
APPLICATION_RECIPES = ("build", "node-image", "python-image")
# In a value of parts.yml, what stands for the version of a part, or for a number of it.
REFERENCE = re.compile(r"\{([a-z0-9-]+)(?:\.(major|minor))?\}")


class PartsError(PrintableError, ValueError):
    """The list of parts contradicts itself; the message names the part."""


@dataclass(frozen=True)
class Part:
    """A part to build. `spec` is its entry in parts.yml, as it stands there.

    `inputs` are files that it is made of wherever they are, by their paths in its build context.
    """

    name: str
    recipe: str
    needs: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Its folder under toolchain/, which may not exist."""
        return str(self.spec.get("folder", self.name))

    def image(self, digest: str) -> str | None:
        """Full reference of the container image it is, or None if it isn't one."""
        if "image" not in self.spec:
            return None
        image = self.spec["image"]
        return f"{IMAGE_REPOSITORY}/{image.get('name', self.name)}:{image.get('tag', digest)}"


def project_parts(project: Path, kubernetes: str = "") -> dict[str, Part]:
    """The parts that a project lists, with this minor version of Kubernetes. Raises PartsError, OSError."""
    return parse(_document(project), kubernetes)


def project_releases(project: Path) -> dict[str, str]:
    """The versions of Kubernetes that a project lists, by their minor version. Raises OSError."""
    return {name: one["version"] for name, one in releases(_document(project)).items()}


def _document(project: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load((project / "toolchain/parts.yml").read_text(), loader)
    return document


def releases(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs of the part kubernetes, by minor version of Kubernetes: the default one first, of which nothing differs."""
    default = document["parts"].get("kubernetes", {}).get("version", "")
    return {minor_version(default): {"version": default}, **document.get("kubernetes_releases", {})}


def minor_version(version: str) -> str:
    """C(1.37) of C(v1.37.2)."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def application_images(parts: Mapping[str, Part]) -> list[str]:
    """The parts that an image of a blueprint may be, sorted."""
    return sorted(name for name, part in parts.items() if part.recipe in APPLICATION_RECIPES)


def parse(document: Mapping[str, Any], kubernetes: str = "") -> dict[str, Part]:
    """Turn the content of parts.yml into parts, with the default minor version of Kubernetes or with another one.

    Raises PartsError for an unknown version of Kubernetes, an entry without recipe, an unknown need, reference or a circle.
    """
    specs = dict(document["parts"])
    if kubernetes:
        known = releases(document)
        if problem := release_problem(kubernetes, known):
            raise PartsError(problem)
        specs["kubernetes"] = {**specs["kubernetes"], **known[kubernetes]}
    versions = {name: spec["version"] for name, spec in specs.items() if "version" in spec}
    parts = {}
    for name, entry in specs.items():
        if "recipe" not in entry:
            raise PartsError(f"Part '{name}' has no recipe.")
        spec = _resolved(entry, versions, name)
        parts[name] = Part(name, spec["recipe"], tuple(spec.get("needs", ())), spec)
    for part in parts.values():
        for need in part.needs:
            if need not in parts:
                raise PartsError(f"Part '{part.name}' needs '{need}', which is not a part.")
    try:
        TopologicalSorter({name: part.needs for name, part in parts.items()}).prepare()
    except CycleError as error:
        raise PartsError(f"Parts need each other in a circle: {' -> '.join(error.args[1])}.") from None
    return parts


def release_problem(kubernetes: str, known: Collection[str]) -> str | None:
    """What is wrong with a minor version of Kubernetes, of which these are known; None if it is one of them or empty."""
    if not kubernetes or kubernetes in known:
        return None
    said = f"cluster_kubernetes is '{kubernetes}', but an embedded node can have Kubernetes {', '.join(known)} (the first by default)."
    if f"{kubernetes}0" in known:
        said += f" Write '{kubernetes}0' with its quotes, which YAML else takes for a number."
    return said


def _resolved(value: Any, versions: Mapping[str, str], part: str) -> Any:
    """A value of parts.yml with each reference replaced. Raises PartsError for one to a part that has no version."""
    if isinstance(value, Mapping):
        return {name: _resolved(one, versions, part) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, versions, part) for one in value]
    if not isinstance(value, str):
        return value

    def version(found: re.Match[str]) -> str:
        if found[1] not in versions or REFERENCE.search(versions[found[1]]):
            raise PartsError(f"Part '{part}' refers to the version of '{found[1]}', which has none of its own.")
        numbers = dict(zip(("major", "minor"), minor_version(versions[found[1]]).split("."), strict=False))
        return numbers[found[2]] if found[2] else versions[found[1]]

    return REFERENCE.sub(version, value)


def with_needs(parts: Mapping[str, Part], wanted: Iterable[str]) -> list[str]:
    """The wanted parts and all they need, each after its needs, otherwise in the order of `parts`.

    Raises PartsError for a name that is not a part.
    """
    closure: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in parts:
            raise PartsError(f"'{name}' is not a part; parts are: {', '.join(sorted(parts))}.")
        if name not in closure:
            closure.add(name)
            pending.extend(parts[name].needs)
    order = TopologicalSorter({name: parts[name].needs for name in parts if name in closure})
    return list(order.static_order())


def digests(
    parts: Mapping[str, Part],
    files: Mapping[str, Mapping[str, bytes]],
    recipe_versions: Mapping[str, int],
) -> dict[str, str]:
    """Digest of each part's inputs.

    `files`: for each part its input files, relative path to content. The digest covers the part's entry, the version
    of its recipe, these files, and the digests of the parts it needs.
    """
    found: dict[str, str] = {}
    for name in with_needs(parts, parts):
        part = parts[name]
        digest = hashlib.sha256()
        _feed(digest, json.dumps(part.spec, sort_keys=True).encode(), b"recipe %d" % recipe_versions[part.recipe])
        for path in sorted(files.get(name, {})):
            _feed(digest, path.encode(), files[name][path])
        for need in part.needs:
            # A layer's base has the layer's own name, which may come from a folder's path.
            name_of_need = need.removeprefix(name) if part.recipe == "layer" else need
            _feed(digest, name_of_need.encode(), found[need].encode())
        found[name] = digest.hexdigest()[:DIGEST_LENGTH]
    return found


class Digest(Protocol):
    """One of hashlib's, whose class it keeps to itself."""

    def update(self, data: bytes, /) -> object: ...


def _feed(digest: Digest, *values: bytes) -> None:
    for value in values:
        digest.update(b"%d:" % len(value))
        digest.update(value)
