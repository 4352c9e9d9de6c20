# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn declared AWS resources into Kubernetes objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def managed_resources(declared: Mapping[str, Any], target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Crossplane's managed resources for declared lists. Raises AnsibleFilterError that lists all problems."""
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive

    need_pydantic()
    objects, found = derive(plain(declared), Target(**plain(target)))
    if found:
        raise AnsibleFilterError(
            "The declared AWS resources can't be made:\n" + "\n".join(f"- {printable(one)}" for one in found)
        )
    return objects


def resource_kinds(extra_manifests: Sequence[Any]) -> list[dict[str, str]]:
    """Every kind that can be declared, with those of extra manifests; what belongs to others before these."""
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import kinds

    return kinds(plain(extra_manifests))


def need_pydantic() -> None:
    """Raise AnsibleFilterError where the models can't be used."""
    if missing := missing_packages("pydantic"):
        raise AnsibleFilterError(missing)


def object_references(names: Sequence[str], api_version: str, kind: str) -> list[dict[str, str]]:
    """References, as crossplane_wait takes them, to objects of one kind."""
    return [{"api_version": api_version, "kind": kind, "name": name} for name in names]


def object_stubs(names: Sequence[str], api_version: str, kind: str) -> list[dict[str, Any]]:
    """Objects of one kind with nothing but a name, as deletion needs them."""
    return [{"apiVersion": api_version, "kind": kind, "metadata": {"name": name}} for name in names]


def references_of(objects: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """References to these objects."""
    found = []
    for one in objects:
        reference = {"api_version": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"]}
        if "namespace" in one["metadata"]:
            reference["namespace"] = one["metadata"]["namespace"]
        found.append(reference)
    return found


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "managed_resources": managed_resources,
                "resource_kinds": resource_kinds,
                "object_references": object_references,
                "object_stubs": object_stubs,
                "references_of": references_of,
            }
        )
