# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for many Kubernetes objects at once: a LIST and WATCH per kind, each in a thread, and one place that evaluates.

Talks to the API server through C(Api) alone, so tests put a script in its place.
"""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import EXTERNAL_NAME
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import conditions as rules
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.conditions import Verdict
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    ApiError,
    KubernetesError,
    UntrustedError,
    find_kind,
    list_all,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.events import last_events

Json = dict[str, t.Any]
Key: t.TypeAlias = "tuple[str | None, str]"

# The server ends each watch after this long. A dead connection is noticed no later than that.
WATCH_SECONDS = 30
SILENCE_SECONDS = 40
# A refused request may be due to an API server that's still starting; after this long it's taken for what it is.
DENIED_GRACE = 10


class Api(t.Protocol):
    def connect(self) -> None: ...

    def get(self, path: str, params: t.Mapping[str, str]) -> Json: ...

    def watch(self, path: str, params: t.Mapping[str, str], silence: float) -> t.Iterator[Json]: ...


class Want(t.NamedTuple):
    """What to wait for: one object, or without a name all objects of a kind with a label.

    With C(uid) another object of that name is not it.
    """

    api_version: str
    kind: str
    conditions: tuple[str, ...]
    name: str | None = None
    namespace: str | None = None
    label_selector: str | None = None
    uid: str | None = None


class Options(t.NamedTuple):
    state: str = "ready"
    timeout: float = 300
    fail_fast: bool = False


class Watched(t.NamedTuple):
    """One LIST and WATCH: a kind, as far as the wants of it allow that to be narrowed."""

    api_version: str
    kind: str
    namespaces: frozenset[str | None]
    names: frozenset[str | None]
    label_selector: str | None

    def scope(self, namespaced: bool) -> str | None:
        """The one namespace to look into, or None for all."""
        if not namespaced:
            return None
        if self.label_selector is not None:
            return next(iter(self.namespaces)) if len(self.namespaces) == 1 else None
        spaces = {space or "default" for space in self.namespaces}
        return spaces.pop() if len(spaces) == 1 else None

    def trim(self, obj: Json) -> Json:
        """An object without what is not evaluated."""
        return rules.trim(obj, self.api_version, self.kind)

    def selectors(self) -> dict[str, str]:
        chosen: dict[str, str] = {}
        if self.label_selector:
            chosen["labelSelector"] = self.label_selector
        if len(self.names) == 1 and (name := next(iter(self.names))):
            chosen["fieldSelector"] = f"metadata.name={name}"
        return chosen


class State:
    """What is known of a watched kind."""

    def __init__(self) -> None:
        self.objects: dict[Key, Json] = {}
        self.gone: set[Key] = set()
        self.namespaced = False
        self.listed = False
        self.served = True
        self.problem: str | None = None
        self.denied: str | None = None

    @property
    def looked_at(self) -> bool:
        return self.listed or not self.served or self.problem is not None

    def set_objects(self, objects: dict[Key, Json]) -> None:
        self.gone = (self.gone | self.objects.keys()) - objects.keys()
        self.objects = objects


class Store:
    """Where the watching threads write and the waiting one reads; C(changed) guards and announces."""

    def __init__(self, watched: t.Iterable[Watched]) -> None:
        self.changed = threading.Condition()
        self.states = {one: State() for one in watched}

    def replace(self, which: Watched, objects: t.Iterable[Json], namespaced: bool) -> None:
        with self._update(which) as state:
            state.set_objects({key_of(obj): obj for obj in objects})
            state.namespaced, state.listed, state.served, state.problem, state.denied = (
                namespaced,
                True,
                True,
                None,
                None,
            )

    def apply(self, which: Watched, event: str, obj: Json) -> None:
        with self._update(which) as state:
            rest = {key: known for key, known in state.objects.items() if key != key_of(obj)}
            state.set_objects(rest if event == "DELETED" else {**rest, key_of(obj): obj})

    def not_served(self, which: Watched) -> None:
        with self._update(which) as state:
            state.set_objects({})
            state.listed, state.served, state.problem, state.denied = False, False, None, None

    def trouble(self, which: Watched, problem: str, denied: bool = False) -> None:
        with self._update(which) as state:
            state.problem = problem
            state.denied = problem if denied else None

    def _update(self, which: Watched) -> _Update:
        return _Update(self.changed, self.states[which])


class _Update:
    """A change under the lock that wakes the waiting thread."""

    def __init__(self, changed: threading.Condition, state: State) -> None:
        self._changed = changed
        self._state = state

    def __enter__(self) -> State:
        self._changed.acquire()
        return self._state

    def __exit__(self, *error: object) -> None:
        self._changed.notify_all()
        self._changed.release()


def key_of(obj: Json) -> Key:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]


def wants_of(params: t.Mapping[str, t.Any]) -> list[Want]:
    """The wants in a module's parameters."""
    return [
        Want(
            api_version=one["api_version"],
            kind=one["kind"],
            conditions=tuple(one.get("conditions") or params["conditions"]),
            name=one.get("name"),
            namespace=one.get("namespace"),
            label_selector=params.get("label_selector"),
            uid=one.get("uid"),
        )
        for one in params.get("resources") or params.get("kinds") or []
    ]


def watched_of(wants: t.Sequence[Want]) -> dict[Watched, list[Want]]:
    """The wants by the LIST and WATCH that serves them."""
    by_kind: dict[tuple[str, str, str | None], list[Want]] = {}
    for want in dict.fromkeys(wants):
        by_kind.setdefault((want.api_version, want.kind, want.label_selector), []).append(want)
    return {
        Watched(
            api_version, kind, frozenset(one.namespace for one in group), frozenset(one.name for one in group), selector
        ): group
        for (api_version, kind, selector), group in by_kind.items()
    }


# --- one kind
# ---------------------------------------------------------------------------------------------------------------


class Reflector:
    """Keeps the store current for one kind until told to stop: list, watch, and again after whatever ends that."""

    def __init__(
        self, api: Api, which: Watched, store: Store, stop: threading.Event, pause: float = 0.25, longest: float = 1.0
    ) -> None:
        self.api = api
        self.which = which
        self.store = store
        self.stop = stop
        self.pause, self.longest = pause, longest
        self._delay = pause
        self._denied_since: float | None = None

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                found = self.look()
                if found is not None:
                    self._delay = self.pause
                    self._follow(*found)
                    continue  # the watch's version is too old: list again at once
            except ApiError as error:
                self._failed(error)
            except (
                Exception
            ) as error:  # a thread that died silently would make the wait run into its limit without saying why
                self.store.trouble(self.which, f"{type(error).__name__}: {error}")
            self._rest()

    def look(self) -> tuple[str, str] | None:
        """One look at everything: the path and the version that it's true for, None where the kind is not served."""
        served = find_kind(self.api, self.which.api_version, self.which.kind)
        if served is None:
            self.store.not_served(self.which)
            return None
        path = served.path(self.which.scope(served.namespaced))
        try:
            objects, version = list_all(self.api, path, self.which.selectors(), self.which.trim)
        except ApiError as error:
            if error.status != 404:
                raise
            self.store.not_served(self.which)
            return None
        self._denied_since = None
        self.store.replace(self.which, objects, served.namespaced)
        return path, version

    def _follow(self, path: str, version: str) -> None:
        """Watches until the version is too old; a watch that ends in good order goes on from where it was."""
        while not self.stop.is_set():
            began, seen = time.monotonic(), 0
            params = {
                **self.which.selectors(),
                "watch": "true",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS),
            }
            for event in self.api.watch(path, params, SILENCE_SECONDS):
                if self.stop.is_set():
                    return
                obj = event.get("object") or {}
                if event.get("type") == "ERROR":
                    if obj.get("code") == 410:
                        return
                    raise ApiError(int(obj.get("code") or 0), str(obj.get("message") or "the watch failed"))
                seen += 1
                version = obj["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self.store.apply(self.which, event["type"], self.which.trim(obj))
            if not seen and time.monotonic() - began < 1:
                self._rest()  # something between us and the server cuts watches short: don't hammer it

    def _failed(self, error: ApiError) -> None:
        if error.status == 410:
            return
        if error.status in (401, 403) or isinstance(error, UntrustedError):
            now = time.monotonic()
            self._denied_since = self._denied_since or now
            self.store.trouble(self.which, error.message, denied=now - self._denied_since >= DENIED_GRACE)
        else:
            self._denied_since = None
            self.store.trouble(self.which, error.message)

    def _rest(self) -> None:
        self.stop.wait(self._delay)
        self._delay = min(self.longest, self._delay * 1.5)


# --- all of them
# ------------------------------------------------------------------------------------------------------------


class Waiter:
    def __init__(self, api: Api, wants: t.Sequence[Want], options: Options, pause: float = 0.25) -> None:
        self.api = api
        self.options = options
        self.groups = watched_of(wants)
        self.store = Store(self.groups)
        self.pause = pause
        self.start = time.monotonic()
        self._ready_at: dict[tuple[Watched, Key], float] = {}
        # Each event of one object would else have all of them judged again.
        self._evaluated: dict[tuple[Want, Key], tuple[tuple[t.Any, ...], Json]] = {}

    def look(self) -> Json:
        """One look without waiting. Never fails: what can't be seen is unready."""
        stop = threading.Event()
        try:
            self.api.connect()
        except KubernetesError as error:
            for which in self.groups:
                self.store.trouble(which, error.message)
            return self._result(self._explained(self._rows()))

        def once(which: Watched) -> None:
            try:
                Reflector(self.api, which, self.store, stop).look()
            except Exception as error:
                self.store.trouble(which, getattr(error, "message", "") or f"{type(error).__name__}: {error}")

        self._in_threads(once, join=True)
        with self.store.changed:
            rows = self._rows()
        return self._result(self._explained(rows))

    def wait(self) -> Json:
        """Waits until everything is as wanted; KubernetesError when the time is up."""
        stop = threading.Event()
        self.api.connect()
        self._in_threads(lambda which: Reflector(self.api, which, self.store, stop, self.pause).run())
        try:
            with self.store.changed:
                rows, hopeless = self._wait()
        finally:
            stop.set()
        unready = [row for row in rows if not row["ready"]]
        if not unready:
            return self._result(rows)
        result = self._result(self._explained(rows))
        message = rules.report(result["unready"], len(rows), result["waited_seconds"], self.options.state == "absent")
        raise KubernetesError(f"{hopeless}\n{message}" if hopeless else message, **result)

    def _wait(self) -> tuple[list[Json], str | None]:
        deadline = self.start + self.options.timeout
        while True:
            rows = self._rows()
            if all(row["ready"] for row in rows):
                return rows, None
            if hopeless := self._hopeless(rows):
                return rows, hopeless
            left = deadline - time.monotonic()
            if left <= 0:
                return rows, None
            self.store.changed.wait(left)

    def _hopeless(self, rows: list[Json]) -> str | None:
        """Why waiting any longer is no use: access is denied, all that is left are creations whose end is unknown, or with
        fail_fast a resource can't recover by itself."""
        for which, state in self.store.states.items():
            if state.denied:
                return (
                    f"The API server does not let us read {which.kind} ({which.api_version}): {state.denied}. "
                    "Check the kubeconfig, its user and its RBAC (get, list and watch)."
                )
        looked_at = all(state.looked_at for state in self.store.states.values())
        if self.options.state != "ready" and self.options.fail_fast and looked_at:
            kept = [
                f"{row['kind']}/{row['name']}" for row in rows if row["_object"] and rules.protected(row["_object"])
            ]
            return f"AWS protects {', '.join(kept)} against deletion." if kept else None
        if self.options.state != "ready" or not looked_at:
            return None
        left = [row["_object"] for row in rows if not row["ready"]]
        if all(obj and rules.creation_lost(obj) for obj in left):
            return "The provider does not go on by itself with what it does not know the end of."
        if self.options.fail_fast:
            for row in rows:
                obj, want = row["_object"], row["_want"]
                cause = rules.permanent_cause(obj, want.conditions) if obj else None
                if cause:
                    return f"{row['kind']}/{row['name']} will not become ready by waiting: {cause.cause}."
        return None

    def _in_threads(self, work: t.Callable[[Watched], None], join: bool = False) -> None:
        # Daemons: a thread that still listens to a stream must not keep the module from ending.
        threads = [threading.Thread(target=work, args=(which,), daemon=True) for which in self.groups]
        for thread in threads:
            thread.start()
        if join:
            for thread in threads:
                thread.join()

    def _rows(self) -> list[Json]:
        return [row for which, wants in self.groups.items() for want in wants for row in self._rows_of(which, want)]

    def _rows_of(self, which: Watched, want: Want) -> list[Json]:
        state = self.store.states[which]
        if want.name is not None:
            space = (want.namespace or "default") if state.namespaced else None
            return [self._row(which, want, (space, want.name), state)]
        absent = self.options.state == "absent"
        known = state.objects.keys() | state.gone if absent else state.objects.keys()
        keys = sorted((key for key in known if want.namespace is None or key[0] == want.namespace), key=str)
        if keys:
            return [self._row(which, want, key, state) for key in keys]
        nothing_is_fine = (
            not state.served or state.listed if absent else state.listed and self._any_selected(want.label_selector)
        )
        return (
            [] if nothing_is_fine else [self._row(which, want, (want.namespace, f"with {want.label_selector}"), state)]
        )

    def _any_selected(self, selector: str | None) -> bool:
        return any(state.objects for which, state in self.store.states.items() if which.label_selector == selector)

    def _row(self, which: Watched, want: Want, key: Key, state: State) -> Json:
        obj = state.objects.get(key)
        if obj and want.uid and obj["metadata"].get("uid") != want.uid:
            obj = None
        known = (id(obj), state.served, state.listed, state.problem)
        before = self._evaluated.get((want, key))
        if before is None or before[0] != known:
            # It holds the object itself, so that no other one can have its id meanwhile.
            before = self._evaluated[want, key] = (known, self._new_row(which, want, key, state, obj))
        return before[1]

    def _new_row(self, which: Watched, want: Want, key: Key, state: State, obj: Json | None) -> Json:
        verdict = self._verdict(which, want, obj, state)
        since = self._since(which, key, verdict.ready)
        metadata = obj["metadata"] if obj else {}
        return {
            "api_version": which.api_version,
            "kind": which.kind,
            "name": key[1],
            "namespace": key[0],
            "ready": verdict.ready,
            "seconds": since,
            "created_at": metadata.get("creationTimestamp"),
            "created_to_ready_seconds": rules.ready_seconds(obj, want.conditions) if obj and verdict.ready else None,
            "external_name": (metadata.get("annotations") or {}).get(EXTERNAL_NAME),
            "arn": ((obj or {}).get("status", {}).get("atProvider") or {}).get("arn"),
            "condition": verdict.condition,
            "reason": verdict.reason,
            "message": verdict.message,
            "last_event": None,
            "cause": None,
            "next_step": None,
            "_object": obj,
            "_want": want,
            "_verdict": verdict,
        }

    def _verdict(self, which: Watched, want: Want, obj: Json | None, state: State) -> Verdict:
        absent = self.options.state == "absent"
        if obj is not None:
            if not absent:
                return rules.evaluate(obj, want.conditions)
            verdict = rules.evaluate(obj, ())
            return verdict if not verdict.ready else Verdict(False, rules.STILL_THERE)
        if not state.served:
            text = f"the API server does not serve {which.kind} of {which.api_version}"
            return rules.READY if absent else Verdict(False, rules.NOT_SERVED, None, text)
        if not state.listed:
            return Verdict(False, rules.UNREACHABLE, None, state.problem or "no answer from the API server yet")
        return rules.READY if absent else Verdict(False, rules.NOT_FOUND)

    def _since(self, which: Watched, key: Key, ready: bool) -> float | None:
        if not ready:
            self._ready_at.pop((which, key), None)
            return None
        return self._ready_at.setdefault((which, key), round(time.monotonic() - self.start, 2))

    def _explained(self, rows: list[Json]) -> list[Json]:
        """Last events and likely causes, for those that aren't as wanted. Asks the API server once per kind."""
        unready = [row for row in rows if not row["ready"]]
        events = last_events(self.api, {row["kind"] for row in unready if row["_object"]})
        for row in unready:
            event = events.get((row["kind"], row["namespace"], row["name"]))
            cause = rules.likely_cause(row["_object"], row["_verdict"], event)
            row["last_event"] = event
            if cause:
                row["cause"], row["next_step"] = cause.cause, cause.next_step
        return rows

    def _result(self, rows: list[Json]) -> Json:
        shown = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
        return {
            "resources": shown,
            "unready": [row for row in shown if not row["ready"]],
            "ready": all(row["ready"] for row in shown),
            "waited_seconds": round(time.monotonic() - self.start, 2),
        }
