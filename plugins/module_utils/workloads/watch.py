# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what is known of a namespace true: a LIST and WATCH per kind, each in a thread, which all write to one store.

Talks to the API server through C(Api) alone, so tests put a script in its place.
"""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import list_all as list_pages
from ansible_collections.localcloud.stack.plugins.module_utils.workloads.rollout import API_PATHS, Json, Snapshot, trim

# The server ends each watch after this long; a connection that is dead without saying so is noticed a bit later.
WATCH_SECONDS = 30
SILENCE_SECONDS = 40


class Api(t.Protocol):
    def connect(self) -> None: ...

    def get(self, path: str, params: t.Mapping[str, str]) -> Json: ...

    def text(self, path: str, params: t.Mapping[str, str]) -> str: ...

    def watch(self, path: str, params: t.Mapping[str, str], silence: float) -> t.Iterator[Json]: ...


class Source(t.NamedTuple):
    """One LIST and WATCH. What is C(optional) may be forbidden: then nothing is known of it."""

    kind: str
    path: str
    label_selector: str | None = None
    field_selector: str | None = None
    optional: bool = False

    def params(self) -> dict[str, str]:
        chosen = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in chosen.items() if value}


class Sources(t.NamedTuple):
    """All that is looked at in a namespace."""

    workloads: Source
    pods: Source
    events: Source
    replica_sets: Source | None = None

    def every(self) -> list[Source]:
        return [one for one in self if one is not None]


def sources_of(kind: str, namespace: str, names: t.Sequence[str], label_selector: str | None) -> Sources:
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    by_name = f"metadata.name={names[0]}" if len(names) == 1 else None
    return Sources(
        workloads=Source(kind, f"{apps}/{API_PATHS[kind]}", label_selector, by_name),
        pods=Source("Pod", f"{core}/pods"),
        events=Source("Event", f"{core}/events", field_selector="type=Warning", optional=True),
        replica_sets=Source("ReplicaSet", f"{apps}/replicasets") if kind == "Deployment" else None,
    )


class State:
    """What is known of one source. C(trouble): why there was no answer to the last request, if there was none."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.listed = False
        self.trouble: ApiError | None = None
        self.since: float | None = None


class Store:
    """Where the threads write and the waiting one reads; C(changed) guards and announces."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.changed = threading.Condition()
        self.states = {one: State() for one in sources.every()}

    def replace(self, source: Source, objects: t.Iterable[Json]) -> None:
        with self.changed:
            state = self.states[source]
            state.objects = {one["metadata"]["name"]: one for one in objects}
            state.listed, state.trouble, state.since = True, None, None
            self.changed.notify_all()

    def apply(self, source: Source, event: str, obj: Json) -> None:
        with self.changed:
            state = self.states[source]
            if event == "DELETED":
                state.objects.pop(obj["metadata"]["name"], None)
            else:
                state.objects[obj["metadata"]["name"]] = obj
            state.trouble, state.since = None, None
            self.changed.notify_all()

    def failed(self, source: Source, error: ApiError) -> None:
        with self.changed:
            state = self.states[source]
            state.trouble = error
            state.since = state.since or time.monotonic()
            self.changed.notify_all()

    def complete(self) -> bool:
        """Whether everything was listed at least once."""
        return all(state.listed for state in self.states.values())

    def trouble(self) -> tuple[Source, State] | None:
        """The source that has had no answer for the longest time."""
        silent = [(source, state) for source, state in self.states.items() if state.trouble]
        return min(silent, key=lambda one: one[1].since or 0.0, default=None)

    def snapshot(self) -> Snapshot:
        def objects(source: Source | None) -> list[Json]:
            return list(self.states[source].objects.values()) if source else []

        sources = self.sources
        workloads = sorted(objects(sources.workloads), key=lambda one: str(one["metadata"]["name"]))
        return Snapshot(workloads, objects(sources.pods), objects(sources.replica_sets), objects(sources.events))


def list_all(api: Api, source: Source) -> tuple[list[Json], str]:
    """Every object, page by page, and the version that the list is true for. Raises ApiError."""
    try:
        return list_pages(api, source.path, source.params(), lambda obj: trim(obj, source.kind))
    except ApiError as error:
        if source.optional and error.status in (401, 403):
            return [], ""
        raise


class Reflector:
    """Keeps the store current for one source until told to stop: list, watch, and again after whatever ends that."""

    def __init__(self, api: Api, source: Source, store: Store, stop: threading.Event, pause: float = 0.25) -> None:
        self.api = api
        self.source = source
        self.store = store
        self.stop = stop
        self.pause = pause

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                objects, version = list_all(self.api, self.source)
                self.store.replace(self.source, objects)
                if not version:
                    return  # we may not look at it
                self._follow(version)
                continue  # the version is too old: list again at once
            except ApiError as error:
                self.store.failed(self.source, error)
            except (
                Exception
            ) as error:  # a thread that died silently would make the wait last to its limit without a reason
                self.store.failed(self.source, ApiError(0, f"{type(error).__name__}: {error}"))
            self.stop.wait(self.pause)

    def _follow(self, version: str) -> None:
        """Watch until the version is too old. A watch that ends in good order goes on from where it was."""
        while not self.stop.is_set():
            began = time.monotonic()
            params = {
                **self.source.params(),
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            for event in self._events(params):
                obj = event.get("object") or {}
                if self.stop.is_set() or _too_old(event, obj):
                    return
                version = obj["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    kept = trim(obj, self.source.kind)
                    self.store.apply(
                        self.source, event["type"], {**kept, "live": True} if self.source.kind == "Event" else kept
                    )
            if time.monotonic() - began < 1:
                self.stop.wait(self.pause)  # something between us and the server cuts watches short: don't hammer it

    def _events(self, params: dict[str, str]) -> t.Iterator[Json]:
        try:
            yield from self.api.watch(self.source.path, params, SILENCE_SECONDS)
        except ApiError as error:
            if error.status != 410:
                raise
            yield {"type": "ERROR", "object": {"code": 410}}


def _too_old(event: Json, obj: Json) -> bool:
    if event.get("type") != "ERROR":
        return False
    if obj.get("code") == 410:
        return True
    raise ApiError(int(obj.get("code") or 0), str(obj.get("message") or "the watch failed"))
