# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a proof by HTTP: read, and checked all at once before the first request."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked, names_secret
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion, type_name
from ansible_collections.localcloud.stack.plugins.module_utils.probe import placeholders

Json = dict[str, t.Any]
Steps = t.Sequence[Json]
# What a file cannot be read by (its strerror), or None.
Unreadable = t.Callable[[str], "str | None"]

UNIQUE = "unique"
TOTAL = "total"
SENDS = ("send_json", "send_form", "send_body")
# What each key of a step is, in the words of YAML. Keys whose value may be anything are not here.
TYPES: dict[str, tuple[str, ...]] = {
    "name": ("text",),
    "url": ("text",),
    "method": ("text",),
    "headers": ("a map",),
    "send_form": ("a map",),
    "send_body": ("text",),
    "status": ("a whole number", "a list"),
    "contains": ("text",),
    "file": ("text",),
    "header": ("a map",),
    "save": ("a map",),
    "always": ("true or false",),
    "retry": ("true or false",),
}
KEYS = (*TYPES, "send_json", "json")
FILE_KEYS = ("file", "content_type")
# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SCALARS = ("text", "a whole number", "a number", "true or false")


@dataclasses.dataclass(frozen=True)
class Step:
    """A request and what is expected of its answer, as given: texts still ask for values. Files' paths are expanded."""

    name: str
    url: str
    method: str = "GET"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    send: tuple[str, t.Any] | None = None  # the name of one of SENDS, and its value
    status: tuple[int, ...] = (200,)
    json: tuple[t.Any, ...] = ()  # of one where any JSON is expected, as that may be null
    contains: str | None = None
    file: str | None = None
    header: dict[str, str] = dataclasses.field(default_factory=dict)
    save: dict[str, str] = dataclasses.field(default_factory=dict)
    always: bool = False
    retry: bool = False


def read_steps(raw: Steps) -> list[Step]:
    """The steps of a list without problems."""
    steps = [_given(one) for one in raw]
    return [_step(one, name) for one, name in zip(steps, step_names(steps), strict=True)]


def _step(raw: Json, name: str) -> Step:
    status = raw.get("status", 200)
    send = next(((key, raw[key]) for key in SENDS if key in raw), None)
    if send and send[0] == "send_form":
        send = (send[0], {key: _form_field(one) for key, one in send[1].items()})
    return Step(
        name=name,
        url=raw["url"],
        method=method_of(raw),
        headers=_texts(raw.get("headers", {})),
        send=send,
        status=tuple(status) if isinstance(status, list) else (status,),
        json=(plain_json(raw["json"]),) if "json" in raw else (),
        contains=raw.get("contains"),
        file=os.path.expanduser(raw["file"]) if "file" in raw else None,
        header=_texts(raw.get("header", {})),
        save=dict(raw.get("save", {})),
        always=raw.get("always", False),
        retry=raw.get("retry", False),
    )


def secret_templates(step: Step) -> list[str]:
    """What of a request is a secret by its place: values of headers such as Authorization, of fields such as password, and a
    password in the URL. Texts still ask for values."""
    headers = [value for name, value in step.headers.items() if names_secret(name)]
    kind, sent = step.send or ("", None)
    fields = [] if kind == "send_body" else list(_secret_fields(sent, False))
    user, at, _host = step.url.partition("://")[2].partition("/")[0].rpartition("@")
    return [*headers, *fields, *([user.partition(":")[2]] if at else [])]


def secret_values(steps: t.Iterable[Step]) -> set[str]:
    """The secrets that are known before the first request."""
    found = {one for step in steps for one in secret_templates(step) if not placeholders.names_in(one)}
    return {one for one in found if one}


def _secret_fields(value: t.Any, secret: bool) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _secret_fields(one, secret or names_secret(str(name)))
    elif isinstance(value, list):
        for one in value:
            yield from _secret_fields(one, secret)
    elif secret and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)


def secret_names(steps: t.Iterable[Step]) -> set[str]:
    """Names whose values are secrets: by their name or where they come from, or by what a step uses them for."""
    found: set[str] = set()
    for step in steps:
        found |= {name for name, path in step.save.items() if names_secret(name) or names_secret(path)}
        found |= placeholders.names_in(secret_templates(step)) - {UNIQUE}
    return found


def _form_field(field: t.Any) -> t.Any:
    if isinstance(field, dict):
        return {**field, "file": os.path.expanduser(field["file"])}
    return placeholders.as_text(field)


def _texts(values: Json) -> dict[str, str]:
    return {name: placeholders.as_text(value) for name, value in values.items()}


def _given(step: Json) -> Json:
    """A step without keys that are null, which count as not given; JSON may be null."""
    return {key: value for key, value in step.items() if value is not None or key in ("send_json", "json")}


def plain_json(value: t.Any) -> t.Any:
    """The value as it is after it went through JSON: keys of maps are texts. Raises TypeError and ValueError."""
    return json.loads(json.dumps(value, allow_nan=False))


def method_of(step: Json) -> str:
    return str(step.get("method", "GET")).upper()


def step_names(steps: Steps) -> list[str]:
    """A name of each step's own: what is given, else method and URL, numbered from the second on."""
    names: list[str] = []
    for one in steps:
        name = one.get("name") or masked(f"{method_of(one)} {one.get('url')}")
        count = sum(given == name or given.startswith(f"{name} (") for given in names)
        names.append(name if "name" in one or not count else f"{name} ({count + 1})")
    return names


def unreadable(path: str) -> str | None:
    """Why a file cannot be read."""
    try:
        with open(os.path.expanduser(path), "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def step_problems(raw: t.Any, path: str = "steps", why_unreadable: Unreadable = unreadable) -> list[str]:
    """All that is wrong with a list of steps, each problem with its path. Looks at files, but sends nothing."""
    if not isinstance(raw, list):
        return [f"{path} must be a list, not {type_name(raw)}."]
    if not raw:
        return [f"{path} is empty, so nothing would be proved."]
    return [f"{one}." for one in _all_problems(raw, path, why_unreadable)]


def _all_problems(raw: list[t.Any], path: str, why_unreadable: Unreadable) -> t.Iterator[str]:
    known = {UNIQUE}
    later = collections.Counter(name for one in raw for name in _saves(one))
    names = collections.Counter(str(one["name"]) for one in raw if isinstance(one, dict) and one.get("name"))
    for number, one in enumerate(raw):
        where = f"{path}[{number}]"
        if not isinstance(one, dict):
            yield f"{where} must be a map, not {type_name(one)}"
            continue
        step = _given(one)
        if names[str(step.get("name"))] > 1:
            yield f"{where}.name: {step['name']!r} is the name of another step as well"
        yield from _step_problems(step, where, why_unreadable)
        later.subtract(_saves(step))
        yield from _unknown_names(step, where, known, {name for name, count in later.items() if count > 0})
        known |= set(_saves(step))


def _saves(step: t.Any) -> list[str]:
    save = step.get("save") if isinstance(step, dict) else None
    return list(map(str, save)) if isinstance(save, dict) else []


def _step_problems(step: Json, path: str, why_unreadable: Unreadable) -> t.Iterator[str]:
    yield from (f"{path}.{key} is unknown{suggestion(str(key), KEYS)}" for key in step if key not in KEYS)
    if "url" not in step:
        yield f"{path}.url is missing"
    sends = [key for key in SENDS if key in step]
    if len(sends) > 1:
        yield f"{path} has {' and '.join(sends)}, but a request has one body"
    for key, value in step.items():
        wanted = TYPES.get(key)
        if wanted and type_name(value) not in wanted:
            yield f"{path}.{key} must be {' or '.join(wanted)}, not {type_name(value)}"
        elif key in CHECKS:
            yield from CHECKS[key](value, f"{path}.{key}", why_unreadable)


def _unknown_names(step: Json, path: str, known: set[str], later: set[str]) -> t.Iterator[str]:
    """What is asked for that no earlier step saves. Names, paths of files and what is saved are taken as they are."""
    for key in ("url", "headers", *SENDS, "json", "contains", "header"):
        for name in sorted(placeholders.names_in(step.get(key)) - known):
            asks = f"{path}.{key} asks for"
            if not placeholders.NAME.fullmatch(name):
                yield f"{asks} {name!r}, which is not a name; write $${{ for the text ${{ itself"
            elif name in _saves(step) or name in later:
                yield f"{asks} ${{{name}}}, which is saved only afterwards"
            else:
                yield f"{asks} ${{{name}}}, which no earlier step saves{suggestion(name, known)}"


def _name(value: str, path: str, _why: Unreadable) -> t.Iterator[str]:
    if not value.strip():
        yield f"{path} is empty"
    elif value == TOTAL:
        yield f"{path} must not be {TOTAL!r}, which is what all steps took together"


def _url(value: str, path: str, _why: Unreadable) -> t.Iterator[str]:
    if not value.startswith("${") and (problem := url_problem(value)):
        yield f"{path} {problem}"


def url_problem(url: str) -> str | None:
    """What is wrong with a URL that a request is to go to."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        right = False
    if not right or any(one.isspace() for one in url):
        return "is not a URL; write it with scheme and host, for example http://127.0.0.1:30080/path"
    return None


def _method(value: str, path: str, _why: Unreadable) -> t.Iterator[str]:
    if not TOKEN.fullmatch(value):
        yield f"{path}: {value!r} is not a method of HTTP"


def _headers(value: Json, path: str, _why: Unreadable) -> t.Iterator[str]:
    for name, one in value.items():
        if not isinstance(name, str) or not TOKEN.fullmatch(name):
            yield f"{path}: {name!r} is not a header's name"
        elif type_name(one) not in SCALARS:
            yield f"{path}.{name} must be text, not {type_name(one)}"
        elif problem := header_problem(placeholders.as_text(one)):
            yield f"{path}.{name} {problem}"


def header_problem(value: str) -> str | None:
    """What is wrong with a header's value. It is not shown, as it may be a secret."""
    if any(one in value for one in "\r\n\0"):
        return "has a line break, which a header cannot have"
    return None if all(ord(one) < 256 for one in value) else "has characters that a header cannot have (Latin-1 only)"


def _any_json(value: t.Any, path: str, _why: Unreadable) -> t.Iterator[str]:
    try:
        plain_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"{path} is not JSON ({error}); put dates into quotes"


def _form(value: Json, path: str, why: Unreadable) -> t.Iterator[str]:
    for name, field in value.items():
        where = f"{path}.{name}"
        if not isinstance(name, str):
            yield f"{path}: the field's name {name!r} must be text, not {type_name(name)}"
        elif isinstance(field, dict):
            yield from _form_file(field, where, why)
        elif type_name(field) not in SCALARS:
            yield f"{where} must be text, or a map with file, not {type_name(field)}"


def _form_file(field: Json, path: str, why: Unreadable) -> t.Iterator[str]:
    yield from (f"{path}.{key} is unknown{suggestion(str(key), FILE_KEYS)}" for key in field if key not in FILE_KEYS)
    for key in FILE_KEYS:
        if key in field and not isinstance(field[key], str):
            yield f"{path}.{key} must be text, not {type_name(field[key])}"
    if "file" not in field:
        yield f"{path}.file is missing"
    elif isinstance(field["file"], str):
        yield from _file(field["file"], path, why)


def _file(value: str, path: str, why: Unreadable) -> t.Iterator[str]:
    if problem := why(value):
        yield f"{path}: file {value} cannot be read ({problem})"


def _status(value: t.Any, path: str, _why: Unreadable) -> t.Iterator[str]:
    if value == []:
        yield f"{path} is empty"
    for one in value if isinstance(value, list) else [value]:
        if type_name(one) != "a whole number" or not 100 <= one <= 599:
            yield f"{path}: {one!r} is not a status of HTTP (100 to 599)"


def _save(value: Json, path: str, _why: Unreadable) -> t.Iterator[str]:
    for name, where in value.items():
        if not isinstance(name, str) or not placeholders.NAME.fullmatch(name):
            yield f"{path}: {name!r} is not a name (letters, digits and _)"
        elif name == UNIQUE:
            yield f"{path}: {UNIQUE} is given already"
        if not isinstance(where, str) or not all(where.split(".")):
            yield f"{path}.{name}: {where!r} is not a path in JSON, for example user.links.0.href"


CHECKS: dict[str, t.Callable[[t.Any, str, Unreadable], t.Iterator[str]]] = {
    "name": _name,
    "url": _url,
    "method": _method,
    "headers": _headers,
    "header": _headers,
    "send_json": _any_json,
    "json": _any_json,
    "send_form": _form,
    "file": _file,
    "status": _status,
    "save": _save,
}
