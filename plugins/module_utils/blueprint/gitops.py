# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a blueprint is in a Git repository, and what is in the ApplicationSet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.argocd.applications import overlay
from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import names_secret

from .paths import absolute, is_folder
from .schema import Blueprint

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, Any]


def gitops_problems(found: Blueprint, folder: Path) -> Iterator[str]:
    """What is wrong with releases that are to follow a repository."""
    if found.gitops is None:
        return
    # What is true, or a map of names, is not a secret itself.
    secrets = [
        value for name, value in found.variables.items() if names_secret(name) and isinstance(value, str) and value
    ]
    if not found.releases:
        yield "gitops: there is no release that could follow a repository"
    charts: dict[str, Path] = {}
    for index, one in enumerate(found.releases):
        path = f"releases[{index}]"
        if not is_folder(one.chart):
            yield f"{path}.chart: with gitops it must be a folder, which the repository has as well"
            continue
        chart = absolute(one.chart, folder)
        if charts.setdefault(chart.name, chart) != chart:
            yield f"{path}.chart: {charts[chart.name]} has the same name, so that the repository can't have both"
        yield from (f"{path}.values: {problem}" for problem in _file_problems(chart, found.gitops.environment))
        if any(secret in text for secret in secrets for text in _texts(one.values)):
            yield (
                f"{path}.values: has the value of a variable that is named like a secret, which everybody could read in its "
                "ApplicationSet; give the chart the name of a Secret instead"
            )


def described(gitops: Mapping[str, Any] | None, releases: Sequence[Mapping[str, Any]], namespace: str) -> Json | None:
    """The blueprint's gitops with C(namespace) and C(services): name, chart, path in the repository, and what its files do not say."""
    if gitops is None:
        return None
    services = [
        {
            "name": one["name"],
            "chart": one["chart"],
            "path": f"{gitops['path'].strip('/')}/{Path(one['chart']).name}".lstrip("/"),
            "values": overlay(one["values"], _files(Path(one["chart"]), gitops["environment"])),
        }
        for one in releases
    ]
    kept = {key: value for key, value in gitops.items() if key != "when"}
    return {**kept, "namespace": namespace, "services": services}


def _names(environment: str) -> tuple[str, str]:
    return "values.yaml", f"values-{environment}.yaml"


def _files(chart: Path, environment: str) -> list[Json]:
    """The chart's own values and those of the environment, as far as there are any."""
    found = [chart / name for name in _names(environment)]
    return [yaml.safe_load(one.read_text()) or {} for one in found if one.is_file()]


def _file_problems(chart: Path, environment: str) -> Iterator[str]:
    for name in _names(environment):
        try:
            content = yaml.safe_load((chart / name).read_text()) or {}
        except FileNotFoundError:
            continue
        except (OSError, ValueError, yaml.YAMLError) as error:
            yield f"{chart / name} can't be read: {' '.join(str(error).split())}"
        else:
            if not isinstance(content, dict):
                yield f"{chart / name} must be a map"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)
