# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that are said to be ready by a node that was killed.

After a restart, the API server has what the old kubelet wrote last, until the new one has looked at each pod: for up to a minute
waits would take a pod for ready whose containers have ended, and Services would lead to its old address. A node lifecycle controller
marks the pods of a node that went away as not ready, but only after 40 s without a heartbeat, and here the node is back by then.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError

Json = dict[str, t.Any]

PODS = "/api/v1/pods"
READINESS = ("Ready", "ContainersReady")
REASON = "NodeRestarted"
# The kubelet has written a newer status, or the pod is gone.
OUTDATED = (404, 409)


class Api(t.Protocol):
    def get(self, path: str, params: t.Mapping[str, str]) -> Json: ...

    def merge(self, path: str, patch: Json) -> None: ...


def mark_unready(api: Api, started: datetime.datetime) -> int:
    """Mark pods as not ready whose containers ran before the node started; return how many. Raises ApiError.

    The kubelet says so itself, and when they are ready again, as soon as it has looked at them.
    """
    marked = 0
    for pod in api.get(PODS, {}).get("items") or []:
        if not is_stale(pod, started):
            continue
        metadata = pod["metadata"]
        try:
            api.merge(
                f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status", unready(pod, started)
            )
        except ApiError as error:
            if error.status not in OUTDATED:
                raise
        else:
            marked += 1
    return marked


def is_stale(pod: Json, started: datetime.datetime) -> bool:
    """Whether a pod is said to be ready with a container that started before its node did."""
    status = pod.get("status") or {}
    if not any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or []):
        return False
    running = [(one.get("state") or {}).get("running") for one in status.get("containerStatuses") or []]
    return any((since := moment((one or {}).get("startedAt"))) and since < started for one in running)


def unready(pod: Json, started: datetime.datetime) -> Json:
    """A merge patch of the pod's status; the API server refuses it if the pod has changed since."""
    now = started.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {
        "status": "False",
        "reason": REASON,
        "message": "the node was started again, and its kubelet has yet to look at the pod",
        "lastTransitionTime": now,
    }
    conditions = [{**one, **said} if one["type"] in READINESS else one for one in pod["status"].get("conditions") or []]
    return {
        "metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]},
        "status": {"conditions": conditions},
    }
