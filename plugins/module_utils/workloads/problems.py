# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a workload from rolling out and does not heal by waiting. Pure: from objects to causes and next steps."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import ending
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import rollout as rules
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import Json, Pods, Snapshot

# Seconds for which a problem must last before it counts. What no waiting heals gets a moment, for a fix that is just
# arriving; what may be due to something that is just starting or being made gets more.
AT_ONCE = 0.0
MOMENT = 3.0
SOON_MADE = 15.0
STARTING = 20.0
UNSCHEDULABLE = 30.0
# So many restarts make a crash loop; the kubelet needs about 30 s for them.
CRASH_RESTARTS = 3


class Problem(t.NamedTuple):
    """One problem. C(key) stays the same while it lasts, however its wording changes."""

    key: tuple[str, ...]
    grace: float
    reason: str
    message: str
    next_step: str
    pod: str | None = None
    container: str | None = None
    image: str | None = None
    wants_log: bool = False

    def like(self) -> tuple[str | None, ...]:
        """The same for replicas that suffer from the same."""
        return self.reason, self.container, self.image


class Cause(t.NamedTuple):
    """What a message means."""

    pattern: re.Pattern[str]
    grace: float
    cause: str
    next_step: str


def _cause(pattern: str, grace: float, cause: str, next_step: str) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE), grace, cause, next_step)


# In this order: what is more precise comes first.
PULL_CAUSES = [
    _cause(
        r"server gave HTTP response to HTTPS client",
        MOMENT,
        "the registry speaks plain http and the node expects TLS",
        "allow the registry as insecure in the node's container runtime, or give it a certificate",
    ),
    _cause(
        r"x509|certificate",
        MOMENT,
        "the node does not trust the registry's certificate",
        "make the registry's CA known to the node's container runtime",
    ),
    _cause(
        r"unauthorized|denied|forbidden|authentication required|no basic auth|authorization failed|\b40[13]\b",
        MOMENT,
        "the registry refuses the node, or has no such repository",
        "check the image's name, and give the pod an imagePullSecret for the registry",
    ),
    _cause(
        r"no such host|dial tcp: lookup|server misbehaving|name or service not known|failure in name resolution",
        STARTING,
        "the node can't resolve the registry's name",
        "correct the image's registry, or load the image into the node",
    ),
    _cause(
        r"connection refused|i/o timeout|no route to host|network is unreachable|connection reset|deadline exceeded|"
        r"\bEOF\b|\b50[0234]\b",
        STARTING,
        "the node can't reach the registry",
        "start the registry or open the way to it, or load the image into the node",
    ),
    _cause(
        r"not found|manifest unknown|name unknown|does not exist|not known",
        MOMENT,
        "the registry does not have this image",
        "push it, or correct its name or tag",
    ),
    _cause(
        r"no match for platform",
        MOMENT,
        "the image is not there for the node's architecture",
        "build it for this architecture",
    ),
]
PULL_UNKNOWN = _cause("", STARTING, "the node can't pull the image", "check the image's name and tag, and the registry")
LOCAL_NEXT_STEP = (
    "images named localhost/… are not pulled but loaded: build it and load it into the node, or correct its name or tag"
)

CREATE_CAUSES = [
    _cause(
        r"violates PodSecurity",
        MOMENT,
        "the namespace's Pod Security level forbids such pods",
        "correct the pod's securityContext, or the namespace's label pod-security.kubernetes.io/enforce",
    ),
    _cause(
        r"exceeded quota|failed quota|limited:",
        SOON_MADE,
        "the namespace's quota is used up",
        "raise the ResourceQuota, or lower replicas or requests",
    ),
    _cause(
        r"serviceaccount \S+ not found",
        SOON_MADE,
        "its ServiceAccount does not exist",
        "create the ServiceAccount, or correct serviceAccountName",
    ),
    _cause(
        r"(failed calling|error from) webhook|admission webhook",
        UNSCHEDULABLE,
        "an admission webhook does not answer or forbids the pods",
        "look at the webhook's pods, or follow the message",
    ),
    _cause(
        r"maximum .* usage per|minimum .* usage per|LimitRange",
        MOMENT,
        "the namespace's LimitRange forbids such pods",
        "correct the containers' requests and limits",
    ),
]
CREATE_UNKNOWN = _cause("", SOON_MADE, "its pods can't be made", "follow the API server's message")

_MISSING = re.compile(r"(secret|configmap)s? \"[^\"]+\" not found|couldn't find key|non-existent .*key", re.IGNORECASE)


def explain(message: str, causes: t.Sequence[Cause], unknown: Cause) -> Cause:
    return next((one for one in causes if one.pattern.search(message)), unknown)


# --- a workload -----------------------------------------------------------------------------------------------------


def problems_of(workload: Json, snapshot: Snapshot, unschedulable_after: float = UNSCHEDULABLE) -> list[Problem]:
    """Everything that is in this workload's way now, also what may still heal; nothing once it is rolled out."""
    if rules.rolled_out(workload, snapshot).done or not rules.observed(workload):
        return []
    pods = rules.pods_of(workload, snapshot)
    found = [*_of_the_workload(workload, pods, snapshot)]
    for pod in pods.new:
        found += pod_problems(pod, snapshot.events, unschedulable_after)
    if workload["kind"] == "StatefulSet":
        for pod in pods.old:
            found += [_of_an_old_pod(one) for one in pod_problems(pod, snapshot.events, unschedulable_after)]
    return found


def _of_an_old_pod(problem: Problem) -> Problem:
    """A StatefulSet never replaces a broken pod, also not by a corrected one."""
    step = f"delete the pod {problem.pod}: it is of an older revision, and its StatefulSet waits for it for ever"
    return problem._replace(grace=max(problem.grace, SOON_MADE), next_step=step)


def _of_the_workload(workload: Json, pods: Pods, snapshot: Snapshot) -> t.Iterator[Problem]:
    uid = str(workload["metadata"].get("uid"))
    name = workload["metadata"]["name"]
    if workload["spec"].get("paused"):
        yield Problem(
            (uid, "paused"), MOMENT, "Paused", "its rollout is paused", f"kubectl rollout resume deployment/{name}"
        )
    if (workload["spec"].get("updateStrategy") or {}).get("type") == "OnDelete" and pods.old:
        yield Problem(
            (uid, "on-delete"),
            MOMENT,
            "OnDelete",
            "its update strategy is OnDelete, so old pods are replaced only after they are deleted",
            f"delete {', '.join(pod['metadata']['name'] for pod in pods.old)}",
        )
    message = _creation_failure(workload, pods, snapshot)
    if message:
        known = explain(message, CREATE_CAUSES, CREATE_UNKNOWN)
        yield Problem((uid, "create"), known.grace, "FailedCreate", f"{known.cause}: {message}", known.next_step)


def _creation_failure(workload: Json, pods: Pods, snapshot: Snapshot) -> str | None:
    """Why the controller can't make pods, in the API server's words."""
    if workload["kind"] == "Deployment":
        # The newest ReplicaSet's own condition: the Deployment's may still be about an older one.
        newest = rules.newest_replica_set(workload, snapshot)
        failure = rules.condition(newest, "ReplicaFailure") if newest else {}
        if failure.get("status") == "True":
            return str(failure.get("message") or failure.get("reason"))
        progress = rules.condition(workload, "Progressing")
        if newest is None and progress.get("reason") == "ReplicaSetCreateError":
            return str(progress.get("message"))
        return None
    missing = max(1, rules.desired(workload)) - len(pods.new) - len(pods.old)
    event = newest_event(snapshot.events, workload, "FailedCreate")
    return str(event.get("message")) if event and missing > 0 else None


# --- a pod ----------------------------------------------------------------------------------------------------------


def pod_problems(pod: Json, events: t.Sequence[Json], unschedulable_after: float = UNSCHEDULABLE) -> list[Problem]:
    """What is in this pod's way. A pod that has ended is none: its controller makes another."""
    if pod["status"].get("phase") in ("Failed", "Succeeded"):
        return []
    found = [_container_problem(pod, status) for status in rules.container_statuses(pod)]
    found += [_scheduling_problem(pod, unschedulable_after), _mount_problem(pod, events)]
    return [one for one in found if one is not None]


def _scheduling_problem(pod: Json, grace: float) -> Problem | None:
    scheduled = rules.condition(pod, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    return Problem(
        (_uid(pod), "schedule"),
        grace,
        "Unschedulable",
        f"no node takes the pod: {scheduled.get('message')}",
        "lower the pod's requests, correct its nodeSelector, affinity, tolerations or volume claims, or add a node",
        pod=pod["metadata"]["name"],
    )


def _mount_problem(pod: Json, events: t.Sequence[Json]) -> Problem | None:
    """A volume of something that is not there. The kubelet tells only by an event, again and again while it lasts."""
    waiting = [(one.get("state") or {}).get("waiting", {}).get("reason") for one in rules.container_statuses(pod)]
    event = newest_event(events, pod, "FailedMount")
    if (
        not event
        or not event.get("live")
        or not any(one in ("ContainerCreating", "PodInitializing") for one in waiting)
    ):
        return None
    message = str(event.get("message"))
    if not _MISSING.search(message) or _lasted(event) < SOON_MADE:
        return None
    return Problem(
        (_uid(pod), "mount"),
        AT_ONCE,
        "FailedMount",
        f"a volume can't be mounted: {message}",
        "create the Secret or ConfigMap in this namespace, or correct the volume's reference",
        pod=pod["metadata"]["name"],
    )


def _container_problem(pod: Json, status: Json) -> Problem | None:
    name = str(status.get("name"))
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    message = " ".join(str(waiting.get("message") or "").split())
    image = rules.image_of(pod, name)

    def problem(key: str, grace: float, why: str, said: str, step: str, wants_log: bool = False) -> Problem:
        return Problem((_uid(pod), name, key), grace, why, said, step, pod["metadata"]["name"], name, image, wants_log)

    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"):
        known = explain(message, PULL_CAUSES, PULL_UNKNOWN)
        if image.startswith("localhost/"):
            known = known._replace(grace=MOMENT, cause="the node does not have this image", next_step=LOCAL_NEXT_STEP)
        return problem("image", known.grace, reason, _join(known.cause, message), known.next_step)
    if reason == "ErrImageNeverPull":
        step = "load the image into the node, or set another imagePullPolicy"
        return problem("image", AT_ONCE, reason, "the node does not have the image, and imagePullPolicy is Never", step)
    if reason == "InvalidImageName":
        return problem(
            "image", AT_ONCE, reason, _join("the image's name is not valid", message), "correct the image's name"
        )
    if reason in ("ImageInspectError", "SignatureValidationFailed"):
        return problem(
            "image", MOMENT, reason, _join("the node can't use the image", message), "build and push the image again"
        )
    if reason == "CreateContainerConfigError":
        if _MISSING.search(message):
            step = "create the Secret or ConfigMap (or its key) in this namespace, or correct the pod's reference"
            return problem("config", SOON_MADE, reason, message, step)
        return problem("config", SOON_MADE, reason, message, "correct the container as the message says")
    if reason == "CreateContainerError":
        return problem("create", SOON_MADE, reason, message, "correct the container as the message says")
    return _start_problem(status, image, problem)


def _start_problem(status: Json, image: str, problem: t.Callable[..., Problem]) -> Problem | None:
    """A container that can't be started, or ends again and again."""
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    idle = bool(state.get("terminated")) or reason in ("CrashLoopBackOff", "RunContainerError")
    if idle and (reason == "RunContainerError" or ended.get("reason") in ("StartError", "ContainerCannotRun")):
        message = " ".join(str(ended.get("message") or waiting.get("message") or "").split())
        step = "correct the container's command, or the image that lacks it"
        return problem(
            "start", MOMENT, ended.get("reason") or reason, _join("the container can't be started", message), step
        )
    if known := ending(image, ended.get("exitCode")):
        return problem("ending", AT_ONCE, known.reason, known.message, known.next_step)
    count = int(status.get("restartCount", 0))
    if reason != "CrashLoopBackOff" or count < CRASH_RESTARTS:
        return None
    code = ended.get("exitCode")
    said = f"it was restarted {count} times, the last time it ended with exit code {code} ({ended.get('reason')})"
    return problem("crash", AT_ONCE, reason, said, crash_step(ended), wants_log=True)


def crash_step(ended: Json) -> str:
    """What to do about a container that ended like this."""
    code = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        return "raise the container's memory limit, or lower what it needs"
    if code == 0:
        return "the container must keep running: correct its command"
    if code in (126, 127):
        return "the command can't be run or is not in the image: correct command, args or the image"
    if code in (137, 143):
        return "it was killed: look whether its liveness probe fails or it runs out of memory"
    return "read its log, correct the application or its settings, and deploy again"


def _join(cause: str, message: str) -> str:
    return f"{cause}: {message}" if message else cause


def _uid(pod: Json) -> str:
    return str(pod["metadata"].get("uid") or pod["metadata"]["name"])


# --- events ---------------------------------------------------------------------------------------------------------


def event_time(event: Json) -> str:
    """When it happened last, as RFC 3339, which sorts as text."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(one) for one in times if one), "")


def newest_event(events: t.Iterable[Json], obj: Json, reason: str | None = None) -> Json | None:
    """The last warning about an object."""
    uid = obj["metadata"].get("uid")
    fitting = [
        one
        for one in events
        if (one.get("involvedObject") or {}).get("uid") == uid and reason in (None, one.get("reason"))
    ]
    return max(fitting, key=event_time, default=None)


def _lasted(event: Json) -> float:
    """Seconds between its first and its last time, by the cluster's clock."""
    first, last = moment(event.get("firstTimestamp")), moment(event_time(event))
    return (last - first).total_seconds() if first and last else 0.0


# --- patience -------------------------------------------------------------------------------------------------------


class Patience:
    """Remembers since when each problem lasts, so that only those that outlast their grace count."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, ...], float] = {}

    def overdue(self, problems: t.Sequence[Problem], now: float) -> tuple[list[Problem], float | None]:
        """The problems that lasted too long, and when the next one will have."""
        self._since = {one.key: self._since.get(one.key, now) for one in problems}
        due = {one: self._since[one.key] + one.grace for one in problems}
        late = [one for one in problems if due[one] <= now]
        return late, min((when for when in due.values() if when > now), default=None)


def distinct(problems: t.Sequence[Problem]) -> list[Problem]:
    """One for all the replicas that suffer from the same."""
    return list({one.like(): one for one in reversed(problems)}.values())[::-1]
