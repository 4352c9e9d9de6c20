# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Helm remembers of a release, and how it differs from what is declared.

Helm's default storage: a Secret for each revision, whose `release` is gzipped JSON in base64, and so a second time in the
Secret (https://helm.sh/docs/topics/advanced/#storage-backends; pkg/storage/driver/util.go).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import typing as t
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.kubernetes_lists import (
    Api,
    existing,
    list_all,
    served_kinds_of,
)

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]
# Of a chart's description; a release has more of it that says nothing of what is installed.
COMPARED = ("name", "version", "appVersion")
PARALLEL = 3


def chart_of(reference: str, version: str | None) -> Json:
    """What is known of a chart by its folder, or by its name and version. Raises OSError or ValueError."""
    if not reference.startswith(("/", ".")):
        return {"name": reference.rpartition("/")[2], **({"version": version} if version else {})}
    description = Path(reference, "Chart.yaml")
    try:
        return {key: value for key, value in yaml.safe_load(description.read_text()).items() if key in COMPARED}
    except (yaml.YAMLError, AttributeError) as error:
        raise ValueError(f"{description} is not a chart's description: {error}") from error


def newest(api: Api, namespace: str, name: str) -> Json | None:
    """The newest revision's Secret, whatever has become of it, or None. Raises ApiError."""
    selector = f"owner=helm,name={name},status!=superseded"
    found, _version = list_all(api, f"/api/v1/namespaces/{namespace}/secrets", {"labelSelector": selector})
    return max(found, key=lambda one: int(one["metadata"]["labels"]["version"]), default=None)


def decode(secret: Json) -> Json:
    """The release in a Secret. Raises ValueError where Helm can't have written it."""
    try:
        return t.cast(
            "Json", json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
        )
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the Secret {secret['metadata']['name']} holds no release of Helm's ({error})") from error


def differences(release: Json | None, chart: Json, values: Json) -> list[str]:
    """What of chart and values differs, in words without any value; empty if an upgrade would change nothing."""
    if release is None:
        return ["it is not installed"]
    status = release["info"]["status"]
    if status != "deployed":
        return [f"its last installation is {status}"]
    there = release["chart"]["metadata"]
    return [
        *(f"the chart's {key} is {there.get(key)}" for key, value in chart.items() if there.get(key) != value),
        *(f"the value of {path} differs" for path in _paths(release.get("config") or {}, values)),
    ]


def gone(api: Api, release: Json | None, namespace: str) -> list[Json]:
    """Objects of the release that somebody deleted, as Helm made them, but for Secrets. Raises ApiError.

    Helm would not notice: it compares a new release with the one that it remembers.
    """
    if release is None:
        return []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    objects = [one for one in yaml.load_all(release["manifest"], loader) if one and one["kind"] != "Secret"]
    with ThreadPoolExecutor(PARALLEL) as pool:
        served = served_kinds_of(api, (one["apiVersion"] for one in objects), pool)

        def is_gone(one: Json) -> bool:
            kind = served[one["apiVersion"]].get(one["kind"])
            if kind is None:
                return False
            metadata = one["metadata"]
            return existing(api, f"{kind.path(metadata.get('namespace', namespace))}/{metadata['name']}") is None

        return [one for one, is_so in zip(objects, pool.map(is_gone, objects), strict=True) if is_so]


def _paths(there: t.Any, declared: t.Any, path: str = "") -> list[str]:
    """Where two trees of maps differ."""
    if not (isinstance(there, dict) and isinstance(declared, dict)):
        return [] if there == declared else [path]
    missing = object()
    return [
        found
        for key in sorted({*there, *declared})
        for found in _paths(there.get(key, missing), declared.get(key, missing), f"{path}.{key}" if path else key)
    ]
