# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what crossplane_diff returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import adopted_lines
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.plugin_utils import told


def difference_problems(found: Mapping[str, Any], prune: bool = True, protect: bool = True) -> list[str]:
    """Why what crossplane_diff found must not be carried out, a sentence each with the way on; empty if it may."""
    problems = [
        f"the ProviderConfig '{one['provider_config']}' leads to an emulator, but does not list {', '.join(one['services'])}: "
        "these resources would be made in real AWS; add the services to its endpoint.services (crossplane_endpoint_services)"
        for one in found["unlisted_services"]
    ]
    problems += [
        f"the cluster's {label(one)} belongs to another stack ({printable(one['owner'] or '') or 'it has no label localcloud.dev/owner'}); "
        "choose another name or prefix, or remove that one first"
        for one in found["foreign"]
    ]
    declared = {_name(one) for one in [*found["missing"], *found["existing"]]}
    twins = {_name(one): one for one in found["orphaned"] if _name(one) in declared}
    if twins:
        problems.append(
            f"{', '.join(twins)}: in the cluster, but of another scope or namespace than declared, and both would be the same "
            "resource in AWS; set aws_resources_scope and aws_resources_namespace back, or remove the resources first "
            "(`make down`, or tasks_from: absent)"
        )
    problems += [
        f"{label(one)}: AWS has {printable(one['external_name'])} already, and {printable(one['held_by'])}; choose another name, or take it over with "
        "'adopt: true' in its entry (in an extra manifest the annotation localcloud.dev/adopt: \"true\"), or all that is declared "
        "with aws_resources_adopt=true"
        for one in found["existing"]
        if _name(one) not in twins
    ]
    problems += [
        f"{label(one)}: AWS keeps {one['external_name']}, which was deleted, until {one['date']}, and its name with it; restore it, "
        f"which this stack then takes up (`aws secretsmanager restore-secret --secret-id {one['external_name']}`), or remove it for "
        f"good (`aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {one['external_name']}`), or choose "
        "another name"
        for one in found["deleted"]
    ]
    problems += [
        f"{label(one)}: AWS can't change {_change(field)} of what is there; set it back, "
        "declare it under another name, or remove it first (with its data) and declare it again"
        for one in [*found["modified"], *found["drifted"]]
        for field in one["fields"]
        if field["immutable"]
    ]
    problems += [
        f"{label(one)}: the provider has no way to take {one['field']} away in AWS, which the role does itself where it may ask AWS; set "
        "aws_resources_look_into_aws=true with the endpoint, or declare it again"
        for one in found["not_clearable"]
    ]
    if prune and protect:
        problems += [
            f"{label(one)} is no longer declared, but holds data and is protected; declare it again, or remove it for good with "
            "aws_resources_deletion_protection=false, or leave it with aws_resources_prune=false"
            for one in found["orphaned"]
            if one["protected"]
        ]
    if prune:
        problems += [
            f"{one}. It is no longer declared: set spec.deletionPolicy of the managed object to Orphan, or where it has "
            "spec.managementPolicies, take Delete out of these, to leave the resource to its holder, or declare it again with 'adopt: true', or "
            "leave it with aws_resources_prune=false"
            for one in found.get("held_by_others", [])
        ]
    return problems


def _change(field: Mapping[str, Any]) -> str:
    from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import Change

    return str(Change(field["path"], field["before"], field["after"]))


def _name(reference: Mapping[str, Any]) -> str:
    """Kind and name, whatever the namespace."""
    return f"{reference['kind']}/{reference['name']}"


def stubs_of(references: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Objects with nothing but their identity, as deletion needs them, from references."""
    return [
        {
            "apiVersion": one["api_version"],
            "kind": one["kind"],
            "metadata": {name: one[name] for name in ("name", "namespace") if one.get(name)},
        }
        for one in references
    ]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {"adopted_lines": adopted_lines, "difference_problems": difference_problems, "stubs_of": stubs_of}
        )
