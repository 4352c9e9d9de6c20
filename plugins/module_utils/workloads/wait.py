# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until workloads are rolled out, or until it's clear that they won't be."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import PAGE, ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import PATIENCE
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import report
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import rollout as rules
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.problems import (
    Patience,
    Problem,
    distinct,
    problems_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import Json, Snapshot
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.watch import (
    Api,
    Reflector,
    Store,
    list_all,
    sources_of,
)

# A refusal, or silence from the first request on, may be due to an API server that is still starting or has much to do; not for longer.
DENIED_SECONDS = 5
SILENT_SECONDS = PATIENCE
LOG_LINES = 10
SHOWN_LOGS = 3
START_IT = "Start the cluster, or correct kubeconfig and context."


class Options(t.NamedTuple):
    namespace: str
    names: list[str] | None = None
    label_selector: str | None = None
    kind: str = "Deployment"
    timeout: float = 300
    unschedulable_after: float = 30


class Waiter:
    def __init__(self, api: Api, options: Options, pause: float = 0.25) -> None:
        if not options.names and not options.label_selector:
            raise KubernetesError("There is nothing to wait for: names and label_selector are empty. Give one of them.")
        self.api = api
        self.options = options
        self.names = list(dict.fromkeys(options.names or []))
        self.sources = sources_of(options.kind, options.namespace, self.names, options.label_selector)
        self.store = Store(self.sources)
        self.pause = pause
        self.start = time.monotonic()
        self._patience = Patience()
        self._done_at: dict[str, float] = {}

    def look(self) -> tuple[Json, str | None]:
        """One look without waiting, with the problems known so far. Never fails: C(unseen) says why nothing could be seen."""
        unseen = None
        try:
            self.api.connect()
            for source in self.sources.every():
                self.store.replace(source, list_all(self.api, source)[0])
        except Exception as error:
            unseen = f"The cluster can't be looked at: {getattr(error, 'message', error)}"
        with self.store.changed:
            snapshot = self._snapshot()
        self._note_done(snapshot)
        problems = [
            report.problem_row(problem, one)
            for one in snapshot.workloads
            for problem in distinct(self._problems(one, snapshot))
        ]
        return {**self._result(snapshot), "problems": problems}, unseen

    def wait(self) -> Json:
        """Wait until all is rolled out. Raises KubernetesError when that can't be or the time is up."""
        stop = threading.Event()
        self.api.connect()
        for source in self.sources.every():
            # Daemons: a thread that still listens to a stream must not keep the module from ending.
            threading.Thread(target=Reflector(self.api, source, self.store, stop, self.pause).run, daemon=True).start()
        try:
            with self.store.changed:
                snapshot, hopeless = self._until_decided()
        finally:
            stop.set()
        if hopeless:
            self._fail_early(snapshot, hopeless)
        if not self._all_done(snapshot):
            self._fail_late(snapshot)
        return {**self._result(snapshot), "pods": self._pods(self._snapshot_of_the_end(snapshot))}

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _until_decided(self) -> tuple[Snapshot, dict[str, list[Problem]]]:
        """The last state seen, and the problems by workload that no waiting heals."""
        deadline = self.start + self.options.timeout
        while True:
            now = time.monotonic()
            due = self._check_access(now)
            snapshot = self._snapshot()
            if self.store.complete():
                self._note_done(snapshot)
                if self._all_done(snapshot):
                    return snapshot, {}
                problems = {one["metadata"]["name"]: self._problems(one, snapshot) for one in snapshot.workloads}
                late, next_due = self._patience.overdue([one for group in problems.values() for one in group], now)
                if late:
                    return snapshot, {name: [one for one in group if one in late] for name, group in problems.items()}
                due = min((one for one in (due, next_due) if one is not None), default=None)
            if now >= deadline:
                return snapshot, {}
            self.store.changed.wait(min(deadline, due or deadline) - now)

    def _problems(self, workload: Json, snapshot: Snapshot) -> list[Problem]:
        return problems_of(workload, snapshot, self.options.unschedulable_after)

    def _check_access(self, now: float) -> float | None:
        """Raise KubernetesError if the API server refuses us, or has never answered; else when to look at that again."""
        found = self.store.trouble()
        if found is None:
            return None
        source, state = found
        error, since = t.cast(ApiError, state.trouble), state.since or now
        if error.status in (401, 403):
            if now >= since + DENIED_SECONDS:
                raise KubernetesError(
                    f"The API server does not let us read {source.kind}s in namespace {self.options.namespace}: "
                    f"{error.message}. Check the kubeconfig's user and its RBAC (get, list and watch).",
                    **self._result(self._snapshot()),
                )
            return since + DENIED_SECONDS
        if state.listed:
            return None
        if now >= since + SILENT_SECONDS:
            raise KubernetesError(
                f"The API server does not answer ({error.message}). {START_IT}",
                **self._result(self._snapshot()),
            )
        return since + SILENT_SECONDS

    def _snapshot(self) -> Snapshot:
        snapshot = self.store.snapshot()
        if not self.names:
            return snapshot
        return snapshot._replace(workloads=[one for one in snapshot.workloads if one["metadata"]["name"] in self.names])

    def _missing(self, snapshot: Snapshot) -> list[str]:
        there = {one["metadata"]["name"] for one in snapshot.workloads}
        return [name for name in self.names if name not in there]

    def _all_done(self, snapshot: Snapshot) -> bool:
        done = all(rules.rolled_out(one, snapshot).done for one in snapshot.workloads)
        return done and bool(snapshot.workloads) and not self._missing(snapshot)

    def _note_done(self, snapshot: Snapshot) -> None:
        done = {one["metadata"]["name"] for one in snapshot.workloads if rules.rolled_out(one, snapshot).done}
        self._done_at = {name: self._done_at.get(name, self._seconds()) for name in done}

    # --- failing ----------------------------------------------------------------------------------------------------

    def _fail_early(self, snapshot: Snapshot, hopeless: t.Mapping[str, t.Sequence[Problem]]) -> t.NoReturn:
        rows: list[Json] = []
        by_name = {one["metadata"]["name"]: one for one in snapshot.workloads}
        for name, group in hopeless.items():
            for problem in distinct(group):
                log = self._log(problem) if problem.wants_log and len(rows) < SHOWN_LOGS else []
                rows.append(report.problem_row(problem, by_name[name], log))
        message = report.hopeless(rows, self.options.kind, self.options.namespace)
        raise KubernetesError(message, **self._result(snapshot), problems=rows)

    def _fail_late(self, snapshot: Snapshot) -> t.NoReturn:
        result = self._result(snapshot)
        seconds = result["waited_seconds"]
        kind, namespace = self.options.kind, self.options.namespace
        trouble = self.store.trouble()
        if not self.store.complete():
            said = trouble[1].trouble if trouble else "no answer yet"
            message = f"Waited {seconds:.0f} s, but the API server does not answer ({said}). {START_IT}"
            raise KubernetesError(message, **result, problems=[])
        if not snapshot.workloads:
            wanted = f"the names {', '.join(self.names)}" if self.names else f"the labels {self.options.label_selector}"
            message = report.none_matched(kind, namespace, wanted, self._names_there(), seconds)
        else:
            message = report.timed_out(snapshot.workloads, self._missing(snapshot), kind, snapshot, seconds)
        if trouble:
            silent = time.monotonic() - (trouble[1].since or 0)
            message += f"\nThe API server has not answered for {silent:.0f} s ({trouble[1].trouble})."
        raise KubernetesError(message, **result, problems=[])

    def _log(self, problem: Problem) -> list[str]:
        """The last lines of the container instance that ended, or of the present one; none if they can't be had."""
        path = f"/api/v1/namespaces/{self.options.namespace}/pods/{problem.pod}/log"
        params = {"container": str(problem.container), "tailLines": str(LOG_LINES)}
        for more in ({"previous": "true"}, {}):
            try:
                return report.log_lines(self.api.text(path, {**params, **more}), LOG_LINES)
            except ApiError:
                continue
        return []

    def _names_there(self) -> list[str] | None:
        """Names of what there is of this kind; None if the namespace does not exist."""
        try:
            self.api.get(f"/api/v1/namespaces/{self.options.namespace}", {})
        except ApiError as error:
            if error.status == 404:
                return None
        try:
            found = self.api.get(self.sources.workloads.path, {"limit": PAGE})
        except ApiError:
            return []
        return [one["metadata"]["name"] for one in found.get("items") or []]

    # --- the result -------------------------------------------------------------------------------------------------

    def _snapshot_of_the_end(self, snapshot: Snapshot) -> Snapshot:
        """With pods read again: their watch may be behind that of the workloads."""
        store = Store(self.sources)
        try:
            for source in (self.sources.pods, self.sources.replica_sets):
                if source:
                    store.replace(source, list_all(self.api, source)[0])
        except ApiError:
            return snapshot
        return store.snapshot()._replace(workloads=snapshot.workloads)

    def _seconds(self) -> float:
        return round(time.monotonic() - self.start, 2)

    def _result(self, snapshot: Snapshot) -> Json:
        return {
            "workloads": [
                {
                    "name": one["metadata"]["name"],
                    "kind": one["kind"],
                    "replicas": rules.desired(one),
                    "rolled_out": rules.rolled_out(one, snapshot).done,
                    "state": rules.rolled_out(one, snapshot).state,
                    "seconds": self._done_at.get(one["metadata"]["name"]),
                }
                for one in snapshot.workloads
            ],
            "pods": self._pods(snapshot),
            "waited_seconds": self._seconds(),
        }

    def _pods(self, snapshot: Snapshot) -> list[Json]:
        rows: list[Json] = []
        for workload in snapshot.workloads:
            pods = rules.pods_of(workload, snapshot)
            rows += map(rules.pod_row, sorted([*pods.new, *pods.old], key=lambda pod: str(pod["metadata"]["name"])))
        return rows
