# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads lists of Kubernetes objects, whatever their kind. Talks to the API server through C(Api) alone."""

from __future__ import annotations

import json
import math
import threading
import time
import typing as t
from concurrent.futures import Executor

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, PrintableError

Json = dict[str, t.Any]
Answer = t.TypeVar("Answer")
Asked = t.TypeVar("Asked", bound="Api")

PAGE = "500"
# Requests at a time; the client's pool has as many connections.
PARALLEL = 4
# No answer, too many requests, and what a starting or loaded API server says.
BUSY = (0, 429, 500, 502, 503, 504)


class KubernetesError(ModuleError):
    """What can't be done with a cluster."""


class ApiError(PrintableError):
    """The API server's refusal, or with status 0 none of its answers."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = str(self)


class UntrustedError(ApiError):
    """What answers is not the API server that the kubeconfig vouches for; asking again does not change that."""

    def __init__(self, message: str) -> None:
        super().__init__(0, message)


class Api(t.Protocol):
    """What reading needs of the API server. Raises ApiError."""

    def get(self, path: str, params: t.Mapping[str, str]) -> Json: ...


class RemovingApi(Api, t.Protocol):
    """What removal needs besides. Deletes the object of this UID, and no other of its name. Raises ApiError.

    In the foreground an object stays until all that it is the controller of is deleted.
    """

    def delete(self, path: str, uid: str, foreground: bool = False) -> None: ...


class ChangingApi(Api, t.Protocol):
    """What changing needs besides: a JSON merge patch. Raises ApiError."""

    def merge(self, path: str, patch: Json) -> None: ...


class CreatingApi(Api, t.Protocol):
    """What creation needs besides. Creates an object in a list's path from YAML. Raises ApiError."""

    def create(self, path: str, text: str) -> None: ...


class PatientApi:
    """Asks again where the API server does not answer or has too much to do: for so many seconds each time that it is away.

    C(end), of C(time.monotonic), bounds this where the caller waits with a limit of its own.
    """

    def __init__(self, api: Api, seconds: float, end: float = math.inf) -> None:
        self.api = api
        self.seconds = seconds
        self.end = end
        self._away_since: float | None = None
        self._pause = threading.Event()

    def until(self, end: float) -> PatientApi:
        """The same, no longer patient than that."""
        return PatientApi(self.api, self.seconds, end)

    def get(self, path: str, params: t.Mapping[str, str]) -> Json:
        return self._answer(lambda: self.api.get(path, params))

    def delete(self, path: str, uid: str, foreground: bool = False) -> None:
        self._answer(lambda: t.cast("RemovingApi", self.api).delete(path, uid, foreground))

    def merge(self, path: str, patch: Json) -> None:
        self._answer(lambda: t.cast("ChangingApi", self.api).merge(path, patch))

    def create(self, path: str, text: str) -> None:
        self._answer(lambda: t.cast("CreatingApi", self.api).create(path, text))

    def _answer(self, ask: t.Callable[[], Answer]) -> Answer:
        began = time.monotonic()
        while True:
            try:
                answer = ask()
                self._away_since = None
                return answer
            except UntrustedError:
                raise
            except ApiError as error:
                # Of this path, if it answers at others.
                self._away_since = since = min(began, self._away_since or began)
                if error.status not in BUSY or time.monotonic() > min(since + self.seconds, self.end):
                    raise
            self._pause.wait(1)


def patient_until(api: Asked, end: float) -> Asked:
    """The API; one that is patient is no longer so than until then."""
    return t.cast("Asked", api.until(end)) if isinstance(api, PatientApi) else api


class Served(t.NamedTuple):
    """Where a kind is served: /apis/<group>/<version>, the plural name, whether its objects have namespaces, and what can be done."""

    base: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str | None = None) -> str:
        """The list of the kind, of one namespace if it has any."""
        space = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{self.base}{space}/{self.plural}"


def existing(api: Api, path: str) -> Json | None:
    """What is at a path, or None where nothing is. Raises ApiError."""
    try:
        return api.get(path, {})
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def served_kinds(api: Api, api_version: str) -> dict[str, Served]:
    """Where the kinds of a group and version are served; empty where it is not served (yet). Raises ApiError."""
    base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return {
        one["kind"]: Served(base, one["name"], bool(one.get("namespaced")), frozenset(one.get("verbs") or []))
        for one in (existing(api, base) or {}).get("resources") or []
        if "kind" in one and "/" not in one.get("name", "/")
    }


def served_kinds_of(api: Api, api_versions: t.Iterable[str], pool: Executor) -> dict[str, dict[str, Served]]:
    """The same of several groups and versions, side by side. Raises ApiError."""
    versions = list(dict.fromkeys(api_versions))
    return dict(zip(versions, pool.map(lambda version: served_kinds(api, version), versions), strict=True))


def find_kind(api: Api, api_version: str, kind: str) -> Served | None:
    """Where a kind is served; None where it is not (yet). Raises ApiError."""
    return served_kinds(api, api_version).get(kind)


def list_all(
    api: Api, path: str, params: t.Mapping[str, str], keep: t.Callable[[Json], Json] = lambda item: item
) -> tuple[list[Json], str]:
    """Every object, page by page, cut down by C(keep), and the version that the list is true for. Raises ApiError."""
    objects: list[Json] = []
    asked = {**params, "limit": PAGE}
    while True:
        page = api.get(path, asked)
        objects += [keep(item) for item in page.get("items") or []]
        metadata = page.get("metadata") or {}
        if not metadata.get("continue"):
            return objects, str(metadata.get("resourceVersion", ""))
        asked = {**asked, "continue": metadata["continue"]}


def events_of(chunks: t.Iterable[bytes]) -> t.Iterator[Json]:
    """Watch events out of a stream that's cut anywhere: one JSON document a line."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
