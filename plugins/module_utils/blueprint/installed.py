# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which blueprint is meant, and what a stack remembers of those that it brought up. Pure, but for looking which folders exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked, names_secret
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion

from .reader import FILE, image_key
from .variables import secret_values

Json = dict[str, Any]
# Its resources carry the stack's own owner; those of others a suffix, so that one does not prune another's.
DEFAULT = "pipeline"


def folder_of(blueprint: str, ours: Path, base: Path) -> Path:
    """The folder of a blueprint. Raises ValueError where there is none.

    blueprint: the name of one of the collection's (in C(ours)), or a path, which is relative to C(base).
    """
    if "/" not in blueprint and not blueprint.startswith((".", "~")):
        names = sorted(path.parent.name for path in ours.glob(f"*/{FILE}"))
        name = blueprint.replace("-", "_")
        if name in names:
            return ours / name
        beside = (
            f" To use the folder {blueprint}, give it as ./{blueprint}." if (base / blueprint / FILE).is_file() else ""
        )
        raise ValueError(
            f"There is no blueprint {blueprint!r}{suggestion(name, names)}, or a path such as ../orders.{beside}"
        )
    path = Path(blueprint).expanduser()
    folder = path if path.is_absolute() else base / path
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {folder}. Give the folder of a blueprint, or make one: make new-blueprint DIR={blueprint}"
        )
    if not (folder / FILE).is_file():
        raise ValueError(
            f"{folder} has no {FILE}, so it is not a blueprint. Make one: make new-blueprint DIR={blueprint}"
        )
    return folder.resolve()


def suffix_of(name: str) -> str:
    """What the owner of a blueprint's AWS resources ends with."""
    return "" if name == DEFAULT else f"-{name.replace('_', '-')}"


def entry_of(blueprint: Mapping[str, Any], urls: Mapping[str, str] | None = None) -> Json:
    """What is remembered of a blueprint that is brought up: enough to verify, show and remove it. No secrets."""
    return {
        "folder": blueprint["folder"],
        "overrides": dict(blueprint["overrides"]),
        "suffix": suffix_of(blueprint["name"]),
        "namespace": blueprint["namespace"],
        "place": dict(blueprint["place"]),
        "releases": [one["name"] for one in blueprint["releases"]],
        # What follows a repository takes Argo CD.
        "additions": list(dict.fromkeys([*blueprint["additions"], *["argocd"] * bool(blueprint.get("gitops"))])),
        **({"gitops": _followed(blueprint["gitops"])} if blueprint.get("gitops") else {}),
        "objects": [
            {"apiVersion": one["apiVersion"], "kind": one["kind"], "metadata": {"name": one["metadata"]["name"]}}
            for one in blueprint["composites"]["objects"]
        ],
        "images": {name: one for name, one in blueprint["images"].items() if not _has_secret(one, blueprint)},
        "packages": [one["package"] for one in blueprint["composites"].get("functions", [])],
        "lists": {
            name: [one["name"] for one in entries if isinstance(one, Mapping) and isinstance(one.get("name"), str)]
            for name, entries in blueprint["aws"].items()
            if entries
        },
        "addresses": {
            name: {"node_port": one["node_port"], **({"url": urls[name]} if urls and name in urls else {})}
            for name, one in blueprint["addresses"].items()
        },
        "links": _links(blueprint, urls or {}),
    }


def _followed(gitops: Mapping[str, Any]) -> Json:
    """What the ApplicationSets have of an environment."""
    services = [{key: one[key] for key in ("name", "path", "values")} for one in gitops["services"]]
    return {**{key: gitops[key] for key in ("environment", "namespace", "repository", "branch")}, "services": services}


def _has_secret(image: Mapping[str, Any], blueprint: Mapping[str, Any]) -> bool:
    """Whether a build's arguments look like secrets, or have one of the blueprint's: then others' runs can't make the image again."""
    secrets = secret_values(blueprint)
    return any(
        names_secret(name) or masked(text) != printable(text) or any(secret in text for secret in secrets)
        for name, value in (image.get("build", {}).get("arguments") or {}).items()
        for text in [str(value)]
    )


def _links(blueprint: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, str]:
    """What the summary shows of its addresses, by title."""
    found: dict[str, str] = {}
    for name, one in blueprint["addresses"].items():
        title = one["title"] or name
        if one["host"]:
            found[f"{title}, by name"] = f"http://{one['host']}"
        if name in urls:
            found[title] = urls[name]
            found.update({page: f"{urls[name]}{path}" for page, path in one["paths"].items()})
    return {**found, **blueprint["links"]} if urls or not blueprint["addresses"] else found


def collisions(name: str, entry: Mapping[str, Any], installed: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What a blueprint shares with others that are there, and must not."""
    for other, known in installed.items():
        if other == name:
            if known.get("folder") and known["folder"] != entry["folder"] and Path(known["folder"]).is_dir():
                yield f"name: {name!r} is that of the blueprint in {known['folder']}, which is installed; set another name"
            continue
        if known.get("namespace") == entry["namespace"]:
            yield from (
                f"releases: {one!r} in the namespace {entry['namespace']} is a release of the blueprint {other}, too"
                for one in entry["releases"]
                if one in known.get("releases", [])
            )
        prefix = (entry.get("place") or {}).get("prefix")
        if prefix and prefix == (known.get("place") or {}).get("prefix"):
            yield f"place.prefix: {prefix!r} is that of the blueprint {other}, too"
        for kind, titles in entry["lists"].items():
            yield from (
                f"aws.{kind}: {one!r} is declared by the blueprint {other}, too"
                for one in titles
                if one in known.get("lists", {}).get(kind, [])
            )
        environment = (entry.get("gitops") or {}).get("environment")
        if environment and environment == (known.get("gitops") or {}).get("environment"):
            yield f"gitops.environment: {environment!r} is that of the blueprint {other}, too"
        for address, one in entry["addresses"].items():
            others = known.get("addresses", {})
            if address in others:
                yield f"addresses.{address}: the blueprint {other} has an address of this name, too"
            ports = {value.get("node_port"): key for key, value in others.items()}
            if one["node_port"] and one["node_port"] in ports:
                yield f"addresses.{address}.node_port: {one['node_port']} is that of {ports[one['node_port']]} of the blueprint {other}, too"


def known(raw: Mapping[str, Any], cluster: str, ours: Path) -> dict[str, Json]:
    """The remembered blueprints of a cluster by name. raw: the content of blueprints.json, of this version or the one before."""
    if not raw or raw.get("cluster", cluster) != cluster:
        return {}
    installed = raw.get("installed") or {}
    if isinstance(installed, list):
        # Before, only names were remembered, of the collection's own.
        return {name: {"folder": str(ours / name), "overrides": {}, "suffix": suffix_of(name)} for name in installed}
    return {name: dict(entry) for name, entry in installed.items()}


def chosen(installed: Mapping[str, Mapping[str, Any]], asked: str, base: Path) -> list[str]:
    """The names of the installed blueprints that a run is about: all, or those of one name, of one of ours, or of a path. Raises ValueError."""
    if not installed:
        raise ValueError("No blueprint is installed here. Run `make up` first.")
    if not asked:
        return list(installed)
    path = str((base / Path(asked).expanduser()).resolve())
    plain = asked.replace("-", "_")
    found = [
        name
        for name, entry in installed.items()
        if plain in (name.replace("-", "_"), Path(entry["folder"]).name.replace("-", "_")) or entry["folder"] == path
    ]
    if not found:
        raise ValueError(
            f"The blueprint {asked!r} is not installed; installed are {', '.join(installed)}. Run `make up BLUEPRINT={asked}` first."
        )
    return found


def urls(addresses: Mapping[str, Mapping[str, Any]], node: str, forwarded: Mapping[str, int]) -> dict[str, str]:
    """Where each address answers: at a forwarded port, or at the node's own address (empty where there is none) by node port."""
    found = {name: f"http://{node}:{one['node_port']}" for name, one in addresses.items() if node and one["node_port"]}
    return {**found, **{name: f"http://127.0.0.1:{port}" for name, port in forwarded.items()}}


def known_urls(addresses: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The addresses' URLs as they are remembered."""
    return {name: one["url"] for name, one in addresses.items() if "url" in one}


def missing_in(lists: Mapping[str, Sequence[str]], there: Mapping[str, Any]) -> list[str]:
    """What is declared and not in AWS, of the lists that M(localcloud.stack.localstack_info) reads."""
    return [
        f"{kind.removesuffix('s')} {name}"
        for kind in ("topics", "queues", "tables", "buckets")
        if isinstance(there.get(kind), list)
        for name in lists.get(kind, [])
        if name not in [one["name"] for one in there[kind]]
    ]


def images_of_all(installed: Mapping[str, Mapping[str, Any]], blueprint: Mapping[str, Any]) -> Json:
    """The images that a cluster is to have, by image_key(): the blueprint's, and those of others that are there and can still be had."""
    others = {
        image_key(name, image): declared
        for name, entry in installed.items()
        if name != blueprint.get("name")
        # Those with secrets in their builds are not remembered; where they were brought, they stay.
        for image, declared in entry.get("images", {}).items()
        if _can_be_had(declared)
    }
    own = {image_key(blueprint["name"], image): declared for image, declared in blueprint.get("images", {}).items()}
    return {**others, **own}


def _can_be_had(image: Mapping[str, Any]) -> bool:
    """Whether what an image is made of has not been deleted since."""
    needed = [image["archive"]] if "archive" in image else [image["build"]["context"]] if "build" in image else []
    return all(Path(one).exists() for one in needed)
