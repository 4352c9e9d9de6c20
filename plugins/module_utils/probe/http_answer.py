# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an answer is as expected, and what to take from it. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import names_secret
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError

Json = dict[str, t.Any]
SHOWN_VALUE = 80


class Answer(t.NamedTuple):
    """What came back. C(headers) by name in lower case; C(elsewhere) is where a redirect leads that was not followed."""

    status: int
    headers: dict[str, str]
    body: bytes
    elsewhere: str | None = None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Expectation(t.NamedTuple):
    """What an answer must be. C(json) is a list of one where any JSON is expected, as that may be null, else empty."""

    status: tuple[int, ...] = (200,)
    json: t.Sequence[t.Any] = ()
    contains: str | None = None
    file: bytes | None = None
    header: dict[str, str] = {}  # noqa: RUF012 (a NamedTuple's default, never changed)


class NoValueError(PrintableError):
    """An answer has no such value; the text says what it has instead."""


def mismatches(expected: Expectation, answer: Answer) -> list[str]:
    """How the answer differs from what is expected, a part of a sentence each. Nothing more is said of a wrong status."""
    if answer.status not in expected.status:
        wanted = " or ".join(map(str, expected.status))
        where = f" (a redirect to {answer.elsewhere}, which is not followed)" if answer.elsewhere else ""
        return [f"the status is {answer.status}{where} instead of {wanted}"]
    return [
        *_header_mismatches(expected.header, answer.headers),
        *_json_mismatches(expected.json, answer),
        *_text_mismatches(expected.contains, answer),
        *_file_mismatches(expected.file, answer.body),
    ]


def _header_mismatches(wanted: t.Mapping[str, str], headers: t.Mapping[str, str]) -> t.Iterator[str]:
    for name, value in wanted.items():
        found = headers.get(name.lower())
        if found is None:
            yield f"the header {name} is missing"
        elif found != value:
            yield f"the header {_instead_of(name, value, found)}"


def _json_mismatches(wanted: t.Sequence[t.Any], answer: Answer) -> list[str]:
    if not wanted:
        return []
    try:
        return subset_problems(wanted[0], parsed(answer), "json")
    except NoValueError as error:
        return [str(error)]


def _text_mismatches(wanted: str | None, answer: Answer) -> list[str]:
    return [] if wanted is None or wanted in answer.text else [f"the body does not contain {_shown(wanted)}"]


def _file_mismatches(wanted: bytes | None, body: bytes) -> list[str]:
    if wanted is None or wanted == body:
        return []
    if len(wanted) != len(body):
        return [f"the body has {len(body)} bytes instead of the file's {len(wanted)}"]
    first = next(place for place, pair in enumerate(zip(wanted, body, strict=True)) if pair[0] != pair[1])
    return [f"the body is not the file: byte {first} is another"]


def parsed(answer: Answer) -> t.Any:
    """The answer's JSON. Raises NoValueError."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise NoValueError("the body is not JSON") from error


def subset_problems(wanted: t.Any, found: t.Any, path: str) -> list[str]:
    """Where found lacks what is wanted: of maps the given keys, everything else exactly, lists and what is in them as well.

    1 and 1.0 are equal, as in JSON, but 1 and true are not.
    """
    if not isinstance(wanted, dict):
        return [] if equal(wanted, found) else [_difference(path, wanted, found)]
    if not isinstance(found, dict):
        return [f"{path} is not an object"]
    problems = []
    for key, value in wanted.items():
        where = f"{path}.{key}"
        problems += subset_problems(value, found[key], where) if key in found else [f"{where} is missing"]
    return problems


def equal(one: t.Any, other: t.Any) -> bool:
    """Whether two values of JSON are the same; to Python true would be 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _difference(path: str, wanted: t.Any, found: t.Any) -> str:
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) != len(found):
        return f"{path} has {len(found)} elements instead of {len(wanted)}"
    return _instead_of(path, wanted, found)


def _instead_of(path: str, wanted: t.Any, found: t.Any) -> str:
    if names_secret(path):
        return f"{path} is not as expected (its values are not shown)"
    return f"{path} is {_shown(found)} instead of {_shown(wanted)}"


def _shown(value: t.Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"


def value_at(path: str, document: t.Any) -> t.Any:
    """The value at a path such as C(a.b.0.c). Raises NoValueError."""
    walked: list[str] = []
    for part in path.split("."):
        before = ".".join(walked) or "the answer"
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            raise NoValueError(f"{before} has no {part}{_instead(document)}")
        walked.append(part)
    return document


def _instead(document: t.Any) -> str:
    if isinstance(document, dict):
        return f", but {', '.join(list(document)[:10])}" if document else ", as it is an empty object"
    if isinstance(document, list):
        return f", as it is a list of {len(document)}"
    return ", as it is neither an object nor a list"
