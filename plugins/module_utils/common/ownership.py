# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a Kubernetes object is: the one rule by which objects are changed, adopted or removed. Pure.

An object is ours if its label C(localcloud.dev/owner) has one of our values, and only then.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Json = dict[str, t.Any]

HELM_RELEASE = "meta.helm.sh/release-name"
# Kinds that appear and go by themselves, or with the Service or the pods that they are about.
TRANSIENT = frozenset({"Event", "Endpoints", "Lease"})
# What every namespace gets from the cluster, by kind and name.
STANDARD = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
TOKEN_OF = "kubernetes.io/service-account.name"
# Of a label's 63 characters the digest and a hyphen take 11.
LONGEST_FOLDER = 52


def owner_of(obj: Json) -> str | None:
    """The owner that the object's label names; None without that label."""
    value = (obj["metadata"].get("labels") or {}).get(OWNER)
    return None if value is None else str(value)


def is_ours(obj: Json, owners: t.Collection[str]) -> bool:
    """Whether the object's label names one of these owners. An empty owner owns nothing."""
    return owner_of(obj) in {owner for owner in owners if owner}


def derived_owner(folder: str, stack: str = "") -> str:
    """The default owner: the name of this checkout's stack, else one of a playbook's folder.

    It tells folders apart, not the playbooks in one: what is declared in one of these is not removed because another does not
    declare it.
    """
    if stack:
        return stack
    name = re.sub(r"[^a-z0-9-]+", "-", folder.rstrip("/").rsplit("/", 1)[-1].lower())[:LONGEST_FOLDER].strip("-")
    return f"{name or 'playbook'}-{hashlib.sha256(folder.encode()).hexdigest()[:10]}"


def belongs_to_namespace(obj: Json) -> bool:
    """Whether the object is there only because its namespace, or another object in it, is.

    Such an object goes with what it belongs to: what a controller owns, what the cluster puts into every namespace, and what is
    written about Services and pods while they run.
    """
    metadata = obj["metadata"]
    return bool(
        metadata.get("ownerReferences")
        or obj["kind"] in TRANSIENT
        or (obj["kind"], metadata["name"]) in STANDARD
        or TOKEN_OF in (metadata.get("annotations") or {})
    )


def is_of_release(obj: Json, releases: t.Collection[str]) -> bool:
    """Whether Helm made the object for one of these releases, or keeps its record of one in it."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    made_for = (metadata.get("annotations") or {}).get(HELM_RELEASE)
    return made_for in releases or (labels.get("owner") == "helm" and labels.get("name") in releases)


def described(owner: str | None) -> str:
    """An owner in a message."""
    return f"owner {printable(owner)}" if owner else f"no label {OWNER}"


def label(row: t.Mapping[str, t.Any]) -> str:
    """An object in a message: C(Kind/name (namespace)). C(row) has kind, name and at will namespace."""
    space = f" ({row['namespace']})" if row.get("namespace") else ""
    return f"{row['kind']}/{row['name']}{space}"


def foreign_problems(rows: t.Iterable[t.Mapping[str, t.Any]], ways_on: str) -> list[str]:
    """A sentence about all objects that are owned by others, or nothing where there is none.

    C(rows): kind, name, owner (None without the label), at will namespace. C(ways_on): what the user can do about it.
    """
    found = [f"{label(one)}, {described(one.get('owner'))}" for one in rows]
    return [f"Owned by others, and left as they are: {'; '.join(found)}. {ways_on}"] if found else []
