# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a workload is rolled out, and which pods are its own. Pure predicates."""

from __future__ import annotations

import typing as t

Json = dict[str, t.Any]

API_PATHS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
REVISION = "deployment.kubernetes.io/revision"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
REVISION_LABELS = ("controller-revision-hash", "pod-template-generation")


class Snapshot(t.NamedTuple):
    """What is known of a namespace at a moment. C(events): its warnings; those with C(live) came while we watched."""

    workloads: list[Json]
    pods: list[Json]
    replica_sets: list[Json]
    events: list[Json]


class Rollout(t.NamedTuple):
    """What the predicate says of one workload: done, or what is still in the way."""

    done: bool
    state: str


class Pods(t.NamedTuple):
    """A workload's pods that are not being deleted: of its newest template, and of older ones."""

    new: list[Json]
    old: list[Json]


DONE = Rollout(True, "rolled out")


# --- what is kept ---------------------------------------------------------------------------------------------------


_METADATA = ("name", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp", "ownerReferences")
_SPEC = ("replicas", "paused", "updateStrategy", "nodeName", "readinessGates")
_EVENT = ("involvedObject", "reason", "message", "firstTimestamp", "lastTimestamp", "eventTime", "series")


def trim(obj: Json, kind: str) -> Json:
    """The part of an object that is looked at. Environments and arguments are never kept and so never shown."""
    metadata = obj.get("metadata") or {}
    spec = obj.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    labels = metadata.get("labels") or {}
    kept: Json = {"kind": kind, "metadata": {name: metadata[name] for name in _METADATA if name in metadata}}
    kept["metadata"]["annotations"] = {
        key: annotations[key] for key in (REVISION, TEMPLATE_GENERATION) if key in annotations
    }
    kept["metadata"]["labels"] = {key: labels[key] for key in REVISION_LABELS if key in labels}
    if kind == "Event":
        return {**kept, **{name: obj[name] for name in _EVENT if name in obj}}
    kept["spec"] = {name: spec[name] for name in _SPEC if name in spec}
    for group in ("initContainers", "containers"):
        if group in spec:
            kept["spec"][group] = [{"name": one.get("name"), "image": one.get("image")} for one in spec[group]]
    kept["status"] = obj.get("status") or {}
    return kept


def title(workload: Json) -> str:
    return f"{workload['kind']} {workload['metadata'].get('namespace', 'default')}/{workload['metadata']['name']}"


def condition(obj: Json, kind: str) -> Json:
    """The condition of this type, or an empty one."""
    return next((one for one in obj["status"].get("conditions") or [] if one.get("type") == kind), {})


# --- rolled out? ----------------------------------------------------------------------------------------------------


def desired(workload: Json) -> int:
    """How many pods there should be."""
    if workload["kind"] == "DaemonSet":
        return int(workload["status"].get("desiredNumberScheduled", 0))
    return int(workload["spec"].get("replicas", 1))


def observed(workload: Json) -> bool:
    """Whether the workload's controller has seen its newest specification."""
    seen = int(workload["status"].get("observedGeneration", 0))
    return seen > 0 and seen >= int(workload["metadata"].get("generation", 0))


def rollout(workload: Json) -> Rollout:
    """The predicate of `kubectl rollout status`, for the workload's newest generation."""
    if workload["metadata"].get("deletionTimestamp"):
        return Rollout(False, "it is being deleted")
    if not observed(workload):
        return Rollout(False, "its controller has not seen the newest specification yet")
    if workload["kind"] == "DaemonSet":
        return _daemon_set(workload["status"])
    if workload["kind"] == "StatefulSet":
        return _stateful_set(workload["spec"], workload["status"])
    return _deployment(desired(workload), workload["status"])


def rolled_out(workload: Json, snapshot: Snapshot) -> Rollout:
    """Like rollout(), and the pods say so themselves: after a node was killed, its pods are not ready before their controller notes it."""
    counted = rollout(workload)
    if not counted.done:
        return counted
    pods = pods_of(workload, snapshot)
    ready, wanted = sum(is_ready(pod) for pod in (*pods.new, *pods.old)), desired(workload)
    return counted if ready >= wanted else Rollout(False, f"{ready} of {wanted} pods are ready")


def _deployment(wanted: int, status: Json) -> Rollout:
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    available = int(status.get("availableReplicas", 0))
    if updated > wanted:
        return Rollout(False, f"{updated - wanted} surplus pods are still to be removed")
    if updated < wanted:
        return Rollout(False, f"{updated} of {wanted} new pods are made")
    if total > updated:
        return Rollout(False, f"{total - updated} old pods are still to be removed")
    if available != wanted:
        return Rollout(False, f"{available} of {wanted} pods are available")
    return DONE


def _stateful_set(spec: Json, status: Json) -> Rollout:
    wanted = int(spec.get("replicas", 1))
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    # Older servers do not count the available ones of a StatefulSet.
    available = int(status["availableReplicas"] if "availableReplicas" in status else status.get("readyReplicas", 0))
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    wanted_new = max(0, wanted - int(rolling.get("partition") or 0))
    if total > wanted:
        return Rollout(False, f"{total - wanted} surplus pods are still to be removed")
    if available != wanted:
        return Rollout(False, f"{available} of {wanted} pods are available")
    # As soon as all are updated, the controller takes the update revision for the current one and restarts its count.
    settled = bool(status.get("updateRevision")) and status.get("updateRevision") == status.get("currentRevision")
    if updated < wanted_new and not settled:
        return Rollout(False, f"{updated} of {wanted_new} pods are updated")
    return DONE


def _daemon_set(status: Json) -> Rollout:
    wanted, updated = int(status.get("desiredNumberScheduled", 0)), int(status.get("updatedNumberScheduled", 0))
    available = int(status.get("numberAvailable", 0))
    if updated < wanted:
        return Rollout(False, f"{updated} of {wanted} new pods are made")
    if available < wanted:
        return Rollout(False, f"{available} of {wanted} pods are available")
    return DONE


# --- whose pods -----------------------------------------------------------------------------------------------------


def owned(owner: Json, objects: t.Iterable[Json]) -> list[Json]:
    """Those of the objects that this one controls."""
    uid = owner["metadata"].get("uid")
    return [
        one for one in objects if any(ref.get("uid") == uid for ref in one["metadata"].get("ownerReferences") or [])
    ]


def newest_replica_set(deployment: Json, snapshot: Snapshot) -> Json | None:
    """The ReplicaSet of a Deployment's newest template; None as long as there is none or its controller lags behind."""
    revision = deployment["metadata"]["annotations"].get(REVISION)
    if not observed(deployment) or revision is None:
        return None
    sets = owned(deployment, snapshot.replica_sets)
    return next((one for one in sets if one["metadata"]["annotations"].get(REVISION) == revision), None)


def pods_of(workload: Json, snapshot: Snapshot) -> Pods:
    """A workload's pods. While it is not known which are the new ones, all count as old."""
    if workload["kind"] == "Deployment":
        newest = newest_replica_set(workload, snapshot)
        sets = owned(workload, snapshot.replica_sets)
        every = [pod for one in sets for pod in owned(one, snapshot.pods)]
        new = owned(newest, snapshot.pods) if newest else []
    else:
        every = owned(workload, snapshot.pods)
        new = [pod for pod in every if _of_newest_template(pod, workload)] if observed(workload) else []
    names = {pod["metadata"]["name"] for pod in new}
    living = [pod for pod in every if not pod["metadata"].get("deletionTimestamp")]
    return Pods(
        [pod for pod in living if pod["metadata"]["name"] in names],
        [pod for pod in living if pod["metadata"]["name"] not in names],
    )


def _of_newest_template(pod: Json, workload: Json) -> bool:
    labels = pod["metadata"]["labels"]
    if workload["kind"] == "StatefulSet":
        return bool(labels.get("controller-revision-hash") == workload["status"].get("updateRevision"))
    wanted = workload["metadata"]["annotations"].get(TEMPLATE_GENERATION)
    return wanted is None or labels.get("pod-template-generation") == wanted


def is_ready(pod: Json) -> bool:
    return bool(condition(pod, "Ready").get("status") == "True")


def container_statuses(pod: Json) -> list[Json]:
    status = pod["status"]
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def restarts(pod: Json) -> int:
    return sum(int(one.get("restartCount", 0)) for one in container_statuses(pod))


def started(pod: Json) -> str | None:
    """When the last of its running containers started; None while one does not run."""
    moments = [
        (one.get("state") or {}).get("running", {}).get("startedAt")
        for one in pod["status"].get("containerStatuses") or []
    ]
    return max(moments) if moments and all(moments) else None


def ready_at(pod: Json) -> str | None:
    """Since when it is ready; None while it is not."""
    return condition(pod, "Ready").get("lastTransitionTime") if is_ready(pod) else None


def image_of(pod: Json, container: str) -> str:
    """The image as the pod asks for it; the status may name it otherwise."""
    every = [*(pod["spec"].get("initContainers") or []), *(pod["spec"].get("containers") or [])]
    return next((str(one.get("image")) for one in every if one.get("name") == container), "")


def pod_row(pod: Json) -> Json:
    """A pod as the module returns it."""
    return {
        "name": pod["metadata"]["name"],
        "phase": pod["status"].get("phase", "Pending"),
        "ready": is_ready(pod),
        "restarts": restarts(pod),
        "started": started(pod),
        "created_at": pod["metadata"].get("creationTimestamp"),
        "ready_at": ready_at(pod),
        "images": [one["image"] for one in pod["spec"].get("containers") or []],
        "node": pod["spec"].get("nodeName"),
    }
