# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From plain lists of AWS resources to the managed resources that Crossplane makes them by, and what is wrong with the lists.

Pure. Each service has a file of its own in kinds/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion, type_name

from .catalog import ENTRIES, REMOVAL
from .entry import Context, Entry, Object, api_version
from .extra import extra_object, extra_problems
from .fields import reserved_tag_problems, short, tag_problems
from .messages import join, messages
from .models import ValidationError
from .target import Target

Declared = Mapping[str, Any]

EXTRA = "extra_manifests"
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
OWNER_VALUE = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
KUBERNETES_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?[.-]?")


def kinds(extra: object = ()) -> list[dict[str, str]]:
    """Every kind that can be declared, with those of extra manifests, in the order in which they are removed.

    Both scopes', as what was declared before may have been of the other one.
    """
    others = {
        (one["apiVersion"], one["kind"]): None
        for one in (extra if isinstance(extra, Sequence) else ())
        if not extra_problems(one)
    }
    ours = [(api_version(service, namespaced), kind) for namespaced in (False, True) for service, kind in REMOVAL]
    wanted = [*(one for one in others if one not in ours), *ours]
    return [{"api_version": version, "kind": kind} for version, kind in wanted]


def derive(declared: Declared, target: Target) -> tuple[list[Object], list[str]]:
    """The managed resources for the lists, and everything that is wrong with these, each with its path in the input.

    Where anything is wrong, the objects are not all that was meant.
    """
    # Without tags that are none, so that the entries can be looked at, too.
    context, found = _read(declared, replace(target, tags=target.tags if _are_tags(target.tags) else {}))
    made = [(path, entry.title, entry.objects(context)) for path, entry in context.entries]
    extra = [(path, one, list(extra_problems(one))) for path, one in _extras(declared)]
    others = [(path, "", [extra_object(one, target)]) for path, one, wrong in extra if not wrong]
    duplicates = dict(_duplicate_names(declared))
    problems = [
        *_target_problems(target),
        *found,
        *duplicates.values(),
        *(
            f"{join_text(path, place)}: {text}"
            for path, entry in context.entries
            for place, text in entry.problems(context)
        ),
        *(f"{join_text(path, place)}: {text}" for path, _one, wrong in extra for place, text in wrong),
        *(text for path, text in _colliding_objects([*made, *others]) if path not in duplicates),
    ]
    return [one for _path, _title, objects in [*made, *others] for one in objects], problems


def join_text(path: str, place: str) -> str:
    return join(path, [place] if place else [])


def _entries_of(declared: Declared, name: str) -> list[tuple[str, Any]]:
    """The entries of a list with their paths."""
    entries = declared.get(name)
    if not isinstance(entries, list):
        return []
    return [(f"aws_resources_{name}[{index}]", one) for index, one in enumerate(entries)]


def _extras(declared: Declared) -> list[tuple[str, Any]]:
    return _entries_of(declared, EXTRA)


def _read(declared: Declared, target: Target) -> tuple[Context, list[str]]:
    """All entries that can be read, and what is wrong with the others."""
    entries: list[tuple[str, Entry]] = []
    found: list[str] = []
    for name, value in declared.items():
        if name not in ENTRIES and name != EXTRA:
            found.append(f"aws_resources_{name}: is unknown{suggestion(name, [*ENTRIES, EXTRA])}")
        elif value is not None and not isinstance(value, list):
            found.append(f"aws_resources_{name}: must be a list, not {type_name(value)}")
    for name, model in ENTRIES.items():
        for path, raw in _entries_of(declared, name):
            if not isinstance(raw, Mapping):
                found.append(f"{path}: must be a map, not {type_name(raw)}")
                continue
            try:
                # What is null was left empty.
                entries.append((path, model.model_validate({key: one for key, one in raw.items() if one is not None})))
            except ValidationError as error:
                found.extend(messages(error, model, path))
    names = {
        name: frozenset(
            one for _path, raw in _entries_of(declared, name) if isinstance(raw, Mapping) for one in model.names_in(raw)
        )
        for name, model in ENTRIES.items()
    }
    return Context(target, entries, names), found


def _target_problems(target: Target) -> Iterator[str]:
    """What is wrong with the role's other variables."""
    if target.scope not in ("cluster", "namespaced"):
        yield f"aws_resources_scope: {short(target.scope)} is none of cluster, namespaced"
    if target.namespaced and not target.namespace:
        yield "aws_resources_namespace: is missing, as aws_resources_scope is namespaced"
    if target.prefix and not KUBERNETES_PREFIX.fullmatch(target.prefix):
        yield f"aws_resources_prefix: {short(target.prefix)} can't begin the name of a Kubernetes object; allowed are lower-case letters, digits, '-' and '.'"
    if target.provider_config_kind not in ("ProviderConfig", "ClusterProviderConfig"):
        yield f"aws_resources_provider_config_kind: {short(target.provider_config_kind)} is none of ProviderConfig, ClusterProviderConfig"
    if target.owner and not OWNER_VALUE.fullmatch(target.owner):
        yield (
            f"aws_resources_owner: {short(target.owner)} can't be the value of a label; allowed are 1 to 63 letters, digits, '-', '_' and '.', "
            "with a letter or digit at both ends"
        )
    # None at all is refused where the account comes from.
    if target.account and not re.fullmatch(r"\d{12}", str(target.account)):
        yield f"aws_resources_account: {short(target.account)} is no account, which has 12 digits"
    if not isinstance(target.tags, Mapping):
        yield f"aws_resources_tags: must be a map, not {type_name(target.tags)}"
    elif not _are_tags(target.tags):
        wrong = [short(key) for key, value in target.tags.items() if not _are_tags({key: value})]
        yield f"aws_resources_tags: keys and values must be text: {', '.join(wrong)}"
    else:
        found = [*tag_problems(target.tags), *reserved_tag_problems(target.tags)]
        yield from (f"aws_resources_tags: {one}" for one in found)


def _are_tags(tags: object) -> bool:
    """Whether these are a map of texts."""
    return isinstance(tags, Mapping) and all(isinstance(one, str) for item in tags.items() for one in item)


def _duplicate_names(declared: Declared) -> Iterator[tuple[str, str]]:
    """Entries that take the name of another one, by path."""
    for list_name, model in ENTRIES.items():
        first: dict[str, str] = {}
        for path, raw in _entries_of(declared, list_name):
            for name in model.names_in(raw) if isinstance(raw, Mapping) else []:
                if name in first:
                    place = f"{path}.name" if "name" in model.model_fields else path
                    yield path, f"{place}: {short(name)} is declared twice, by {first[name]}, too"
                first.setdefault(name, path)


def _colliding_objects(objects: Iterable[tuple[str, str, list[Object]]]) -> Iterator[tuple[str, str]]:
    """Different AWS names that make the same Kubernetes object, and names that make none, by path.

    C(objects): for each entry its path, its AWS name and what is made of it.
    """
    first: dict[tuple[str, ...], str] = {}
    for path, title, made in objects:
        if not made[0]["metadata"]["name"]:
            yield path, f"{path}: {short(title)} gives no name for a Kubernetes object; set object_name"
            continue
        keys = [_identity(one) for one in made]
        for key in keys:
            other_path = first.setdefault(key, path)
            made_twice = f"{key[1]} {key[3]!r}"
            if other_path != path:
                yield (
                    path,
                    f"{path}: makes the same Kubernetes object as {other_path}: {made_twice}; set object_name in one of them",
                )
                break
            if keys.count(key) > 1:
                yield path, f"{path}: two parts of it make the same Kubernetes object: {made_twice}; rename one of them"
                break


def _identity(made: Object) -> tuple[str, str, str, str]:
    """API version, kind, namespace and name."""
    metadata = made["metadata"]
    return made["apiVersion"], made["kind"], metadata.get("namespace", ""), metadata["name"]
