# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manifests of anything else, kept as they are apart from the label of their owner. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import EXTERNAL_NAME, OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import type_name

from .entry import Object, Problem, api_version
from .fields import reserved_tag_problems, short
from .target import Target, object_name


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
    return [*found, *_tag_problems(manifest)]


def _tag_problems(manifest: Mapping[str, Any]) -> list[Problem]:
    """Tags that the role sets itself, in a managed resource or in an EventPipeline."""
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    parameters = spec.get("forProvider")
    places = {"spec.forProvider.tags": parameters, "spec.tags": spec if is_pipeline(manifest) else None}
    return [
        (place, text)
        for place, holder in places.items()
        if isinstance(holder, Mapping) and isinstance(holder.get("tags"), Mapping)
        for text in reserved_tag_problems(holder["tags"])
    ]


def is_pipeline(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest is of this collection's own composite kind."""
    return str(manifest.get("apiVersion")).startswith("localcloud.dev/") and manifest.get("kind") == "EventPipeline"


def composed_of(manifest: Mapping[str, Any]) -> list[Object]:
    """What an EventPipeline will be made of, as far as finding it in AWS before that needs it; nothing for other manifests.

    The names are those of its composition function (crossplane/event_pipeline/function). Bad specs are the API server's to refuse.
    """
    spec = manifest.get("spec")
    if not is_pipeline(manifest) or not isinstance(spec, Mapping):
        return []
    suffix = ".fifo" if spec.get("fifo") else ""
    dead_letter = spec.get("deadLetter")
    names = [("sns", "Topic", spec.get("topic"), suffix), ("sqs", "Queue", spec.get("queue"), suffix)]
    if isinstance(dead_letter, Mapping):
        names.append(("sqs", "Queue", dead_letter.get("name") or f"{spec.get('queue')}-dlq", suffix))
    names.append(("dynamodb", "Table", spec.get("table"), ""))
    return [
        _composed(manifest, service, kind, f"{name}{ending}")
        for service, kind, name, ending in names
        if isinstance(name, str)
    ]


def _composed(manifest: Mapping[str, Any], service: str, kind: str, name: str) -> Object:
    annotations = {**(manifest["metadata"].get("annotations") or {}), EXTERNAL_NAME: name}
    return {
        "apiVersion": api_version(service, False),
        "kind": kind,
        "metadata": {"name": object_name(name), "annotations": annotations},
        "spec": {"forProvider": {"region": manifest["spec"].get("region"), "name": name}},
    }


def extra_object(manifest: Mapping[str, Any], target: Target) -> Object:
    metadata = manifest["metadata"]
    labels = {**(metadata.get("labels") or {}), OWNER: target.owner}
    return {**manifest, "metadata": {**metadata, "labels": labels}}
