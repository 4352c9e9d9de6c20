# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what a stack remembers of its clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.localcloud.stack.plugins.module_utils.cluster import stack_state
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def cluster_key(cluster: Mapping[str, Any]) -> str:
    """A file name for a cluster."""
    return stack_state.cluster_key(plain(cluster))


def known_records(
    folder: str, cluster: Mapping[str, Any], installed: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What is remembered of every cluster. Raises AnsibleFilterError."""
    try:
        return stack_state.known_records(Path(folder), plain(cluster), plain(installed))
    except stack_state.RecordError as error:
        raise AnsibleFilterError(str(error)) from None


def remembered(
    record: Mapping[str, Any], cluster: Mapping[str, Any], installed: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The record of a cluster with what a run installs there."""
    return stack_state.remembered(plain(record), plain(cluster), plain(installed))


def former_releases(record: Mapping[str, Any], installed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The releases that a blueprint no longer declares."""
    return stack_state.former_releases(plain(record), plain(installed))


def without_release(record: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a cluster without a release."""
    return stack_state.without_release(plain(record), plain(release))


def without_blueprint(record: Mapping[str, Any], blueprint: str) -> dict[str, Any]:
    """The record of a cluster without a blueprint."""
    return stack_state.without_blueprint(plain(record), str(blueprint))


def removal_steps(record: Mapping[str, Any], blueprint: str | None = None) -> list[dict[str, Any]]:
    """What removal does in a cluster, in order, of all or of one blueprint."""
    return stack_state.removal_steps(plain(record), plain(blueprint))


def is_contained(record: Mapping[str, Any]) -> bool:
    """Whether all that was installed goes with the embedded node."""
    return stack_state.is_contained(plain(record))


def own_cluster(cluster: Mapping[str, Any]) -> str:
    """A cluster of our own in a message, with its name."""
    return stack_state.own_cluster(plain(cluster))


def described_cluster(record: Mapping[str, Any]) -> str:
    """A cluster in a message."""
    return stack_state.described(plain(record))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "cluster_key": cluster_key,
                "known_records": known_records,
                "remembered": remembered,
                "former_releases": former_releases,
                "without_release": without_release,
                "without_blueprint": without_blueprint,
                "removal_steps": removal_steps,
                "is_contained": is_contained,
                "described_cluster": described_cluster,
                "own_cluster": own_cluster,
            }
        )
