# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module of this name of kubernetes.core for the cluster that its arguments name."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.localcloud.stack.plugins.plugin_utils.kubernetes_core import KubernetesCore

# What the API server answers while etcd's disk is busy, with several codes: 422 where a Service was to get its port.
OVERLOADED = re.compile(r"etcdserver: (?:request timed out|too many requests|leader changed)")
# For so long objects are applied again.
PATIENCE_SECONDS = 60


class ActionModule(KubernetesCore):
    """See the module's documentation. What is applied, which can be repeated, is so while etcd is overloaded, for a limited time."""

    def performed(self, perform: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
        done = perform()
        while self._task.args.get("apply") and is_overloaded(done) and time.monotonic() < end:
            pause.wait(1)
            done = perform()
            # The time before, objects may have been applied.
            done["changed"] = True
        return done


def is_overloaded(done: Mapping[str, Any]) -> bool:
    """Whether a module's result is a failure that goes by itself."""
    return bool(done.get("failed")) and OVERLOADED.search(str(done.get("msg"))) is not None
