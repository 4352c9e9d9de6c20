# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images as a blueprint declares them: what may be said, and what is wrong with what is said.

Changes nothing and runs nothing; it only looks at whether the named files are there.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

Json = t.Mapping[str, t.Any]

# Where an image comes from, and what of it is said in a message.
WAYS = {"build": "built", "archive": "an archive", "pull": "pulled", "part": "a part of the toolchain"}
KEYS = (*WAYS, "published")
BUILD_KEYS = ("context", "dockerfile", "requirements", "sources", "arguments")

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(_COMPONENT)
NAME_LENGTH = 63
# https://github.com/distribution/reference: [host[:port]/]path[:tag][@digest].
_REFERENCE = re.compile(
    rf"(?:(?P<host>(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d+)?)/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?P<tag>:\w[\w.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_SCHEME = re.compile(r"[a-z-]+:(//)?", re.IGNORECASE)


@dataclass(frozen=True)
class BuildInput:
    """A folder with a Dockerfile. All paths are absolute; without C(sources) the whole folder is the build's context."""

    context: Path
    dockerfile: Path
    requirements: Path | None = None
    sources: tuple[Path, ...] = ()
    arguments: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeclaredImage:
    """One image: C(way) is one of WAYS; C(source) is an archive's path, a reference or a part's name."""

    name: str
    way: str
    source: str = ""
    build: BuildInput | None = None
    published: str = ""

    @property
    def key(self) -> str:
        """A name for its results that no other declaration of the same name shares: two blueprints may both have a C(web)."""
        origin = self.source or str(self.build and (self.build.context, self.build.dockerfile))
        return f"image-{self.name}-{hashlib.sha256(f'{self.way}:{origin}'.encode()).hexdigest()[:8]}"


def full_reference(text: str) -> str | None:
    """A reference with its registry and a tag or digest, as Docker completes it; None if it is not a reference."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return None
    host, path = found["host"], found["path"]
    if host and not ("." in host or ":" in host or host == "localhost"):
        if host.lower() != host:
            return None
        host, path = None, f"{host}/{path}"
    if host in (None, "docker.io", "index.docker.io"):
        host, path = "docker.io", path if "/" in path else f"library/{path}"
    # With a digest, a tag says nothing more.
    return f"{host}/{path}" + (found["digest"] or found["tag"] or ":latest")


def image_problems(images: t.Any, where: str, parts: t.Collection[str]) -> list[str]:
    """Everything that is wrong with declared images, each with its path below C(where).

    C(parts) are the names that a C(part) may have, as parts.application_images() finds them.

    C(images): name → C({build: {context, dockerfile, requirements, sources, arguments}}), C({archive: path}), C({pull: reference})
    or C({part: name}), each with C(published: reference) if wanted.
    """
    if not isinstance(images, t.Mapping):
        return [f"{where}: is {_kind(images)}, but must be a map of an image's name to where it comes from."]
    return [problem for name, image in images.items() for problem in _of_image(name, image, f"{where}.{name}", parts)]


def delivery_problems(images: Json, way: str, docker_parts: t.Collection[str]) -> list[str]:
    """Which declared images a cluster can't get in this C(way) of cluster_image_delivery; C(docker_parts) have a Dockerfile."""
    return [
        f"images.{one.name}.{one.way}: is made on this machine, but {_REASONS[way]}. Give published, a reference that the cluster can pull, "
        "or set cluster_image_delivery to a way that brings it there (registry, kind, parts, docker)."
        for one in declared_images(images)
        if not reference_elsewhere(one, way, docker_parts) and not delivered(one, way, docker_parts)
    ]


def delivered(image: DeclaredImage, way: str, docker_parts: t.Collection[str]) -> bool:
    """Whether an image is brought from here in this way of delivery."""
    if way == "public":
        return False
    return way in ("registry", "parts") or image.way != "part" or image.source in docker_parts


def reference_elsewhere(image: DeclaredImage, way: str, docker_parts: t.Collection[str]) -> str:
    """What a cluster pulls by itself where the image is not brought from here; empty if there is nothing."""
    if delivered(image, way, docker_parts):
        return ""
    return image.published or (image.source if image.way == "pull" else "")


_REASONS = {
    "public": "the cluster gets no images from it",
    "kind": "this part has no Dockerfile for Docker",
    "docker": "this part has no Dockerfile for Docker",
}


def declared_images(images: Json) -> list[DeclaredImage]:
    """The images of a map in which image_problems() finds none."""
    return [_declared(name, image) for name, image in images.items()]


def _declared(name: str, image: Json) -> DeclaredImage:
    (way,) = (one for one in WAYS if one in image)
    published = full_reference(image.get("published") or "") or ""
    if way != "build":
        source = full_reference(image[way]) if way == "pull" else image[way]
        return DeclaredImage(name, way, source or "", published=published)
    build = image["build"]
    context = Path(build["context"])
    return DeclaredImage(
        name,
        way,
        build=BuildInput(
            context,
            context / build.get("dockerfile", "Dockerfile"),
            context / build["requirements"] if build.get("requirements") else None,
            tuple(context / one for one in build.get("sources") or ()),
            {key: _argument(value) for key, value in (build.get("arguments") or {}).items()},
        ),
        published=published,
    )


def _argument(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_image(name: t.Any, image: t.Any, path: str, parts: t.Collection[str]) -> t.Iterator[str]:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        yield (
            f"{path}: the name must be at most {NAME_LENGTH} lower-case letters and digits, with single '.', '_' or '-' between them."
        )
    if not isinstance(image, t.Mapping):
        yield f"{path}: is {_kind(image)}, but must be a map with one of {', '.join(WAYS)}."
        return
    yield from _unknown(image, KEYS, path)
    ways = [way for way in WAYS if way in image]
    if not ways:
        yield f"{path}: says not where the image comes from. Give one of {', '.join(WAYS)}."
    if len(ways) > 1:
        said = " and ".join(WAYS[way] for way in ways)
        yield f"{path}: {said} at the same time. Keep one of {', '.join(ways)}."
    for way in ways:
        if way == "part":
            yield from _of_part(image[way], f"{path}.{way}", parts)
        else:
            yield from _CHECKS[way](image[way], f"{path}.{way}")
    if image.get("published") is not None:
        yield from _of_reference(image["published"], f"{path}.published")


def _of_build(build: t.Any, path: str) -> t.Iterator[str]:
    if not isinstance(build, t.Mapping):
        yield f"{path}: is {_kind(build)}, but must be a map with the folder to build from as context."
        return
    yield from _unknown(build, BUILD_KEYS, path)
    yield from _of_arguments(build.get("arguments"), f"{path}.arguments")
    context = _path(build.get("context"))
    if context is None:
        yield f"{path}.context: is {_kind(build.get('context'))}, but must be the absolute path of the folder to build from."
        return
    if not context.is_dir():
        yield f"{path}.context: there is no folder {context}."
        return
    for name, default in (("dockerfile", "Dockerfile"), ("requirements", None)):
        yield from _of_file(build.get(name, default), context, f"{path}.{name}", required=name == "dockerfile")
    sources = build.get("sources")
    if sources is not None and not isinstance(sources, (list, tuple)):
        yield f"{path}.sources: is {_kind(sources)}, but must be a list of paths in {context}."
        return
    for index, source in enumerate(sources or ()):
        yield from _within(source, context, f"{path}.sources[{index}]")


def _of_arguments(arguments: t.Any, path: str) -> t.Iterator[str]:
    if arguments is not None and not isinstance(arguments, t.Mapping):
        yield f"{path}: is {_kind(arguments)}, but must be a map of an argument's name to its value."
        return
    for name, value in (arguments or {}).items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            yield f"{path}.{name}: is not a name that ARG takes."
        elif not isinstance(value, (str, int, float)):
            yield f"{path}.{name}: is {_kind(value)}, but must be a text or a number."


def _of_file(value: t.Any, context: Path, path: str, *, required: bool) -> t.Iterator[str]:
    if value is None and not required:
        return
    problems = list(_within(value, context, path, outside=required))
    yield from problems
    if not problems and not (context / value).is_file():
        yield f"{path}: {context / value} is not a file."


def _within(value: t.Any, context: Path, path: str, *, outside: bool = False) -> t.Iterator[str]:
    """What is wrong with a path that is to lie in the context; a Dockerfile may also lie C(outside) of it."""
    if not isinstance(value, str) or not value:
        yield f"{path}: is {_kind(value)}, but must be a path in {context}."
        return
    if not outside and not (context / value).resolve().is_relative_to(context.resolve()):
        yield f"{path}: {value} is not in the folder {context}, which is all that a build sees."
    elif not (context / value).exists():
        yield f"{path}: there is no {context / value}."


def _of_archive(value: t.Any, path: str) -> t.Iterator[str]:
    archive = _path(value)
    if archive is None:
        yield f"{path}: is {_kind(value)}, but must be the absolute path of an OCI or docker archive."
    elif ":" in str(archive):
        yield f"{path}: {archive} has a colon, which container tools can't read in a path. Rename it."
    elif not archive.is_file():
        yield f"{path}: there is no archive {archive}. Make one with `docker save` or `skopeo copy`, or correct the path."


def _of_reference(value: t.Any, path: str) -> t.Iterator[str]:
    if not isinstance(value, str):
        yield f"{path}: is {_kind(value)}, but must be an image's reference, for example registry.example.com/orders/web:1.2."
    elif "@" in value.partition("@sha256:")[0]:
        # Not repeated: it may be a password.
        yield (
            f"{path}: has an '@' that begins no digest. A reference holds no credentials; log in with `skopeo login` or `docker login`."
        )
    elif full_reference(value) is None:
        step = (
            "Leave the scheme out."
            if _SCHEME.match(value) and "//" in value
            else "It is [host[:port]/]path[:tag][@sha256:…]."
        )
        yield f"{path}: '{value}' is not a reference of an image. {step}"


def _of_part(value: t.Any, path: str, parts: t.Collection[str]) -> t.Iterator[str]:
    if not isinstance(value, str) or value not in parts:
        yield f"{path}: '{value}' is not an image of the toolchain{_suggestion(str(value), sorted(parts))}"


_CHECKS: dict[str, t.Callable[[t.Any, str], t.Iterator[str]]] = {
    "build": _of_build,
    "archive": _of_archive,
    "pull": _of_reference,
}


def _path(value: t.Any) -> Path | None:
    return Path(value) if isinstance(value, str) and Path(value).is_absolute() else None


def _unknown(found: Json, known: t.Sequence[str], path: str) -> t.Iterator[str]:
    for key in found:
        if key not in known:
            yield f"{path}.{key}: is not known{_suggestion(str(key), known)}"


def _suggestion(word: str, known: t.Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}."


def _kind(value: t.Any) -> str:
    """What a value is, without showing it."""
    names = {type(None): "empty", bool: "true or false", str: "a text", int: "a number", float: "a number"}
    if value == "":
        return "empty"
    return names.get(type(value), "a map" if isinstance(value, t.Mapping) else "a list")
