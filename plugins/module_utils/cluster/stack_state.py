# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stack's state folder remembers of the clusters that it was installed in, so that removal finds all of it.

A record has C(cluster), the facts of the role C(cluster), and C(installed), what was brought up there: maps of blueprint,
namespace, release ('' for a blueprint without any), emulator_namespace, suffix (of the resources' owner), engine and, for an external
emulator, endpoint, for one that follows a Git repository environment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import in_cluster

Json = dict[str, Any]

# Of a record's file name; the cluster's key follows.
PREFIX = "installed-"
EMBEDDED = "embedded"
# Clusters of our own, one of each at most: how they are called in messages.
OWN = {EMBEDDED: "the embedded node", "kind": "the kind cluster"}


class RecordError(PrintableError):
    """A record can't be read; the message says which, and what to do."""


def known_records(folder: Path, cluster: Mapping[str, Any], installed: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Every record in the folder, sorted by key, as C(key) and C(record).

    A cluster that is known without a record was used before there were any: then C(installed) may be there. Raises RecordError.
    """
    found = {path.stem.removeprefix(PREFIX): _read(path) for path in sorted(folder.glob(f"{PREFIX}*.json"))}
    key = cluster_key(cluster)
    if key and key not in found:
        found[key] = {"cluster": dict(cluster), "installed": [_complete(one) for one in installed]}
    return [{"key": name, "record": record} for name, record in found.items()]


def _complete(entry: Mapping[str, Any]) -> Json:
    """An entry, which first had its namespace in common with the emulator."""
    return {"emulator_namespace": entry["namespace"], **entry}


def _read(path: Path) -> Json:
    try:
        record: Json = json.loads(path.read_text())
        return {"cluster": dict(record["cluster"]), "installed": [_complete(one) for one in record["installed"]]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} says which cluster has to be emptied, but can't be read ({type(error).__name__}: {error}). Correct it, or remove it "
            "if nothing is installed there any more, then run again."
        ) from None


def cluster_key(cluster: Mapping[str, Any]) -> str:
    """A file name for a cluster: the same for the same API server, whatever its context is called later; '' for no cluster."""
    if not cluster:
        return ""
    if cluster["kind"] in OWN:
        return str(cluster["kind"])
    where = cluster.get("server") or f"{cluster['kubeconfig']}#{cluster['context']}"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", cluster["context"]).strip("-.")[:40]
    return f"{name}-{hashlib.sha256(where.encode()).hexdigest()[:10]}"


def remembered(record: Mapping[str, Any], cluster: Mapping[str, Any], installed: Iterable[Mapping[str, Any]]) -> Json:
    """The record with what a run installs. Earlier entries stay: what they name may still be there.

    Images are left out, as removal needs none: an edit of an application writes no record.
    """
    parts = {name: part for name, part in (cluster.get("parts") or {}).items() if not part.get("image")}
    found = [dict(one) for one in record.get("installed") or []]
    for one in installed:
        if dict(one) not in found:
            found.append(dict(one))
    return {"cluster": {**cluster, "parts": parts, "images": {}, "packages": {}}, "installed": found}


def former_releases(record: Mapping[str, Any], installed: Sequence[Mapping[str, Any]]) -> list[Json]:
    """The entries of releases that a blueprint had in this cluster and no longer declares. C(installed): its entries now."""
    names = {one["blueprint"] for one in installed}
    places = {(one["namespace"], one["release"]) for one in installed}
    former = [one for one in record.get("installed") or [] if one["blueprint"] in names and one["release"]]
    return _first_by(
        (one for one in former if (one["namespace"], one["release"]) not in places), ("namespace", "release")
    )


def without_release(record: Mapping[str, Any], release: Mapping[str, Any]) -> Json:
    """The record without the entries of a release, but for the blueprint's last one, which names its AWS resources."""
    kept = [
        {**one, "release": ""}
        if (one["namespace"], one["release"]) == (release["namespace"], release["release"])
        else one
        for one in record["installed"]
    ]
    return {**record, "installed": [one for index, one in enumerate(kept) if one not in kept[:index]]}


def without_blueprint(record: Mapping[str, Any], blueprint: str) -> Json:
    """The record without a blueprint; the last one leaves an entry without release, which names the emulator."""
    kept = [one for one in record["installed"] if one["blueprint"] != blueprint]
    last = [one for one in record["installed"] if one["blueprint"] == blueprint][-1:]
    return {**record, "installed": kept or [{**one, "blueprint": "", "release": "", "suffix": ""} for one in last]}


def removal_steps(record: Mapping[str, Any], blueprint: str | None = None) -> list[Json]:
    """What removal does, in order: environments that Argo CD follows, applications, composites, AWS resources, Crossplane, emulators, namespaces.

    Each step has C(role), C(tasks), and of what was installed the entry that it is about. Of a single blueprint only what is its own goes.
    """
    installed: Sequence[Json] = [
        one for one in record.get("installed") or [] if blueprint is None or one["blueprint"] == blueprint
    ]
    followed = [one for one in installed if one.get("environment")]
    with_release = [one for one in installed if one["release"]]
    # By then what was in them is deleted.
    elsewhere = [one for one in with_release if one["namespace"] != one["emulator_namespace"]]
    # Composites before the resources, which they would make again.
    order: tuple[tuple[str, str, Sequence[Json], tuple[str, ...]], ...] = (
        # What Argo CD keeps as the repository says can't be removed otherwise.
        ("gitops", "absent", followed, ("environment",)),
        ("apps", "absent", with_release, ("namespace", "release")),
        ("crossplane", "absent_composites", [] if blueprint else installed, ()),
        ("aws_resources", "absent", installed, ("suffix",)),
        ("crossplane", "absent", [] if blueprint else installed, ()),
        ("localstack_service", "absent", [] if blueprint else installed, ("emulator_namespace",)),
        ("apps", "absent", elsewhere, ("namespace",)),
    )
    return [
        {"role": role, "tasks": tasks, "entry": entry}
        for role, tasks, entries, fields in order
        for entry in _first_by(entries, fields)
    ]


def _first_by(installed: Iterable[Json], fields: tuple[str, ...]) -> list[Json]:
    """One entry for each value of these fields."""
    found: dict[tuple[Any, ...], Json] = {}
    for one in installed:
        found.setdefault(tuple(one.get(field) for field in fields), one)
    return list(found.values())


def is_contained(record: Mapping[str, Any]) -> bool:
    """Whether all that was installed goes with a cluster of our own."""
    return record["cluster"]["kind"] in OWN and all(in_cluster(one["engine"]) for one in record["installed"])


def own_cluster(cluster: Mapping[str, Any]) -> str:
    """A cluster of our own in a message, with its name."""
    return f"{OWN[cluster['kind']]} {str(cluster['context']).removeprefix('kind-')}"


def described(record: Mapping[str, Any]) -> str:
    """The cluster in a message, with the emulators that its resources are in."""
    cluster = record["cluster"]
    where = OWN.get(cluster["kind"]) or f"context {cluster['context']} of {cluster['kubeconfig']}"
    engines = [one["endpoint"] or one["engine"] for one in record["installed"]]
    return f"{where} ({', '.join(dict.fromkeys(engines))})" if engines else where
