# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until Applications are as their repository says, or until it is clear that they won't be."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.argocd import status as rules
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    ChangingApi,
    KubernetesError,
    existing,
    list_all,
    patient_until,
)

Json = dict[str, t.Any]

API = "/apis/argoproj.io/v1alpha1"
# A message may be of the comparison before; after this long it is taken for what it is.
PATIENCE = 10
INTERVAL = 0.5


class Options(t.NamedTuple):
    names: t.Sequence[str]
    namespace: str = "argocd"
    revision: str = ""
    healthy: bool = True
    timeout: float = 180


class Waiter:
    def __init__(
        self, api: ChangingApi, options: Options, interval: float = INTERVAL, patience: float = PATIENCE
    ) -> None:
        self.start = time.monotonic()
        self.api = patient_until(api, self.start + options.timeout)
        self.options = options
        self.interval = interval
        self.patience = patience
        self._hopeless_since: dict[str, float] = {}

    def look(self) -> Json:
        """One look without waiting; never fails for what it sees. Raises ApiError."""
        return self._result(self._rows())

    def wait(self) -> Json:
        """Wait, having asked Argo CD to compare again at once what is not as wanted. Raises KubernetesError, ApiError."""
        pause = threading.Event()
        rows = self._rows()
        asked: set[str] = set()
        while not all(one["done"] for one in rows):
            for one in rows:
                if not one["done"] and one["name"] not in asked and one["state"] != rules.evaluate(None).state:
                    self._refresh(one["name"])
                    asked.add(one["name"])
            seconds = time.monotonic() - self.start
            if seconds > self.options.timeout or self._is_hopeless():
                raise KubernetesError(rules.report(rows, self.options.namespace, seconds), **self._result(rows))
            pause.wait(self.interval)
            rows = self._rows()
        return self._result(rows)

    def _rows(self) -> list[Json]:
        if existing(self.api, API) is None:
            raise KubernetesError(
                "The cluster has no Argo CD: the kinds of argoproj.io are not served. Install it (https://argo-cd.readthedocs.io), for "
                "example by its Helm chart, then run again."
            )
        found, _version = list_all(self.api, f"{API}/namespaces/{self.options.namespace}/applications", {})
        by_name = {str(one["metadata"]["name"]): one for one in found}
        return [self._row(name, by_name.get(name)) for name in self.options.names]

    def _row(self, name: str, application: Json | None) -> Json:
        verdict = rules.evaluate(application, self.options.revision, self.options.healthy)
        if not verdict.hopeless:
            self._hopeless_since.pop(name, None)
        else:
            self._hopeless_since.setdefault(name, time.monotonic())
        return rules.row(name, application, verdict)

    def _is_hopeless(self) -> bool:
        return any(time.monotonic() - since > self.patience for since in self._hopeless_since.values())

    def _refresh(self, name: str) -> None:
        path = f"{API}/namespaces/{self.options.namespace}/applications/{name}"
        self.api.merge(path, {"metadata": {"annotations": {rules.REFRESH: "normal"}}})

    def _result(self, rows: list[Json]) -> Json:
        return {
            "applications": rows,
            "done": all(one["done"] for one in rows),
            "waited_seconds": round(time.monotonic() - self.start, 2),
        }
