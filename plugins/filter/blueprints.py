# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about the blueprints of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def _installed() -> Any:
    """The module of this name, once it is known that it can be used. Raises AnsibleFilterError."""
    if missing := missing_packages("pydantic"):
        raise AnsibleFilterError(missing)
    from ansible_collections.localcloud.stack.plugins.module_utils.blueprint import installed

    return installed


def installed_blueprints(raw: Mapping[str, Any], cluster: str, ours: str) -> dict[str, Any]:
    """The blueprints that are remembered of a cluster, by name."""
    found: dict[str, Any] = _installed().known(plain(raw), str(cluster), Path(ours))
    return found


def chosen_blueprints(installed: Mapping[str, Any], asked: str, base: str) -> list[str]:
    """The names of those that a run is about. Raises AnsibleFilterError."""
    try:
        found: list[str] = _installed().chosen(plain(installed), str(asked), Path(base))
    except ValueError as error:
        raise AnsibleFilterError(printable(str(error))) from None
    return found


def blueprint_files(ours: str, name: str) -> list[str]:
    """The files of this name in the folders of the collection's blueprints, sorted."""
    return sorted(map(str, Path(ours).glob(f"*/{name}")))


def installed_release(release: str, place: Mapping[str, Any]) -> dict[str, Any]:
    """What is remembered of a release: its name, and where it is."""
    return {**plain(place), "release": str(release)}


def with_packages(functions: Sequence[Mapping[str, Any]], packages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Composition functions with the references of packages that were built here."""
    return [{**one, "package": packages.get(one["package"], one["package"])} for one in plain(functions)]


def images_of_all(installed: Mapping[str, Any], blueprint: Mapping[str, Any]) -> dict[str, Any]:
    """The images of a blueprint, and of those that are there."""
    found: dict[str, Any] = _installed().images_of_all(plain(installed), plain(blueprint))
    return found


def address_urls(addresses: Mapping[str, Any], node: str, forwards: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Where each address of a blueprint answers; C(forwards) are results of M(localcloud.stack.port_forward), with their loop's item."""
    ports = {str(one["item"]["key"]): int(one["port"]) for one in forwards if "port" in one}
    found: dict[str, str] = _installed().urls(plain(addresses), str(node), ports)
    return found


def known_urls(addresses: Mapping[str, Any]) -> dict[str, str]:
    """The URLs of remembered addresses."""
    found: dict[str, str] = _installed().known_urls(plain(addresses))
    return found


def missing_in(lists: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """What is declared, and not in AWS."""
    found: list[str] = _installed().missing_in(plain(lists), plain(there))
    return found


def services_of_lists(lists: Sequence[str]) -> list[str]:
    """The AWS services of lists of resources, sorted, each once."""
    if missing := missing_packages("pydantic"):
        raise AnsibleFilterError(missing)
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY

    return sorted({kind.service for kind in BY_KEY.values() if kind.entry and kind.entry.list_name in lists})


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "installed_blueprints": installed_blueprints,
                "chosen_blueprints": chosen_blueprints,
                "blueprint_files": blueprint_files,
                "installed_release": installed_release,
                "with_packages": with_packages,
                "images_of_all": images_of_all,
                "address_urls": address_urls,
                "known_urls": known_urls,
                "missing_in": missing_in,
                "services_of_lists": services_of_lists,
            }
        )
