# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Dockerfile says about images and files. Pure: text in, values out.

A Dockerfile whose last instructions plainly COPY from the context is taken apart there: the rest is an image of its own, and an edit
of what is copied costs one small layer and no build.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")
_FLAG = re.compile(r"--(?P<name>[a-z]+)=(?P<value>\S+)")
# A COPY with these is left to the builder: flags, variables, patterns, JSON, quotes, text in place.
_NOT_PLAIN = re.compile(r"--|[$*?\[\]\"'<\\]")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, what follows it, and its first and last line."""

    word: str
    text: str
    first: int
    last: int

    def flag(self, name: str) -> str | None:
        """The value of a flag, for example C(from)."""
        return next((found["value"] for found in _FLAG.finditer(self.text) if found["name"] == name), None)

    @property
    def words(self) -> list[str]:
        """What follows the flags."""
        return [word for word in self.text.split() if not word.startswith("--")]


@dataclass(frozen=True)
class Copy:
    """A plain COPY from the context. A destination that ends in a slash is a folder."""

    sources: tuple[str, ...]
    destination: str


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, continued lines joined, comments left out."""
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        first = index
        parts: list[str] = []
        while index < len(lines):
            line = lines[index].strip()
            index += 1
            if line.startswith("#") or (not line and parts):
                continue
            parts.append(line.removesuffix("\\"))
            if not line.endswith("\\"):
                break
        word, _space, rest = " ".join(parts).strip().partition(" ")
        if word:
            yield Instruction(word.upper(), rest.strip(), first, index - 1)


def arguments_of(text: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The ARGs that a FROM may use, by name, with what is given for them, else their defaults."""
    found: dict[str, str] = {}
    for one in instructions(text):
        if one.word == "FROM":
            break
        if one.word == "ARG":
            for declared in shlex.split(one.text):
                name, _equals, value = declared.partition("=")
                found[name] = (given or {}).get(name, _filled(value, found))
    return found


def bases(text: str, arguments: Mapping[str, str]) -> list[str]:
    """The images that FROM and C(COPY --from) name, in their order, each once; not the Dockerfile's own stages, nor scratch."""
    return list(dict.fromkeys(image for _one, image in _images(text, arguments)))


def with_bases(text: str, arguments: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The Dockerfile with other names for the images of bases()."""
    lines = text.splitlines()
    for one, image in _images(text, arguments):
        if one.word == "FROM":
            rest = one.text.split()
            position = next(index for index, word in enumerate(rest) if not word.startswith("--"))
            new = " ".join(["FROM", *rest[:position], names[image], *rest[position + 1 :]])
        else:
            new = f"{one.word} {one.text}".replace(f"--from={one.flag('from')}", f"--from={names[image]}")
        lines[one.first : one.last + 1] = [new, *[""] * (one.last - one.first)]
    return "\n".join(lines) + "\n"


def _images(text: str, arguments: Mapping[str, str]) -> Iterator[tuple[Instruction, str]]:
    known = arguments_of(text, arguments)
    stages: set[str] = set()
    for one in instructions(text):
        if one.word == "FROM" and one.words:
            image = _filled(one.words[0], known)
            if image.lower() not in stages and image != "scratch":
                yield one, image
            if len(one.words) > 2:
                stages.add(one.words[2].lower())
        elif (
            one.word == "COPY"
            and (source := one.flag("from"))
            and not source.isdigit()
            and source.lower() not in stages
        ):
            yield one, source


def split(text: str) -> tuple[str, list[Copy]]:
    """The Dockerfile without the plain COPYs that it ends with, and these, in their order."""
    found = list(instructions(text))
    copies: list[Copy] = []
    while found and (copy := _plain(found[-1])):
        copies.insert(0, copy)
        found.pop()
    if not copies:
        return text, []
    return "\n".join(text.splitlines()[: found[-1].last + 1 if found else 0]) + "\n", copies


def _plain(one: Instruction) -> Copy | None:
    words = one.text.split()
    if one.word != "COPY" or _NOT_PLAIN.search(one.text) or len(words) < 2:
        return None
    *sources, destination = words
    if len(sources) > 1 and not destination.endswith("/"):
        return None
    return Copy(tuple(_in_context(source) for source in sources), destination)


def used_files(text: str, names: Iterable[str]) -> list[str]:
    """Those files of the context (paths with slashes) that the instructions can use."""
    patterns: list[str] = []
    for one in instructions(text):
        if one.word in ("COPY", "ADD") and one.flag("from") is None:
            if "$" in one.text or one.text.lstrip().startswith("[") or '"' in one.text:
                return list(names)
            patterns += [_in_context(word) for word in one.words[:-1]]
        if one.word == "RUN" and "--mount" in one.text:
            return list(names)
    return [name for name in names if any(is_within(name, pattern) for pattern in patterns)]


def is_within(name: str, pattern: str) -> bool:
    """Whether a file of the context is what a COPY's source names, or in it."""
    path = PurePosixPath(name)
    return pattern == "" or any(fnmatch(str(one), pattern) for one in (path, *path.parents[:-1]))


def _in_context(source: str) -> str:
    """A source from the context's root on; empty for all of it."""
    return "/".join(part for part in source.split("/") if part not in ("", "."))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with ARGs' values in place of C($NAME), C(${NAME}), C(${NAME:-default}) and C(${NAME:+other})."""

    def value(found: re.Match[str]) -> str:
        given = values.get(found[1] or found[2], "")
        if found[3] == "-":
            return given or found[4]
        return (found[4] if given else "") if found[3] == "+" else given

    return _VARIABLE.sub(value, text)


def ignored(patterns: str) -> list[tuple[re.Pattern[str], bool]]:
    """The lines of a .dockerignore, each as a pattern and whether it leaves out (else it takes in again)."""
    found = []
    for line in patterns.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        leaves_out = not rule.startswith("!")
        found.append((_pattern(_in_context(rule.removeprefix("!").strip())), leaves_out))
    return found


def is_ignored(name: str, rules: Iterable[tuple[re.Pattern[str], bool]]) -> bool:
    """Whether a .dockerignore leaves this file out: the last rule that fits it, or a folder that it is in, decides."""
    out = False
    for pattern, leaves_out in rules:
        if pattern.match(name):
            out = leaves_out
    return out


def _pattern(rule: str) -> re.Pattern[str]:
    """https://docs.docker.com/build/concepts/context/#syntax: Go's filepath.Match, and C(**) for any number of folders."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(parts.get(word) or re.escape(word) for word in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", rule))
    return re.compile(f"{text}(?:/.*)?$")
