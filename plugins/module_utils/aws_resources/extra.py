# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manifests of anything else, kept as they are apart from the label of their owner. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_marks import OWNER

from .entry import Object, Problem
from .fields import short
from .messages import type_name
from .target import Target


def extra_problems(manifest: object) -> list[Problem]:
    """What is wrong with a manifest: it must say what it is, and have a name."""
    if not isinstance(manifest, Mapping):
        return [("", f"must be a map, not {type_name(manifest)}")]
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    wanted = {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata.name": metadata.get("name"),
    }
    found = [
        (place, "is missing" if value is None else f"must be text, not {type_name(value)}")
        for place, value in wanted.items()
        if not isinstance(value, str) or not value
    ]
    version = wanted["apiVersion"]
    if isinstance(version, str) and version and "." not in version.partition("/")[0]:
        found.append(
            ("apiVersion", f"{short(version)} is Kubernetes' own; only what becomes Synced and Ready can be waited for")
        )
    labels = metadata.get("labels")
    if labels is not None and not isinstance(labels, Mapping):
        found.append(("metadata.labels", f"must be a map, not {type_name(labels)}"))
    elif labels and OWNER in labels:
        found.append((f"metadata.labels.{OWNER}", f"{short(labels[OWNER])} is set by the role (aws_resources_owner)"))
    return found


def extra_object(manifest: Mapping[str, Any], target: Target) -> Object:
    metadata = manifest["metadata"]
    labels = {**(metadata.get("labels") or {}), OWNER: target.owner}
    return {**manifest, "metadata": {**metadata, "labels": labels}}
