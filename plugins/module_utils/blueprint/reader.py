# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a blueprint as a whole: its templates rendered, its keys checked, and all that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import ENTRIES
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import short
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.messages import messages
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.models import ValidationError
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import image_problems
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion, type_name
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import step_problems
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import problems as event_problems

from .gitops import described, gitops_problems
from .paths import absolute, is_folder
from .schema import IDENTIFIER, Blueprint, Place
from .templates import Render, resolved
from .variables import VariableError, kept, typed

FILE = "blueprint.yml"
# What only a resolved blueprint has.
LATE = ("links", "proofs", "notes")
# Of an image's name, as the role cluster takes it.
LONGEST_KEY = 63
WAYS = ("event", "http", "tasks")
ARN = re.compile(r"arn:")


@dataclass(frozen=True)
class Surroundings:
    """What a blueprint's templates may use.

    facts: the variable `stack`, without what the blueprint itself says. given: values for its variables. urls: its addresses
    by name, where they are known. images: references by image_key(), where they are known. target: where AWS resources are made.
    parts: what an image's `part` may name.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, str] | None = None
    urls: Mapping[str, str] | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    parts: Collection[str] = ()


@dataclass(frozen=True)
class Reading:
    """A blueprint, or what is wrong with it. blueprint: the fields of schema.Blueprint, and folder, overrides."""

    blueprint: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read(folder: Path, raw: object, around: Surroundings, render: Render) -> Reading:
    """The blueprint of a folder. raw: the content of its blueprint.yml."""
    if not isinstance(raw, Mapping):
        return Reading(problems=[f"{folder / FILE} must be a map, not {type_name(raw)}."])
    problems: list[str] = []
    values, overrides = _variables(str(folder), raw.get("variables"), around, render, problems)
    scope = {**values, "stack": {**around.facts, "folder": str(folder)}}
    name = resolved(raw.get("name") or folder.resolve().name, "name", scope, render, problems)
    namespace = resolved(raw.get("namespace") or str(name).replace("_", "-"), "namespace", scope, render, problems)
    place = resolved(raw.get("place") or {}, "place", scope, render, problems)
    target = _target(place, around.target)
    scope["stack"].update(
        name=name,
        namespace=namespace,
        **{key: target[key] for key in ("region", "tags") if key in target},
        **_images(str(name), raw.get("images"), around.images),
        urls={
            **_placeholders(resolved(_names(raw.get("addresses")), "addresses", scope, render, [])),
            **(around.urls or {}),
        },
    )
    tree = {
        **_tree(raw, scope, render, problems),
        **({"place": place} if place else {}),
        "name": name,
        "namespace": namespace,
        "variables": values,
    }
    around = replace(around, target=target)
    others = _inactive_entries(tree.get("aws"))
    tree = _without_inactive(tree)
    found, wrong = _validated(tree)
    problems += _beside(problems, [*wrong, *_tree_problems(found, tree, folder, around)])
    # What is right only while it is left out is a mistake that waits for its day.
    problems += [one for one in _left_out_problems(others, _map(tree.get("aws")), around.target) if one not in problems]
    if problems or found is None:
        return Reading(problems=[f"{folder / FILE}: {one}" for one in problems])
    lists = {key: tree.get(key) or {} for key in ("aws", "images")}
    chosen = {key: target[key] for key in Place.model_fields if key in target}
    return Reading(
        _with_paths(
            {
                **found.model_dump(mode="json"),
                **lists,
                "place": chosen,
                "folder": str(folder),
                "overrides": kept(overrides),
            },
            folder,
        )
    )


def _target(place: object, target: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's target with what the blueprint says of it."""
    given = {key: value for key, value in _map(place).items() if key in Place.model_fields and value is not None}
    tags = {**(target.get("tags") or {}), **_map(given.pop("tags", None))}
    return {**target, **given, **({"tags": tags} if tags else {})}


def _names(entries: object) -> dict[str, None]:
    return dict.fromkeys(entries) if isinstance(entries, Mapping) else {}


def _beside(failed: list[str], problems: Iterable[str]) -> list[str]:
    """The problems that do not only follow from a template that failed."""
    paths = {one.partition(": ")[0] for one in failed}
    return [one for one in problems if one.partition(": ")[0] not in paths]


def _variables(
    folder: str, declared: object, around: Surroundings, render: Render, problems: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables' values, and those of them that were given."""
    if declared is not None and not isinstance(declared, Mapping):
        problems.append(f"variables: must be a map, not {type_name(declared)}")
        return {}, {}
    values: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    for name, default in (declared or {}).items():
        path = f"variables.{name}"
        if not IDENTIFIER.fullmatch(str(name)):
            problems.append(f"{path}: is not a variable's name: lower-case letters, digits and '_', a letter first")
            continue
        scope = {**values, "stack": {**around.facts, "folder": folder}}
        values[name] = resolved(default, path, scope, render, problems)
        if name in around.given:
            try:
                overrides[name] = values[name] = typed(name, values[name], around.given[name])
            except VariableError as error:
                problems.append(f"{path}: {error}")
        elif values[name] is None and default is None:
            problems.append(f"{path}: has no default, so that a value must be given: -e {name}=…")
    return values, overrides


def image_key(blueprint: str, image: str) -> str:
    """An image's name in the cluster, which gets those of several blueprints at once: the same, whichever of them a run is about."""
    return f"{blueprint.replace('_', '-')}-{image}"[:LONGEST_KEY].rstrip("-._")


def _images(blueprint: str, declared: object, known: Mapping[str, str] | None) -> dict[str, Any]:
    """Each image's reference, a placeholder until it is known, and which of them are brought into the cluster by the stack."""
    names = [name for name, one in declared.items() if not _inactive(one)] if isinstance(declared, Mapping) else []
    references = {name: (known or {}).get(image_key(blueprint, name), f"{name}:unknown") for name in names}
    published = [declared[name].get("published") for name in names if isinstance(declared[name], Mapping)]  # type: ignore[index]
    return {"images": references, "own_images": [name for name in names if references[name] not in published]}


def _placeholders(addresses: object) -> dict[str, str]:
    return {name: f"http://{name}.invalid" for name in addresses} if isinstance(addresses, Mapping) else {}


def _tree(raw: Mapping[str, Any], scope: Mapping[str, Any], render: Render, problems: list[str]) -> dict[str, Any]:
    """All keys but the ones that were read before, with their templates rendered."""
    found: dict[str, Any] = {}
    early = {**scope, "stack": {key: value for key, value in scope["stack"].items() if key != "urls"}}
    for key, value in raw.items():
        if key in ("name", "namespace", "variables", "place"):
            continue
        if key == "releases" and isinstance(value, list):
            found[key] = [_release(one, f"{key}[{index}]", early, render, problems) for index, one in enumerate(value)]
        else:
            found[key] = resolved(value, str(key), scope if key in LATE else early, render, problems)
    return found


def _release(raw: Any, path: str, scope: Mapping[str, Any], render: Render, problems: list[str]) -> Any:
    """A release; its values may use its name, and that of the Secret with the emulator's credentials."""
    if not isinstance(raw, Mapping):
        return raw
    name = resolved(raw.get("name"), f"{path}.name", scope, render, problems)
    emulated = scope["stack"].get("endpoint", "")
    release = {"name": name, "credentials": f"{name}-aws" if emulated else ""}
    rest = {key: value for key, value in raw.items() if key != "name"}
    return {**resolved(rest, path, {**scope, "release": release}, render, problems), **({"name": name} if name else {})}


def _without_inactive(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without the entries whose `when` is false, and without the others' `when` where only this package knows it."""
    found = dict(tree)
    for key in ("releases", "proofs", "notes", "addresses"):
        if key in found:
            found[key] = _active(found[key])
    if "images" in found:
        found["images"] = _bare(_active(found["images"]))
    if isinstance(found.get("aws"), Mapping):
        found["aws"] = {name: _bare(_active(entries)) for name, entries in found["aws"].items()}
    for key in ("composites", "gitops"):
        if _inactive(found.get(key)):
            del found[key]
    return found


def _inactive_entries(lists: Any) -> dict[str, Any]:
    """The entries of lists whose `when` is false, without it."""
    if not isinstance(lists, Mapping):
        return {}
    return {
        name: [_without_when(one) for one in entries if _inactive(one)]
        for name, entries in lists.items()
        if isinstance(entries, list) and any(map(_inactive, entries))
    }


def _active(entries: Any) -> Any:
    if isinstance(entries, Mapping):
        return {name: one for name, one in entries.items() if not _inactive(one)}
    return [one for one in entries if not _inactive(one)] if isinstance(entries, list) else entries


def _bare(entries: Any) -> Any:
    """Entries without a `when` that is true; any other is refused as an unknown field."""

    def without(one: Any) -> Any:
        return _without_when(one) if isinstance(one, Mapping) and one.get("when") is True else one

    if isinstance(entries, Mapping):
        return {name: without(one) for name, one in entries.items()}
    return [without(one) for one in entries] if isinstance(entries, list) else entries


def _without_when(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "when"}


def _inactive(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("when") is False


def _validated(tree: Mapping[str, Any]) -> tuple[Blueprint | None, list[str]]:
    """The blueprint if its keys are all right by themselves, else what is wrong with them."""
    try:
        return Blueprint.model_validate(tree), []
    except ValidationError as error:
        return None, [one.lstrip(".") for one in messages(error, Blueprint, "")]


def _tree_problems(
    found: Blueprint | None, tree: Mapping[str, Any], folder: Path, around: Surroundings
) -> Iterator[str]:
    """What is wrong with a blueprint beside its keys; what parts have to do with each other only where these are right."""
    yield from _aws_problems(_map(tree.get("aws")), found.composites.objects if found else [], around.target)
    if found:
        yield from (f"checks[{index}]: {one.message}" for index, one in enumerate(found.checks) if not one.that)
        yield from _release_problems(found, folder)
        yield from gitops_problems(found, folder)
        yield from _address_problems(found)
        yield from _proof_problems(found, tree, folder)
    yield from image_problems(_absolute_images(_map(tree.get("images")), folder), "images", around.parts)


def _map(value: object) -> Mapping[str, Any]:
    """A map; what is none is refused by the schema."""
    return value if isinstance(value, Mapping) else {}


def _aws_problems(lists: Mapping[str, Any], extra: list[dict[str, Any]], target: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"aws.{name}: is unknown{suggestion(name, ENTRIES)}" for name in lists if name not in ENTRIES)
    known = {name: value for name, value in lists.items() if name in ENTRIES}
    _objects, problems = derive({**known, "extra_manifests": extra}, Target(**target))
    names = "|".join(map(re.escape, ENTRIES))
    for one in problems:
        yield re.sub(
            r"aws_resources_extra_manifests\b",
            "composites.objects",
            re.sub(rf"\baws_resources_({names})\b", r"aws.\1", one),
        )


def _left_out_problems(
    others: Mapping[str, Any], active: Mapping[str, Any], target: Mapping[str, Any]
) -> Iterator[str]:
    """What is wrong with entries that are left out, each list beside all of the other lists, to which they may refer."""
    for name, entries in others.items():
        beside = {key: [*(active.get(key) or []), *others.get(key, [])] for key in {*active, *others}}
        for one in _aws_problems({**beside, name: entries}, [], target):
            if one.startswith(f"aws.{name}"):
                yield one


def _release_problems(found: Blueprint, folder: Path) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, one in enumerate(found.releases):
        path = f"releases[{index}]"
        if one.name in first:
            yield f"{path}.name: {short(one.name)} is declared twice, by releases[{first[one.name]}], too"
        first.setdefault(one.name, index)
        if is_folder(one.chart):
            chart = absolute(one.chart, folder)
            if not (chart / "Chart.yaml").is_file():
                yield f"{path}.chart: {chart} is not a chart's folder: it has no Chart.yaml"
            if one.version:
                yield f"{path}.version: belongs to a chart that Helm pulls, but {short(one.chart)} is a folder"


def _address_problems(found: Blueprint) -> Iterator[str]:
    ports: dict[int, str] = {}
    for name, one in found.addresses.items():
        if not IDENTIFIER.fullmatch(name):
            yield f"addresses.{name}: is not a name for an address: lower-case letters, digits and '_', a letter first"
        if one.node_port and one.node_port in ports:
            yield f"addresses.{name}.node_port: {one.node_port} is that of {ports[one.node_port]}, too"
        ports.setdefault(one.node_port, name)
        yield from (
            f"addresses.{name}.paths.{title}: {short(path)} must begin with /"
            for title, path in one.paths.items()
            if not path.startswith("/")
        )


def _proof_problems(found: Blueprint, tree: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for index, proof in enumerate(found.proofs):
        path = f"proofs[{index}]"
        ways = [name for name in WAYS if getattr(proof, name) is not None]
        if len(ways) != 1:
            yield f"{path}: must have one of {', '.join(WAYS)}, but has {' and '.join(ways) or 'none'}"
        if proof.tasks is not None and not absolute(proof.tasks, folder).is_file():
            yield f"{path}.tasks: there is no file {absolute(proof.tasks, folder)}"
        if proof.http is not None:
            steps = _with_files({"http": {"steps": proof.http.steps}}, folder)["http"]["steps"]
            yield from step_problems(steps, f"{path}.http.steps")
        if proof.event is not None:
            yield from (f"{path}.event: {one}" for one in event_problems(Request(**proof.event.model_dump())))
        # What a composition makes is not known here.
        if proof.event is not None and not found.composites.objects:
            for field_name, list_name in (
                ("topic", "topics"), ("queue", "queues"), ("destination_queue", "queues"), ("table", "tables"), ("bucket", "buckets"),
            ):  # fmt: skip
                wanted = getattr(proof.event, field_name)
                declared = [one.get("name") for one in tree.get("aws", {}).get(list_name) or []]
                if wanted and not ARN.match(wanted) and wanted not in declared:
                    near = suggestion(wanted, declared) if declared else f"; aws.{list_name} is empty"
                    yield f"{path}.event.{field_name}: {short(wanted)} is not declared in aws.{list_name}{near}"


def _absolute_images(images: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Images with the paths that they name made absolute."""
    found: dict[str, Any] = {}
    for name, one in images.items():
        entry = dict(one) if isinstance(one, Mapping) else one
        if isinstance(entry, dict) and isinstance(entry.get("archive"), str):
            entry["archive"] = str(absolute(entry["archive"], folder))
        if isinstance(entry, dict) and isinstance(entry.get("build"), Mapping):
            build = dict(entry["build"])
            if isinstance(build.get("context", "."), str):
                build["context"] = str(absolute(build.get("context", "."), folder))
            entry["build"] = build
        found[name] = entry
    return found


def _with_paths(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The blueprint with every path in it made absolute."""
    releases = [
        {**one, "chart": str(absolute(one["chart"], folder))} if is_folder(one["chart"]) else one
        for one in tree["releases"]
    ]
    proofs = [
        {
            **one,
            "way": next(way for way in WAYS if one[way] is not None),
            "tasks": str(absolute(one["tasks"], folder)) if one["tasks"] else None,
        }
        for one in tree["proofs"]
    ]
    composites = {**tree["composites"], "apis": [str(absolute(one, folder)) for one in tree["composites"]["apis"]]}
    return {
        **tree,
        "gitops": described(tree["gitops"], releases, tree["namespace"]),
        "releases": releases,
        "proofs": [_with_files(one, folder) for one in proofs],
        "composites": composites,
        "images": _absolute_images(tree["images"], folder),
    }


def _with_files(proof: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A proof whose requests and expectations name files by absolute paths."""
    if not proof.get("http"):
        return proof

    def within(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: str(absolute(one, folder)) if key == "file" and isinstance(one, str) else within(one)
                for key, one in value.items()
            }
        return [within(one) for one in value] if isinstance(value, list) else value

    return {**proof, "http": within(proof["http"])}
