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
import datetime as dt
import gzip
import json
import typing as t
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.digests import digest_of
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import (
    HELM_RELEASE,
    described,
    is_ours,
    owner_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.helm.recovery import (
    UNFINISHED,
    Guard,
    Recovery,
    Revision,
    recovery_of,
    running_problem,
)
from ansible_collections.localcloud.stack.plugins.module_utils.helm.renderer import DECLARED, Scaled
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, existing, list_all, served_kinds_of

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]
# Of a chart's description; a release has more of it that says nothing of what is installed.
COMPARED = ("name", "version", "appVersion")
PARALLEL = 3
HELM_NAMESPACE = "meta.helm.sh/release-namespace"
# Label of Helm's record with the digest of the chart's folder: Helm itself compares a chart's version only.
CHART = "localcloud.dev/chart"
CLIENT_SIDE = "csa"


def chart_of(reference: str, version: str | None) -> Json:
    """What is known of a chart by its folder, or by its name and version. Raises OSError or ValueError."""
    if not reference.startswith(("/", ".")):
        return {"name": reference.rpartition("/")[2], **({"version": version} if version else {})}
    description = Path(reference, "Chart.yaml")
    try:
        return {key: value for key, value in yaml.safe_load(description.read_text()).items() if key in COMPARED}
    except (yaml.YAMLError, AttributeError) as error:
        raise ValueError(f"{description} is not a chart's description: {error}") from error


def chart_labels(reference: str) -> dict[str, str]:
    """What Helm's record says of a chart's files, if the chart is a folder. Raises OSError."""
    return {CHART: digest_of([Path(reference)])} if reference.startswith(("/", ".")) else {}


class Release(t.NamedTuple):
    """What is in the cluster of a release.

    C(records): Helm's Secrets, oldest first. C(revisions): the same, of the newest with time and description. C(newest): the
    newest record's content. C(recovery): how its unfinished operation is ended. C(base): the content of the revision that is
    there after that; None where it is not installed then. C(objects): base's objects and newest's, each with what is there.
    C(witness): the owner that a Secret names which was made for the release, where its record names none.
    """

    name: str
    namespace: str
    records: list[Json]
    revisions: list[Revision]
    newest: Json | None
    recovery: Recovery | None
    base: Json | None
    objects: list[tuple[Json, Json | None]]
    witness: str | None = None

    @property
    def owner(self) -> str | None:
        """The owner that the newest record's label names."""
        return self.revisions[-1].owner if self.revisions else None

    @property
    def method(self) -> str | None:
        """How the newest revision was applied, which Helm 4 keeps to; None where an installation is what comes next."""
        installed = self.newest is not None and self.revisions[-1].status != "uninstalled"
        return apply_method(self.newest) if installed else None


def read_release(api: Api, namespace: str, name: str, witness: str = "") -> Release:
    """What is in the cluster of a release. Raises ApiError, and ValueError where Helm can't have written a record.

    C(witness): a Secret of the namespace that was made for the release; its owner counts where the release's record has none.
    """
    records = _records(api, namespace, name)
    content = decode(records[-1]) if records else None
    revisions = [*map(_revision, records[:-1]), *([_newest(records[-1], content)] if content else [])]
    recovery = recovery_of(revisions)
    base = content
    if recovery:
        target = recovery.revision
        base = decode(next(one for one in records if _number(one) == target.number)) if target else None
    elif revisions and revisions[-1].status == "uninstalled":
        base = None
    concerned = [content, base] if recovery and base is not content else [base]
    manifest = "\n---\n".join(one["manifest"] for one in concerned if one and one.get("manifest"))
    objects = _objects(api, manifest, namespace)
    found = Release(name, namespace, records, revisions, content, recovery, base, objects)
    if not witness or not revisions or found.owner is not None:
        return found
    secret = existing(api, f"/api/v1/namespaces/{namespace}/secrets/{witness}")
    return found._replace(witness=owner_of(secret) if secret else None)


def apply_method(content: Json | None) -> str:
    """How a revision's objects were applied: C(ssa) on the server, or C(csa) by the client, which is all that Helm 3 can and does not say."""
    return (content or {}).get("apply_method") or CLIENT_SIDE


def _records(api: Api, namespace: str, name: str) -> list[Json]:
    """Helm's Secrets of a release, oldest first.

    Superseded ones, which are up to nine, are read only where the way back may lead to one of them.
    """

    def read(more: str = "") -> list[Json]:
        selector = f"owner=helm,name={name}{more}"
        found, _version = list_all(api, f"/api/v1/namespaces/{namespace}/secrets", {"labelSelector": selector})
        return sorted(found, key=_number)

    found = read(",status!=superseded")
    statuses = [one["metadata"]["labels"].get("status") for one in found]
    return read() if statuses and statuses[-1] in UNFINISHED and "deployed" not in statuses else found


def _number(record: Json) -> int:
    return int(record["metadata"]["labels"]["version"])


def _revision(record: Json) -> Revision:
    labels = record["metadata"]["labels"]
    return Revision(_number(record), labels.get("status", ""), labels)


def _newest(record: Json, content: Json) -> Revision:
    """The newest revision by its content, as Helm itself looks at it.

    Its labels createdAt and modifiedAt are not used: Helm hands them down from the revision before.
    """
    info = content["info"]
    began = info.get("deleted") if info["status"] == "uninstalling" else info.get("last_deployed")
    return _revision(record)._replace(
        status=info["status"], since=_time(began), description=info.get("description") or ""
    )


def _time(text: str | None) -> dt.datetime | None:
    """A time of Helm's (RFC 3339, up to nanoseconds) in UTC; None where there is none, or one that is not set (year 1)."""
    try:
        seconds, _dot, rest = (text or "").partition(".")
        zone = rest.lstrip("0123456789")
        found = dt.datetime.fromisoformat((seconds + zone).replace("Z", "+00:00"))
        return found.astimezone(dt.UTC) if found.year > 1 else None
    except (ValueError, OverflowError):
        return None


def decode(secret: Json) -> Json:
    """The release in a Secret. Raises ValueError where Helm can't have written it."""
    try:
        return t.cast(
            "Json", json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
        )
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the Secret {secret['metadata']['name']} holds no release of Helm's ({error})") from error


def differences(
    release: Release, chart: Json, values: Json, owner: str = "", labels: t.Mapping[str, str] | None = None
) -> list[str]:
    """What of chart, values and owner differs, in words without any value; empty if an upgrade would change nothing.

    labels: those of chart_labels().
    """
    base, recovery = release.base, release.recovery
    unfinished = [f"its last operation is {release.revisions[-1].status}"] if recovery else []
    if base is None:
        return unfinished or ["it is not installed"]
    present = recovery.revision if recovery and recovery.revision else release.revisions[-1]
    if present.status not in (("deployed", "superseded") if recovery else ("deployed",)):
        return [*unfinished, f"its last installation is {present.status}"]
    there = base["chart"]["metadata"]
    return [
        *unfinished,
        *([f"its record has {described(present.owner)}"] if owner and present.owner != owner else []),
        *(f"the chart's {key} is {there.get(key)}" for key, value in chart.items() if there.get(key) != value),
        *("the chart's files differ" for key, value in (labels or {}).items() if present.labels.get(key) != value),
        *(f"the value of {path} differs" for path in _paths(base.get("config") or {}, values)),
        *(f"the {one['kind']} {one['metadata']['name']} is missing" for one in _missing(release)),
    ]


def _missing(release: Release) -> list[Json]:
    """Objects of the release that were deleted. An upgrade or a rollback makes them again."""
    return [] if release.base is None or release.recovery else [one for one, there in release.objects if there is None]


def scaled(release: Release) -> list[Scaled]:
    """Workloads whose number of replicas was set by the subresource scale, an autoscaler or C(kubectl scale), to another one
    than the chart declares. It stays until the chart declares another one than before.
    """
    return [found for made, there in release.objects if there and (found := _scaled(made, there, release.namespace))]


def _scaled(made: Json, there: Json, namespace: str) -> Scaled | None:
    said = made["metadata"].get("annotations") or {}
    declared, replicas = (one.get("spec", {}).get("replicas") for one in (made, there))
    owners = [
        one["manager"]
        for one in there["metadata"].get("managedFields") or []
        if one.get("subresource") == "scale" and "f:replicas" in one.get("fieldsV1", {}).get("f:spec", {})
    ]
    if declared is None or not owners:
        return None
    declared = int(said.get(DECLARED, declared))
    where = made["metadata"].get("namespace") or namespace
    found = Scaled(made["apiVersion"], made["kind"], where, made["metadata"]["name"], replicas, declared, owners[0])
    return None if replicas == declared else found


def gone(release: Release) -> list[Json]:
    """Objects of the release that were deleted, as Helm made them, but for Secrets."""
    return [_as_helm_makes(one, release) for one in _missing(release) if one["kind"] != "Secret"]


def foreign(release: Release, owner: str) -> list[Json]:
    """What of the release others own: the release itself, else objects of its names that were not made for it.

    Helm would change and delete these by name. Each as kind, name, namespace and owner. An empty C(owner) owns whatever is there.
    """
    if not owner or not release.revisions:
        return []
    if not is_owned_by(release, owner):
        return [as_row(release)]
    return [
        {
            "kind": one["kind"],
            "name": one["metadata"]["name"],
            "namespace": one["metadata"].get("namespace", release.namespace),
            "owner": owner_of(there),
        }
        for one, there in release.objects
        if there is not None and not _is_of(there, release) and not is_ours(there, [owner])
    ]


def as_row(release: Release) -> Json:
    """The release as messages name it."""
    return {"kind": "Helm release", "name": release.name, "namespace": release.namespace, "owner": release.owner}


def running(release: Release, guard: Guard) -> list[str]:
    """Why the release must be left alone, as an operation on it may be running, and what to do; empty where none is."""
    problem = running_problem(f"{release.name} of {release.namespace}", release.revisions, guard)
    return [problem] if problem else []


def is_owned_by(release: Release, owner: str) -> bool:
    """Whether the newest record's label names this owner, or, where it names none, the labels of its objects and its witness do."""
    if release.owner is not None:
        return release.owner == owner
    return {release.witness, *(owner_of(one) for one, _there in release.objects)} - {None} == {owner}


def _is_of(there: Json, release: Release) -> bool:
    annotations = there["metadata"].get("annotations") or {}
    return (annotations.get(HELM_RELEASE), annotations.get(HELM_NAMESPACE)) == (release.name, release.namespace)


def _as_helm_makes(one: Json, release: Release) -> Json:
    """An object of a manifest with what Helm adds when it makes it (pkg/action/validate.go, setMetadataVisitor)."""
    metadata = one["metadata"]
    marks = {HELM_RELEASE: release.name, HELM_NAMESPACE: release.namespace}
    labels = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    annotations = {**(metadata.get("annotations") or {}), **marks}
    return {**one, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def _objects(api: Api, manifest: str, namespace: str) -> list[tuple[Json, Json | None]]:
    """The objects of a manifest whose kind is served, each once, with what is in the cluster. Raises ApiError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    objects = [one for one in yaml.load_all(manifest, loader) if one]
    with ThreadPoolExecutor(PARALLEL) as pool:
        served = served_kinds_of(api, (one["apiVersion"] for one in objects), pool)
        paths = {
            f"{kind.path(one['metadata'].get('namespace', namespace))}/{one['metadata']['name']}": one
            for one in objects
            if (kind := served[one["apiVersion"]].get(one["kind"]))
        }
        found = pool.map(lambda path: existing(api, path), paths)
        return list(zip(paths.values(), found, strict=True))


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
